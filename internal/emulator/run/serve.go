package run

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// maxBody is the bound on an HTTP/1 request's body
// (cloud.google.com/run/quotas).
const maxBody = 32 << 20

// statusClientGone is logged when the client did not wait for the answer.
const statusClientGone = 499

func newProxyTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		DisableCompression:  true, // answers pass as they are
		MaxIdleConnsPerHost: 128,
		// Some servers close idle connections after 2 s; leaving first avoids
		// requests that meet a connection being closed.
		IdleConnTimeout: time.Second,
	}
}

// ServeHTTP is the data plane: requests whose host is a service's or a tag's
// URL. Who called is in the request's ID token or, if it has none, in its
// context. Like httputil.ReverseProxy it panics with http.ErrAbortHandler when
// an answer breaks off.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ok := s.parseHost(r.Host)
	rt := s.routes.get(serviceName{s.Project, e.location, e.service})
	if !ok || rt == nil || rt.hidden {
		writePage(w, http.StatusNotFound, "Page not found", "The requested URL was not found on this server.")
		return
	}
	x := &exchange{service: s, route: rt, request: r, answer: &recorder{ResponseWriter: w}, begun: time.Now(), trace: traceOf(r)}
	defer x.log()
	code, err := s.admit(r, rt, e.tag)
	switch {
	case err != nil:
		x.refuse(http.StatusInternalServerError, "The server encountered an error and could not complete your request: "+err.Error())
		return
	case code == http.StatusUnauthorized:
		x.answer.Header().Set("WWW-Authenticate", `Bearer error="invalid_token" error_description="The access token could not be verified"`)
		writePage(x.answer, code, http.StatusText(code), "Your client does not have permission to the requested URL "+codeOf(r)+".")
		return
	case code != http.StatusOK:
		writePage(x.answer, code, http.StatusText(code), "Your client does not have permission to get URL "+codeOf(r)+" from this server.")
		return
	}
	x.revision, ok = rt.choose(e.tag, s.Draw)
	switch {
	case !ok:
		x.refuse(http.StatusNotFound, "The requested URL was not found on this server.")
	case x.revision == "":
		x.refuse(http.StatusServiceUnavailable, "The service has no revision that is ready.")
	default:
		x.serve()
	}
}

// exchange is one request and its answer.
type exchange struct {
	service  *Service
	route    *route
	request  *http.Request
	answer   *recorder
	begun    time.Time
	trace    string
	revision string // short name; empty before one was chosen
	cold     bool   // it waited for an instance to start
}

// serve hands the request to an instance of the revision. One that has ended a
// moment ago takes no connection; then the request, of which nothing was sent,
// goes to another.
func (x *exchange) serve() {
	v, err := x.service.instancesOf(x.route.name.revision(x.revision))
	if err != nil {
		x.refuse(http.StatusServiceUnavailable, err.Error())
		return
	}
	const attempts = 3
	for n := 1; ; n++ {
		m, cold, err := v.acquire(x.request.Context())
		x.cold = x.cold || cold
		if err != nil {
			x.refuseBusy(err)
			return
		}
		err = x.deliver(v, m)
		if err == nil {
			return
		}
		if n == attempts {
			x.refuse(http.StatusServiceUnavailable, "The request failed because no instance took the connection: "+err.Error())
			return
		}
	}
}

// deliver passes the request to an instance, and returns an error if it took no
// connection.
func (x *exchange) deliver(v *served, m *member) error {
	defer v.release(m) // also when the answer breaks off with a panic
	err := x.proxy(m.worker.(*instance), v.revision.Timeout.AsDuration())
	if err != nil {
		v.lose(m)
	}
	return err
}

func (x *exchange) refuseBusy(err error) {
	var start *startError
	switch {
	case errors.Is(err, errQueueFull):
		x.answer.Header().Set("Content-Type", "text/plain; charset=utf-8")
		x.answer.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(x.answer, "Rate exceeded.")
	case errors.As(err, &start):
		x.refuse(http.StatusServiceUnavailable, "The container could not be started. "+start.Error())
	case x.request.Context().Err() != nil:
		x.answer.status = statusClientGone
	default:
		x.refuse(http.StatusServiceUnavailable, "Service Unavailable")
	}
}

// proxy passes the request on; the revision's timeout begins now. It answers in
// any case but for a connection that could not be made, which it returns.
func (x *exchange) proxy(i *instance, timeout time.Duration) (undelivered error) {
	ctx, cancel := context.WithTimeout(x.request.Context(), timeout)
	defer cancel()
	if x.request.ContentLength > maxBody {
		x.refuse(http.StatusRequestEntityTooLarge, "Your client issued a request that was too large.")
		return nil
	}
	in := x.request.WithContext(ctx)
	if in.Body != nil {
		// The server closes it; a transport that could not connect must not.
		in.Body = io.NopCloser(http.MaxBytesReader(x.answer, in.Body, maxBody))
	}
	target := &url.URL{Scheme: "http", Host: i.address}
	(&httputil.ReverseProxy{
		Transport:     x.service.proxy,
		FlushInterval: -1, // streams are not held back
		ErrorLog:      log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
			r.Out.Header.Set("X-Forwarded-Proto", "https")
			r.Out.Header.Set("X-Cloud-Trace-Context", x.trace)
			// The server in front has asked the client for the body by now.
			r.Out.Header.Del("Expect")
			removeSignature(r.Out.Header)
			deliverOnce(r.Out)
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { undelivered = x.fail(ctx, err) },
	}).ServeHTTP(x.answer, in)
	return undelivered
}

// deliverOnce keeps http.Transport from sending a GET again when its instance
// breaks the connection: the request may be what ended it. The transport
// repeats no request with a body, and finds this one empty.
func deliverOnce(r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		if r.Body == nil {
			r.Body = io.NopCloser(strings.NewReader(""))
		}
	}
}

// fail answers for an instance that did not, unless it took no connection.
func (x *exchange) fail(ctx context.Context, err error) (undelivered error) {
	var tooLarge *http.MaxBytesError
	var dial *net.OpError
	switch {
	case errors.As(err, &tooLarge):
		x.refuse(http.StatusRequestEntityTooLarge, "Your client issued a request that was too large.")
	case x.request.Context().Err() != nil:
		x.answer.status = statusClientGone
	case ctx.Err() != nil:
		x.refuse(http.StatusGatewayTimeout, "upstream request timeout")
	case errors.As(err, &dial) && dial.Op == "dial":
		return err
	default:
		x.refuse(http.StatusServiceUnavailable, "The request failed because the connection to the instance had an error: "+err.Error())
	}
	return nil
}

func (x *exchange) refuse(code int, message string) {
	writePage(x.answer, code, http.StatusText(code), html.EscapeString(message))
}

// codeOf shows what a request asked for.
func codeOf(r *http.Request) string {
	return "<code>" + html.EscapeString(r.URL.RequestURI()) + "</code>"
}

// writePage writes an error as Google's front end does: a small HTML page. The
// message is HTML.
func writePage(w http.ResponseWriter, code int, title, message string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, "<html><head>\n<title>%d %s</title>\n</head>\n<body>\n<h1>Error: %[2]s</h1>\n<h2>%s</h2>\n</body></html>\n",
		code, html.EscapeString(title), message)
}

// recorder notes what the log needs of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	size   int64
}

func (r *recorder) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		r.status = code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.size += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush and hijack.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
