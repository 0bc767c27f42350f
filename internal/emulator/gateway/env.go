package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// ProcessEnv returns the environment, KEY=value, that lets an unmodified
// program run in this cloud as an account (its email): a metadata server of its
// own, and this gateway as its proxy with the certificates to trust.
//
// A Go program on macOS takes its roots from the system, not from
// SSL_CERT_FILE, so there it cannot use the proxy.
func (g *Gateway) ProcessEnv(account string) ([]string, error) {
	addr, err := g.address()
	if err != nil {
		return nil, err
	}
	ca, err := g.authority()
	if err != nil {
		return nil, err
	}
	metadata, err := g.metadata.address(account, g.opts.Auth.MetadataHandler)
	if err != nil {
		return nil, err
	}
	project, _ := g.opts.Auth.Project()
	gcs, err := filepath.Abs(filepath.Join(g.opts.Dir, "gcs"))
	if err != nil {
		return nil, err
	}
	bundle, err := filepath.Abs(ca.bundle)
	if err != nil {
		return nil, err
	}
	const local = "127.0.0.1,localhost,::1"
	proxy := "http://" + addr
	return []string{
		"GOOGLE_CLOUD_PROJECT=" + project,
		"KAKEHI_GCS_ROOT=" + gcs,
		"GCE_METADATA_HOST=" + metadata,
		"GCE_METADATA_IP=" + metadata, // google-auth for Python looks here first
		"HTTPS_PROXY=" + proxy, "https_proxy=" + proxy,
		"HTTP_PROXY=" + proxy, "http_proxy=" + proxy,
		"NO_PROXY=" + local, "no_proxy=" + local,
		"SSL_CERT_FILE=" + bundle,
		"REQUESTS_CA_BUNDLE=" + bundle,
		"CURL_CA_BUNDLE=" + bundle,
		"NODE_EXTRA_CA_CERTS=" + bundle,
		"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=" + bundle,
	}, nil
}

// metadataServers are the metadata servers of the accounts that workloads run
// as. Clients know theirs by host and port alone, so each has a port.
type metadataServers struct {
	mu     sync.Mutex
	closed bool
	addrs  map[string]string
	open   []*http.Server
}

// address returns where the metadata server of an account listens; it starts
// one when first asked.
func (m *metadataServers) address(account string, handler func(account string) http.Handler) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return "", errors.New("the embedded cloud is closing")
	}
	if addr := m.addrs[account]; addr != "" {
		return addr, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("metadata server of %s: %w", account, err)
	}
	server := &http.Server{
		Handler:           localOnly(handler(account)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	go func() { _ = server.Serve(listener) }() // it ends when closed
	if m.addrs == nil {
		m.addrs = map[string]string{}
	}
	m.addrs[account] = listener.Addr().String()
	m.open = append(m.open, server)
	return m.addrs[account], nil
}

// localOnly refuses a name that a hostile name server gave this machine.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := hostname(r.Host); !isLoopback(host) && host != "metadata.google.internal" {
			rest.WriteError(w, status.Errorf(codes.PermissionDenied, "The metadata server is not %q.", r.Host))
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (m *metadataServers) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var err error
	for _, s := range m.open {
		err = errors.Join(err, s.Close())
	}
	return err
}
