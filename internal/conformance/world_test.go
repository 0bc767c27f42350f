package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// world is what surrounds an execution: virtual time, a log, and a network
// that has one HTTP server, whatever the host, and the callback endpoints.
type world struct {
	sentence *sentence
	clock    *interp.VirtualClock
	start    time.Time
	server   *httptest.Server
	deployed *interp.Execution
	started  chan struct{} // closed once deployed is set

	mu       sync.Mutex
	logs     []string
	requests []string
	failures map[string]int // of /flaky, by path
}

func newWorld(t *testing.T, s *sentence) *world {
	w := &world{sentence: s, start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), started: make(chan struct{}), failures: map[string]int{}}
	w.clock = interp.NewVirtualClock(w.start)
	if strings.Contains(s.source, "http.") || strings.Contains(s.source, "googleapis.") {
		w.server = httptest.NewServer(http.HandlerFunc(w.serve))
		t.Cleanup(w.server.Close)
	}
	return w
}

func (w *world) passed() time.Duration { return w.clock.Now().Sub(w.start) }

// run runs a program; the seed chooses how branches interleave.
func (w *world) run(p *interp.Program, seed int64) interp.Outcome {
	var arg value.Value = value.Null{}
	if w.sentence.arg != "" {
		var err error
		if arg, err = value.FromJSON([]byte(w.sentence.arg)); err != nil {
			return interp.Outcome{State: interp.Active, Cause: err}
		}
	}
	env := map[string]string{"GOOGLE_CLOUD_PROJECT_ID": "my-project", "GOOGLE_CLOUD_LOCATION": "us-central1"}
	for _, pair := range w.sentence.env {
		k, v, _ := strings.Cut(pair, "=")
		env[k] = v
	}
	w.deployed = p.Start(context.Background(), arg, interp.Config{
		HTTP: w, Tokens: w, Clock: w.clock, Seed: seed, Env: env, Log: w.log,
		CallbackURL: func(n int) string { return fmt.Sprintf("https://callbacks.example/%d", n) },
	})
	close(w.started)
	return w.deployed.Wait()
}

func (w *world) log(e interp.LogEntry) {
	text := e.Text
	if e.JSON != nil {
		text = string(value.MustJSON(e.JSON))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = append(w.logs, e.Severity+" "+text)
}

// AccessToken implements interp.Tokens: the token tells what it is for.
func (w *world) AccessToken(_ context.Context, scopes []string) (string, error) {
	return "access:" + strings.Join(scopes, "|"), nil
}

// IDToken implements interp.Tokens.
func (w *world) IDToken(_ context.Context, audience string) (string, error) {
	return "id:" + audience, nil
}

// RoundTrip sends a request to the server, whatever its host; but nothing
// listens on down.example, and calls of callbacks go to the execution.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.URL.Host {
	case "down.example":
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: r.URL.Host, IsNotFound: true}}
	case "callbacks.example":
		return w.callBack(r)
	}
	to, err := url.Parse(w.server.URL)
	if err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.Header.Set("X-Url", r.URL.String())
	out.URL.Scheme, out.URL.Host = to.Scheme, to.Host
	return http.DefaultTransport.RoundTrip(out)
}

func (w *world) callBack(r *http.Request) (*http.Response, error) {
	<-w.started
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	err = w.deployed.Callback(strings.TrimPrefix(r.URL.Path, "/"), interp.CallbackRequest{
		Method: r.Method, URL: r.URL.String(), Query: r.URL.Query(), Header: r.Header, Body: body,
	})
	switch err {
	case nil:
	case interp.ErrCallbackNotFound:
		status = http.StatusNotFound
	case interp.ErrCallbackBusy:
		status = http.StatusTooManyRequests
	case interp.ErrCallbackMethod:
		status = http.StatusMethodNotAllowed
	default:
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// serve is the server. The path says what it does:
//
//	/echo           tells the request as JSON
//	/flaky/CODE/N   fails N times with CODE, then succeeds
//	/status/CODE    answers with the code and a JSON body
//	/reset          breaks the connection
//	/hang           does not answer
//	/as/TYPE?body=  answers with a body of a type, "." for "/" in it
//	/redirect       to /echo
//	/large          more than a response may have
//	/endless        an answer that never ends
//	/text/N         a text of N bytes
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.requests = append(w.requests, r.Method+" "+r.URL.RequestURI())
	w.mu.Unlock()
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	code := http.StatusOK
	if len(part) > 1 {
		if n, err := strconv.Atoi(part[1]); err == nil {
			code = n
		}
	}
	switch part[0] {
	case "flaky":
		times, _ := strconv.Atoi(part[2])
		w.mu.Lock()
		w.failures[r.URL.Path]++
		failed := w.failures[r.URL.Path]
		w.mu.Unlock()
		if failed > times {
			code = http.StatusOK
		}
		reply(rw, code, map[string]int{"attempt": failed})
	case "status":
		reply(rw, code, map[string]int{"status": code})
	case "reset":
		panic(http.ErrAbortHandler)
	case "hang":
		<-r.Context().Done()
	case "as":
		if kind := strings.ReplaceAll(part[1], ".", "/"); kind != "" {
			rw.Header().Set("Content-Type", kind)
		} else {
			rw.Header()["Content-Type"] = nil
		}
		io.WriteString(rw, r.URL.Query().Get("body"))
	case "headers":
		rw.Header()["X-Twice"] = []string{"one", "two"}
		reply(rw, code, nil)
	case "redirect":
		http.Redirect(rw, r, "/echo", http.StatusFound)
	case "text":
		rw.Header().Set("Content-Type", "text/plain")
		rw.Write(bytes.Repeat([]byte("x"), code))
	case "endless":
		for r.Context().Err() == nil {
			rw.Write(make([]byte, 64<<10))
		}
	case "large":
		rw.Write(make([]byte, 3<<20))
	default:
		w.echo(rw, r)
	}
}

func (w *world) echo(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	reply(rw, http.StatusOK, map[string]any{
		"method": r.Method, "url": r.Header.Get("X-Url"), "body": string(body),
		"type": r.Header.Get("Content-Type"), "auth": r.Header.Get("Authorization"), "agent": r.UserAgent(), "x": r.Header.Get("X-Test"),
	})
}

func reply(rw http.ResponseWriter, code int, body any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	json.NewEncoder(rw).Encode(body)
}
