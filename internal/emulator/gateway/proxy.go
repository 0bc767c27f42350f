package gateway

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// serveProxied serves a request line with a whole URL, as to an HTTP proxy.
func (g *Gateway) serveProxied(w http.ResponseWriter, r *http.Request) {
	r.Host = r.URL.Host
	form, _ := g.classify(r.Host)
	if form == loopback && g.isSelf(r.Host) {
		if err := guard(g, r); err != nil {
			refuse(w, r, err)
			return
		}
		g.serve(w, r, fromMachine(r))
		return
	}
	if form == api || form == runApp {
		g.serve(w, r, false)
		return
	}
	if !g.opts.AllowNetwork(hostname(r.Host)) {
		rest.WriteError(w, status.Error(codes.PermissionDenied, hostError(r.Host).Error()))
		return
	}
	forward := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host = p.In.URL.Scheme, p.In.URL.Host
	}}
	forward.ServeHTTP(w, r)
}

// isSelf says whether a loopback host means this cloud, not another program of
// this machine: a name such as us-central1-run.localhost, which gcloud makes,
// or the address with its port.
func (g *Gateway) isSelf(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return net.ParseIP(host) == nil
	}
	addr, err := g.address()
	if err != nil {
		return false
	}
	_, own, err := net.SplitHostPort(addr)
	return err == nil && port == own && isLoopback(name)
}

// interceptor is the proxy's side of CONNECT: it answers in place of the hosts
// of this cloud, with certificates of its own authority.
type interceptor struct {
	g      *Gateway
	server *http.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	start  sync.Once
}

func newInterceptor(g *Gateway) *interceptor {
	i := &interceptor{g: g, conns: make(chan net.Conn), closed: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	i.server = &http.Server{
		Handler:           drained(i.serve),
		Protocols:         protocols,
		TLSConfig:         &tls.Config{NextProtos: []string{"h2", "http/1.1"}, GetCertificate: i.certificate, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return i
}

func (i *interceptor) serve(w http.ResponseWriter, r *http.Request) {
	defer answerPanic(w, r)
	i.g.serve(w, r, false)
}

func (i *interceptor) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	a, err := i.g.authority()
	if err != nil {
		return nil, err
	}
	return a.leaf(hello.ServerName)
}

// connect answers CONNECT HOST:PORT.
func (i *interceptor) connect(w http.ResponseWriter, r *http.Request) {
	form, _ := i.g.classify(r.Host)
	inside := form == api || form == runApp
	if !inside && !i.g.opts.AllowNetwork(hostname(r.Host)) {
		rest.WriteError(w, status.Error(codes.PermissionDenied, hostError(r.Host).Error()))
		return
	}
	var out net.Conn
	if !inside {
		var err error
		if out, err = net.DialTimeout("tcp", r.Host, 30*time.Second); err != nil {
			rest.WriteError(w, status.Errorf(codes.Unavailable, "Cannot reach %s: %v", r.Host, err))
			return
		}
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if out != nil {
			out.Close()
		}
		rest.WriteError(w, status.Error(codes.Unimplemented, "CONNECT needs HTTP/1.1."))
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		conn.Close()
		return
	}
	conn = &bufferedConn{conn, buffered.Reader}
	if out != nil {
		splice(conn, out)
		return
	}
	i.start.Do(func() { go func() { _ = i.server.Serve(i) }() }) // it ends when closed
	select {
	case i.conns <- tls.Server(conn, i.server.TLSConfig):
	case <-i.closed:
		conn.Close()
	}
}

// splice copies both ways until either side ends.
func splice(a, b net.Conn) {
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1]) // either side may end at any time
			pair[0].Close()
			pair[1].Close()
		})
	}
	wg.Wait()
}

// bufferedConn gives back what the server has read ahead of the hijack.
type bufferedConn struct {
	net.Conn
	buffered *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.buffered.Read(p) }

// Accept, Close and Addr make the interceptor the listener of its server.
func (i *interceptor) Accept() (net.Conn, error) {
	select {
	case c := <-i.conns:
		return c, nil
	case <-i.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (i *interceptor) Close() error {
	i.once.Do(func() { close(i.closed) })
	return nil
}

// Addr implements net.Listener.
func (i *interceptor) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (i *interceptor) close() error {
	return errors.Join(i.Close(), i.server.Close())
}
