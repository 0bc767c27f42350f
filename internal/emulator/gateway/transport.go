package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Transport carries HTTP calls of workloads: to this cloud's hosts in process,
// without a socket, and to other hosts only if AllowNetwork has them.
func (g *Gateway) Transport() http.RoundTripper {
	outside := http.DefaultTransport.(*http.Transport).Clone()
	outside.Proxy = nil
	return transport{g, outside}
}

type transport struct {
	g       *Gateway
	outside http.RoundTripper
}

// hostError says that a host is outside and not allowed.
func hostError(host string) error {
	host = hostname(host)
	return fmt.Errorf("no connection to %s: it is not part of the embedded cloud; --allow-host %s lets workloads reach it", host, host)
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" || r.URL.Scheme == "http" {
		if form, _ := t.g.classify(r.URL.Host); form == api || form == runApp {
			return t.inside(r)
		}
	}
	if !t.g.opts.AllowNetwork(hostname(r.URL.Host)) {
		if r.URL.Scheme == "https" && strings.HasSuffix(hostname(r.URL.Host), ".googleapis.com") {
			return t.inside(r) // an API that this cloud does not have says so itself
		}
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, hostError(r.URL.Host)
	}
	return t.outside.RoundTrip(r)
}

// inside serves a request as if it had come over the network: nothing of the
// caller but its cancellation passes.
func (t transport) inside(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(r.Context(), cancel)
	in := r.Clone(ctx)
	in.Host = r.Host
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RequestURI = r.URL.RequestURI()
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RemoteAddr = "127.0.0.1:0"
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{ServerName: hostname(in.Host), HandshakeComplete: true}
	}
	in.URL.Scheme, in.URL.Host = "", ""
	if in.URL.Path == "" {
		in.URL.Path = "/"
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	w := &pipeWriter{request: r, header: http.Header{}, body: writer, ready: make(chan *http.Response, 1)}
	w.reader = &cancelBody{ReadCloser: reader, cancel: func() { stop(); cancel() }}
	go func() {
		defer in.Body.Close()
		w.finish(serveCaught(t.g, w, in))
	}()
	select {
	case resp := <-w.ready:
		if resp == nil {
			cancel()
			return nil, fmt.Errorf("%s: the connection was closed before an answer", hostname(in.Host))
		}
		return resp, nil
	case <-r.Context().Done():
		cancel()
		reader.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
}

// serveCaught serves a request and returns what it panicked with, if anything.
func serveCaught(g *Gateway, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = io.ErrUnexpectedEOF
		default:
			refuse(w, r, panicError(p))
		}
	}()
	g.serve(w, r, false)
	return nil
}

type cancelBody struct {
	io.ReadCloser
	cancel func()
}

func (b *cancelBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}

// pipeWriter is a ResponseWriter whose response is read while it is written.
type pipeWriter struct {
	request *http.Request
	header  http.Header
	body    *io.PipeWriter
	reader  io.ReadCloser
	ready   chan *http.Response // gets the response once its header is complete; nil if it never is
	once    sync.Once
}

var _ http.Flusher = (*pipeWriter)(nil)

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(code int) {
	if code >= 100 && code < 200 {
		return // informational: the answer is still to come
	}
	w.once.Do(func() { w.ready <- w.response(code) })
}

func (w *pipeWriter) response(code int) *http.Response {
	h := w.header.Clone()
	if h.Get("Date") == "" {
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	resp := &http.Response{
		StatusCode: code,
		Status:     strconv.Itoa(code) + " " + http.StatusText(code),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        h,
		Body:          w.reader,
		ContentLength: -1,
		Request:       w.request,
	}
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		resp.ContentLength = n
	}
	return resp
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	if len(w.header["Content-Type"]) == 0 && len(p) > 0 {
		w.header.Set("Content-Type", http.DetectContentType(p))
	}
	w.WriteHeader(http.StatusOK)
	if w.request.Method == http.MethodHead {
		return len(p), nil
	}
	n, err := w.body.Write(p)
	if errors.Is(err, io.ErrClosedPipe) {
		err = fmt.Errorf("the client hung up: %w", err)
	}
	return n, err
}

// Flush sends the header; what is written needs no flushing.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }

// finish ends the answer; err breaks it off.
func (w *pipeWriter) finish(err error) {
	if err != nil {
		w.once.Do(func() { w.ready <- nil })
		w.body.CloseWithError(err)
		return
	}
	w.WriteHeader(http.StatusOK)
	w.body.Close()
}
