// Package gateway is the front of the embedded cloud: it serves all its
// services on one loopback address and, for the workloads that run in it, under
// the host names of Google Cloud, in process or as their proxy.
package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/operations"
	"github.com/kakehi/kakehi/internal/emulator/rest"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// Options are what a Gateway is made of.
type Options struct {
	Auth *iam.Authority
	Ops  *operations.Store
	// Dir is the data directory, where the certificate authority of the proxy
	// is kept.
	Dir string
	// Region is the location that the services report; us-central1 if empty.
	Region string
	// AllowNetwork says whether workloads may reach a host outside; nil allows
	// none.
	AllowNetwork func(host string) bool
}

// maxBody bounds the body of an API call, in bytes: the largest message that
// the imitated APIs take.
const maxBody = 32 << 20

// Gateway routes requests to the services that are registered with it. All are
// registered before it serves; then it may be used concurrently.
type Gateway struct {
	opts  Options
	table rest.Table
	grpc  *grpc.Server

	muxes  map[string]*http.ServeMux // by API host; "" for the loopback address
	roots  map[string]http.Handler   // by API host: what serves all paths left over; "" for the loopback address
	runApp http.Handler

	aliases map[string]string // by API host and prefix of a path, such as run.googleapis.com/v1beta/

	authority func() (*authority, error) // of the proxy's certificates
	mitm      *interceptor
	metadata  metadataServers

	mu   sync.RWMutex
	addr string
}

// New returns a gateway that serves the long-running operations and locations
// of every API.
func New(o Options) (*Gateway, error) {
	if o.Region == "" {
		o.Region = "us-central1"
	}
	if o.AllowNetwork == nil {
		o.AllowNetwork = func(string) bool { return false }
	}
	g := &Gateway{
		opts:  o,
		grpc:  grpc.NewServer(grpc.MaxRecvMsgSize(maxBody), grpc.UnaryInterceptor(recovered), grpc.StreamInterceptor(recoveredStream)),
		muxes: map[string]*http.ServeMux{"": http.NewServeMux()},
		roots: map[string]http.Handler{},

		aliases: map[string]string{},
	}
	g.table.Intercept = recovered
	g.authority = sync.OnceValues(func() (*authority, error) { return openAuthority(o.Dir) })
	g.mitm = newInterceptor(g)
	if o.Ops != nil {
		longrunningpb.RegisterOperationsServer(g.GRPC(), operations.NewServer(o.Ops, o.Auth))
		for method, rules := range operations.Rules() {
			if err := g.table.Bind(protoreflect.FullName("google.longrunning.Operations."+method), rules...); err != nil {
				return nil, err
			}
		}
	}
	if err := g.registerLocations(); err != nil {
		return nil, err
	}
	return g, nil
}

// GRPC is where services are registered; each is served over gRPC and, by its
// HTTP annotations, over REST on the host that they name.
func (g *Gateway) GRPC() grpc.ServiceRegistrar { return registrar{g} }

type registrar struct{ g *Gateway }

func (r registrar) RegisterService(sd *grpc.ServiceDesc, impl any) {
	r.g.grpc.RegisterService(sd, impl)
	r.g.table.RegisterService(sd, impl)
}

// Handle adds a REST-only handler. The pattern is that of http.ServeMux, with
// the API's host, such as "GET run.googleapis.com/apis/serving.knative.dev/v1/
// namespaces/{namespace}/services"; it is served on the host's regional forms
// (us-central1-run.googleapis.com) and on the loopback address, too, with the
// request's own Host. A pattern without a host is served on the loopback
// address only. "HOST/" takes what nothing else takes on its host, and "/" what
// nothing else takes on the loopback address.
//
// It panics if two patterns conflict, as ServeMux does.
func (g *Gateway) Handle(pattern string, h http.Handler) {
	method, rest, ok := strings.Cut(pattern, " ")
	if !ok {
		method, rest = "", pattern
	}
	host, path, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		panic(fmt.Sprintf("gateway: pattern %q has no path", pattern))
	}
	if path == "" && method == "" {
		g.roots[host] = h
		return
	}
	for _, key := range []string{"", host} {
		if g.muxes[key] == nil {
			g.muxes[key] = http.NewServeMux()
		}
		g.muxes[key].Handle(strings.TrimSpace(method+" /"+path), h)
		if host == "" {
			return
		}
	}
}

// Alias serves an API version on the paths of another, such as v1beta on those
// of v1, for hosts; it is served on the loopback address, too.
func (g *Gateway) Alias(version, as string, hosts ...string) {
	for _, host := range append(hosts, "") {
		g.aliases[host+"/"+version+"/"] = "/" + as + "/"
	}
}

// HandleRunApp sets what serves the *.run.app hosts, and /run/SERVICE/PATH on the
// loopback address. It sees the request as it came, with that Host and Authorization; iam.CallerOf knows a caller only for
// a developer's own call on the loopback address.
func (g *Gateway) HandleRunApp(h http.Handler) { g.runApp = h }

// SetAddr tells the address, such as 127.0.0.1:8080, on which Handler is
// served. Workloads are pointed to it.
func (g *Gateway) SetAddr(addr string) {
	g.mu.Lock()
	g.addr = addr
	g.mu.Unlock()
	g.opts.Auth.SetTokenURI("http://" + addr + "/token")
}

func (g *Gateway) address() (string, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.addr == "" {
		return "", errors.New("the embedded cloud has no address yet")
	}
	return g.addr, nil
}

// Server returns a server of Handler whose limits keep slow or greedy clients
// from holding it up. Uploads and workloads may take any time, so only the
// request's header is timed.
func (g *Gateway) Server() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           g.Handler(),
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// Close ends the metadata servers and the connections of the proxy.
func (g *Gateway) Close() error {
	g.grpc.Stop()
	return errors.Join(g.metadata.close(), g.mitm.close())
}

var regional = lazyregexp.New(`^[a-z]+-[a-z]+[0-9]{1,2}-(.+)$`)

// hostForm is what a request's host means.
type hostForm int

const (
	foreign  hostForm = iota // not of this cloud
	loopback                 // this cloud's own address: any API
	api                      // one API
	runApp                   // a Cloud Run service
)

// classify says what a host, which may have a port, means. For an API it
// returns the host without its region.
func (g *Gateway) classify(host string) (hostForm, string) {
	host = strings.ToLower(hostname(host))
	switch {
	case strings.HasSuffix(host, ".run.app"):
		if g.runApp != nil {
			return runApp, host
		}
		return foreign, host
	case isLoopback(host):
		return loopback, ""
	}
	if m := regional.FindStringSubmatch(host); m != nil && g.serves(m[1]) {
		return api, m[1]
	}
	if g.serves(host) {
		return api, host
	}
	return foreign, host
}

func (g *Gateway) serves(host string) bool {
	return g.muxes[host] != nil || g.roots[host] != nil || g.table.Serves(host)
}

// isLoopback says whether a host name is this machine's own. An IP address is
// taken as such, too: it cannot be rebound by a hostile name server.
func isLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(strings.Trim(host, "[]")) != nil
}

// hostname drops the port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}
