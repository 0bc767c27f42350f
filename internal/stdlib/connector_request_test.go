package stdlib

import (
	"net/url"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/discovery"
	"github.com/kakehi/kakehi/internal/value"
)

// TestEveryMethod builds the request of every method of every API.
func TestEveryMethod(t *testing.T) {
	for _, api := range discovery.APIs() {
		a, _ := discovery.Load(api)
		for method := range a.Names() {
			name := "googleapis." + api + "." + method
			m, ok := methodOf(name)
			if !ok {
				t.Errorf("%s is not found", name)
				continue
			}
			sig := methodSignature(m)
			args := value.NewMap()
			for _, param := range sig.Params[:sig.Required] {
				args.Put(param, value.String("1"))
			}
			for _, p := range m.Params { // of the right type
				if p.Required && p.Type == "boolean" {
					args.Put(p.Name, value.Bool(true))
				}
			}
			call, err := newMethodCall(name, m, args)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			u, err := url.Parse(call.url)
			if err != nil || !googleAPI(u) || strings.ContainsAny(call.url, "{} ") {
				t.Errorf("%s: %s (%v)", name, call.url, err)
			}
			seen := map[string]bool{}
			for _, param := range sig.Params {
				if seen[param] {
					t.Errorf("%s: parameter %s appears twice", name, param)
				}
				seen[param] = true
			}
			if _, ok := waits[m.Wait]; m.Wait != "" && m.Wait != "runs" && !ok {
				t.Errorf("%s: nobody knows how to wait for %q", name, m.Wait)
			}
		}
	}
}

// TestLifecycles compares the states that connectors know with those of the
// APIs: a state that nobody looked at would be waited for.
func TestLifecycles(t *testing.T) {
	compared := map[string]bool{}
	for _, api := range discovery.APIs() {
		a, _ := discovery.Load(api)
		for kind, all := range a.States {
			l, ok := lifecycles[kind]
			if !ok {
				t.Errorf("%s: there is no lifecycle for %q", api, kind)
			}
			compared[kind] = true
			known := map[string]bool{}
			for _, list := range [][]string{l.done, l.failure, l.pending} {
				for _, state := range list {
					known[state] = true
				}
			}
			for _, state := range all {
				if !known[state] {
					t.Errorf("%s: state %s of %q is new", api, state, kind)
				}
				delete(known, state)
			}
			for state := range known {
				t.Errorf("%s: there is no state %s of %q", api, state, kind)
			}
		}
	}
	for kind := range lifecycles {
		if !compared[kind] {
			t.Errorf("no API has resources of kind %q", kind)
		}
	}
}

func TestEscapePath(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"projects/p/databases/(default)", "projects/p/databases/(default)"},
		{"a%2Fb", "a%2Fb"},
		{"100%", "100%25"},
		{"a b?c#d", "a%20b%3Fc%23d"},
		{"é", "%C3%A9"},
		{"x\r\nHost: y", "x%0D%0AHost:%20y"},
	} {
		if got := escapePath(c.in); got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}
