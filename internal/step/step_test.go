package step

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type sum struct{ A, B int }

func TestJSON(t *testing.T) {
	add := JSON(func(_ context.Context, r *sum) (map[string]int, error) {
		switch r.A {
		case 1:
			return nil, Refused("A is %d", r.A)
		case 2:
			return nil, errors.New("our fault")
		case 3:
			return nil, &os.PathError{Op: "open", Path: "x", Err: os.ErrNotExist}
		case 4:
			return nil, Unavailable("later")
		case 5:
			return nil, Denied("no")
		}
		return map[string]int{"sum": r.A + r.B}, nil
	})
	for _, tt := range []struct {
		method, body string
		code         int
		want         string
	}{
		{"POST", `{"A":40,"B":2}`, 200, `{"sum":42}`},
		{"GET", ``, 405, `{"error":{"code":405,"message":"method GET is not allowed; use POST","status":"UNIMPLEMENTED"}}`},
		{"POST", `{"A":"x"}`, 400, `"status":"INVALID_ARGUMENT"`},
		{"POST", ``, 400, `"status":"INVALID_ARGUMENT"`},
		{"POST", `{} {}`, 400, `text after the JSON value`},
		{"POST", `{"C":"` + strings.Repeat("x", maxBody) + `"}`, 413, `larger than 1048576 bytes`},
		{"POST", `{"A":1}`, 422, `{"error":{"code":422,"message":"A is 1","status":"FAILED_PRECONDITION"}}`},
		{"POST", `{"A":2}`, 500, `"status":"INTERNAL"`},
		{"POST", `{"A":3}`, 404, `"status":"NOT_FOUND"`},
		{"POST", `{"A":4}`, 503, `"status":"UNAVAILABLE"`},
		{"POST", `{"A":5}`, 403, `"status":"PERMISSION_DENIED"`},
	} {
		w := httptest.NewRecorder()
		add(w, httptest.NewRequest(tt.method, "/", strings.NewReader(tt.body)))
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %.40s: %d %s, want %d %s", tt.method, tt.body, w.Code, w.Body, tt.code, tt.want)
		}
	}
}

func TestContentType(t *testing.T) {
	add := JSON(func(_ context.Context, r *sum) (int, error) { return r.A + r.B, nil })
	for kind, want := range map[string]int{
		"": 200, "application/json": 200, "application/json; charset=utf-8": 200, "application/cloudevents+json": 200,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "application/": 415,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"A":1}`))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		add(w, r)
		if w.Code != want || want == 415 && !strings.Contains(w.Body.String(), "is not application/json") {
			t.Errorf("%q: %d %s", kind, w.Code, w.Body)
		}
	}
}

// A client that reads only when it has sent all sees the answer, too.
func TestLargeBodyIsAnswered(t *testing.T) {
	server := httptest.NewServer(JSON(func(context.Context, *sum) (int, error) { return 0, nil }))
	defer server.Close()
	for body, want := range map[string]int{
		`{"C":"` + strings.Repeat("x", 16<<20) + `"}`: 413,
		strings.Repeat("x", 16<<20):                   400,
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatalf("%.10s: %v", body, err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%.10s: %v, %v", body, resp, err)
		}
	}
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := Drain(t.Context()); err != nil {
			t.Errorf("idle: %v", err)
		}
		slow := JSON(func(context.Context, *sum) (int, error) { time.Sleep(5 * time.Second); return 0, nil })
		go slow(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")))
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Drain(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while a request runs: %v", err)
		}
		began := time.Now()
		if err := Drain(t.Context()); err != nil || time.Since(began) != 4*time.Second {
			t.Errorf("%v after %s, want 4s", err, time.Since(began))
		}
	})
}
