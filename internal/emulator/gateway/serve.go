package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/rest"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// Handler serves the loopback address: gRPC without TLS, REST, and requests of
// workloads that use it as their proxy.
func (g *Gateway) Handler() http.Handler { return drained(g.serveLoopback) }

func (g *Gateway) serveLoopback(w http.ResponseWriter, r *http.Request) {
	defer answerPanic(w, r)
	switch {
	case r.Method == http.MethodConnect:
		g.mitm.connect(w, r)
	case r.URL.IsAbs():
		g.serveProxied(w, r)
	default:
		if err := guard(g, r); err != nil {
			refuse(w, r, err)
			return
		}
		g.serve(w, r, fromMachine(r))
	}
}

// fromMachine says whether a request came from a program of this machine.
func fromMachine(r *http.Request) bool {
	ip := net.ParseIP(hostname(r.RemoteAddr))
	return ip != nil && ip.IsLoopback()
}

// guard refuses what a page in a browser might send: requests to a name that a
// hostile name server gave this address, and requests from another origin.
func guard(g *Gateway, r *http.Request) error {
	if form, host := g.classify(r.Host); form == foreign && !strings.HasSuffix(host, ".googleapis.com") {
		return status.Errorf(codes.PermissionDenied, "The embedded cloud does not serve the host %q. Use its address, such as 127.0.0.1 or localhost.", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return status.Errorf(codes.PermissionDenied, "A page of %q may not call the embedded cloud.", origin)
		}
		return nil
	}
	if !fromAnotherSite(r) || r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Method == http.MethodGet {
		return nil // or a link to the web page of this cloud
	}
	return status.Error(codes.PermissionDenied, "A page of another site may not call the embedded cloud.")
}

// fromAnotherSite says whether a page of another site made a browser send a
// request. A link may lead to a page here, but not call a service in the
// developer's name: what a service does with a GET is its own affair.
func fromAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return true
}

// serve routes a request by its host. trusted says that one without credentials
// is the developer's own.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, trusted bool) {
	form, host := g.classify(r.Host)
	if form == loopback && g.runApp != nil {
		if service := g.shortAddress(r); service != nil {
			r, form = service, runApp
		}
	}
	if form == runApp {
		if trusted && r.Header.Get("Authorization") == "" && !fromAnotherSite(r) {
			r = withCaller(r, iam.Principal{Member: iam.Developer})
		}
		g.runApp.ServeHTTP(w, r)
		return
	}
	r, err := g.authenticate(r, trusted && form == loopback)
	if err != nil {
		refuse(w, r, err)
		return
	}
	if isGRPC(r) {
		if _, known := iam.CallerOf(r.Context()); !known {
			refuse(w, r, iam.Unauthenticated())
			return
		}
		g.grpc.ServeHTTP(w, r)
		return
	}
	g.serveREST(w, r, host)
}

// shortAddress is the request that one to /run/SERVICE/PATH stands for, a short
// address of a service on this machine; nil if r is none.
func (g *Gateway) shortAddress(r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/run/")
	service, path, _ := strings.Cut(rest, "/")
	if !ok || service == "" {
		return nil
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil
	}
	_, number := g.opts.Auth.Project()
	r = r.Clone(r.Context())
	r.Host = service + "-" + number + "." + g.opts.Region + ".run.app"
	r.URL.Path, r.URL.RawPath = "/"+plain, "/"+path
	return r
}

// authenticate puts the caller into the request's context. A token that is sent
// must be valid; without one the caller is the developer, or unknown.
func (g *Gateway) authenticate(r *http.Request, developer bool) (*http.Request, error) {
	token := r.URL.Query().Get("access_token")
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, rest, _ := strings.Cut(header, " ")
		if token = strings.TrimSpace(rest); !strings.EqualFold(scheme, "Bearer") || token == "" {
			return r, iam.Unauthenticated()
		}
	}
	if token == "" {
		if developer {
			return withCaller(r, iam.Principal{Member: iam.Developer}), nil
		}
		return r, nil
	}
	p, err := g.opts.Auth.VerifyAccess(token)
	if err != nil {
		return r, err
	}
	return withCaller(r, p), nil
}

func withCaller(r *http.Request, p iam.Principal) *http.Request {
	return r.WithContext(iam.WithPrincipal(r.Context(), p))
}

// serveREST answers a request to an API's host, or to any API's.
func (g *Gateway) serveREST(w http.ResponseWriter, r *http.Request, host string) {
	if host != "" && !g.serves(host) { // or the services of every API would answer
		rest.WriteError(w, rest.Missing(codes.Unimplemented, "%s is not part of the embedded cloud; --allow-host %s lets workloads reach the real one.", host, host))
		return
	}
	r = g.unalias(r, host)
	if mux := g.muxes[host]; mux != nil {
		if _, pattern := mux.Handler(r); pattern != "" {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			mux.ServeHTTP(w, r)
			return
		}
	}
	limited := r.WithContext(r.Context())
	limited.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if g.table.Serve(w, limited, host) {
		return
	}
	if root := g.root(r, host); root != nil {
		root.ServeHTTP(w, r)
		return
	}
	rest.WriteError(w, rest.Missing(codes.NotFound, "The requested URL %s %s was not found on this server.", r.Method, r.URL.Path))
}

// unalias gives a request the path of the API version that serves it.
func (g *Gateway) unalias(r *http.Request, host string) *http.Request {
	end := strings.IndexByte(strings.TrimPrefix(r.URL.Path, "/"), '/') + 2
	if end < 2 {
		return r
	}
	as, ok := g.aliases[host+r.URL.Path[:end]]
	if !ok {
		return r
	}
	r = r.Clone(r.Context())
	r.URL.RawPath = as + r.URL.EscapedPath()[end:]
	r.URL.Path = as + r.URL.Path[end:]
	return r
}

// root returns what takes the paths that are left over. On the loopback address
// it is not asked for a path that begins like an API version: that one is an
// API's, mistyped.
func (g *Gateway) root(r *http.Request, host string) http.Handler {
	if host == "" && versioned.MatchString(r.URL.Path) {
		return nil
	}
	return g.roots[host]
}

var versioned = lazyregexp.New(`^/v[0-9]`)

func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// refuse answers with an error in the protocol of the request.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !isGRPC(r) {
		rest.WriteError(w, err)
		return
	}
	st := status.Convert(err)
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", fmt.Sprint(uint32(st.Code())))
	h.Set("Grpc-Message", url.PathEscape(st.Message()))
	w.WriteHeader(http.StatusOK)
}

// answerPanic turns a bug of a handler into one failed request.
func answerPanic(w http.ResponseWriter, r *http.Request) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p) // a handler's way to break off its answer
	default:
		refuse(w, r, panicError(p))
	}
}

func recovered(ctx context.Context, in any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return h(ctx, in)
}

func recoveredStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return h(srv, stream)
}

func panicError(p any) error {
	return status.Errorf(codes.Internal, "Internal error encountered: %v\n%s", p, debug.Stack())
}
