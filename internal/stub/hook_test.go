package stub

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// caught calls a.b and returns what came of it.
const caught = `
main:
  steps:
    - a:
        try: {call: a.b, args: {n: 1}, result: r}
        except: {as: e, steps: [{x: {return: "${e}"}}]}
    - r: {return: ["${r}"]}
`

// TestPrograms runs handlers that are programs, as gcw-emulator's users have
// them.
func TestPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the handlers are shell scripts")
	}
	for _, c := range []struct{ name, script, want string }{
		{"the call as it arrives", `echo "{\"argv\": \"$1\", \"env\": \"$GCW_CONNECTOR\", \"in\": $(cat)}"`,
			`[{"argv":"a.b","env":"a.b","in":{"connector":"a.b","args":{"n":1}}}]`},
		{"no output", `cat >/dev/null`, `[null]`},
		{"an error with all parts", `echo '{"message": "exists", "code": 409, "tags": ["HttpError"]}' >&2; exit 1`,
			`{"message":"exists","tags":["HttpError"],"code":409,"connector":"a.b"}`},
		{"an error with a message alone", `echo '{"message": "no"}' >&2; exit 1`,
			`{"message":"no","tags":["ConnectorHookError"],"connector":"a.b"}`},
		{"an error in plain text", `echo broke >&2; exit 3`,
			`{"message":"the handler of a.b ended with status 3: broke","tags":["ConnectorHookError"],"connector":"a.b"}`},
		{"no JSON", `echo nonsense`,
			`{"message":"the handler of a.b returned what is no JSON: invalid JSON at byte 0: expected a value, found 'n'","tags":["ConnectorHookError"],"connector":"a.b"}`},
		{"too much", `head -c 3000000 /dev/zero`,
			`{"message":"the handler of a.b returned more than 2097152 bytes","tags":["ConnectorHookError","ResultSizeLimitExceededError"],"connector":"a.b"}`},
		{"too slow", `sleep 100 & sleep 100`,
			`{"message":"the handler of a.b took longer than 200ms","tags":["TimeoutError","ConnectorHookError"],"connector":"a.b"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "h.sh"), []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			timeout := ""
			if c.name == "too slow" {
				timeout = ", timeout: 200ms"
			}
			f, warnings, err := Parse(filepath.Join(dir, "hooks.yaml"), []byte("connectors:\n  a.b: {exec: ./h.sh"+timeout+"}\n"))
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			if got := run(t, caught, f); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	got := run(t, caught, parse(t, "connectors: {a.b: {exec: /nowhere}}"))
	if !strings.Contains(got, `cannot run`) || !strings.Contains(got, `"tags":["ConnectorHookError","SystemError"]`) {
		t.Errorf("no such program: %s", got)
	}
}

func TestEndpoints(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/ok":
			fmt.Fprintf(w, `{"method": %q, "type": %q, "connector": %q, "body": %s}`, r.Method, r.Header.Get("Content-Type"), r.Header.Get("X-GCW-Connector"), body)
		case "/conflict":
			w.WriteHeader(409)
			io.WriteString(w, `{"message": "conflict", "tags": ["HttpError"]}`)
		case "/broken":
			w.WriteHeader(500)
			io.WriteString(w, "kaboom")
		}
	}))
	defer server.Close()
	t.Setenv("HANDLERS", server.URL)
	for path, want := range map[string]string{
		"/ok":       `[{"method":"POST","type":"application/json","connector":"a.b","body":{"connector":"a.b","args":{"n":1}}}]`,
		"/empty":    `[null]`,
		"/conflict": `{"message":"conflict","tags":["HttpError"],"code":409,"connector":"a.b"}`,
		"/broken":   `{"message":"the handler of a.b answered with status 500: kaboom","tags":["ConnectorHookError"],"code":500,"connector":"a.b"}`,
	} {
		if got := run(t, caught, parse(t, `connectors: {a.b: {http: "$HANDLERS`+path+`"}}`)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
		}
	}
	server.Close()
	got := run(t, caught, parse(t, `connectors: {a.b: {http: "${HANDLERS}"}}`))
	if !strings.Contains(got, `"tags":["ConnectionFailedError"],"connector":"a.b"`) {
		t.Errorf("nobody listens: %s", got)
	}
}

// TestHookFile reads what gcw-emulator reads: it passes over unknown keys. A
// call without arguments has null, and a handler may stand for a function of
// the library.
func TestHookFile(t *testing.T) {
	f, warnings, err := Parse("hooks.yaml", []byte("version: 2\nconnectors:\n  http.get: {http: 'http://127.0.0.1:1', retries: 3}\n  sys.get_env: {exec: cat}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 3 || warnings[0].Pos.Line != 1 || warnings[1].Pos.Line != 3 || !strings.Contains(warnings[2].Message, "sys.get_env computes at once") {
		t.Errorf("warnings: %v", warnings)
	}
	if got := run(t, "- a: {call: http.get, args: {url: 'https://example.com'}}", f); !strings.Contains(got, "ConnectionFailedError") {
		t.Errorf("the handler of http.get was not asked: %s", got)
	}
	if p := f.hooks[1].exec; !filepath.IsAbs(p) || filepath.Base(p) != "cat" {
		t.Errorf("a program beside the file: %q", f.hooks[1].exec)
	}
}
