package stdlib

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

//go:embed connectors.json
var connectorsJSON []byte

// method is an API method that a connector calls. Where the data comes from,
// and of which date, stands in connectors.json.
type method struct {
	Verb string `json:"verb"`
	Base string `json:"base"` // that of the service if empty
	Path string `json:"path"` // with parameters in braces
	// Wait is how the connector waits: for an operation, for a job, or "" not
	// at all.
	Wait string `json:"wait"`
}

// methods of connectors by their name, such as
// googleapis.pubsub.v1.projects.topics.publish.
var connectors = func() map[string]method {
	var data struct {
		Services map[string]struct {
			Base    string            `json:"base"`
			Methods map[string]method `json:"methods"`
		} `json:"services"`
	}
	if err := json.Unmarshal(connectorsJSON, &data); err != nil {
		panic(fmt.Sprintf("stdlib: embedded connectors.json: %v", err)) // a test reads it
	}
	all := map[string]method{}
	for service, s := range data.Services {
		for name, m := range s.Methods {
			if m.Base == "" {
				m.Base = s.Base
			}
			all["googleapis."+service+"."+name] = m
		}
	}
	return all
}()

// Connectors lists the names of the emulated connectors, sorted.
func Connectors() []string {
	names := sortedKeys(connectors)
	for _, e := range entries {
		if e.Func.Connector {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names
}

// connector returns the function of a connector. It exists for any name under
// googleapis, but fails where the method is not emulated.
func connector(name string) (*interp.Func, bool) {
	if !strings.HasPrefix(name, "googleapis.") {
		return nil, false
	}
	m, ok := connectors[name]
	start := func(c *interp.Context, args []value.Value) interp.Next {
		if !ok {
			return interp.Fail(value.Errorf(value.ValueError, "connector %s is not emulated: call the API with http.* and auth: {type: OAuth2}", name))
		}
		return callMethod(c, name, m, args[0].(*value.Map))
	}
	return &interp.Func{Named: true, Connector: true, Start: start}, true
}

// selectors are arguments of connectors that choose the host; they are no
// parameters of the method.
var selectors = []string{"region", "location", "body", "connector_params"}

func callMethod(c *interp.Context, name string, m method, args *value.Map) interp.Next {
	base, err := fill(m.Base, args)
	if err != nil {
		return interp.Fail(err)
	}
	path, err := fill(m.Path, args)
	if err != nil {
		return interp.Fail(err)
	}
	query := value.NewMap()
	for k, v := range args.All() {
		if !slices.Contains(selectors, k.String()) && !strings.Contains(m.Base+m.Path, "{"+k.String()+"}") {
			query.PutKey(k, v)
		}
	}
	encoded, err := encodeQuery(flatten(query))
	if err != nil {
		return interp.Fail(err)
	}
	target := base + path
	if encoded != "" {
		target += "?" + encoded
	}
	if _, err := url.Parse(target); err != nil {
		return interp.Fail(value.Errorf(value.ValueError, "%s: %v", name, err))
	}
	k, err := newConversation(c, m.Wait != "", args)
	if err != nil {
		return interp.Fail(err)
	}
	header := http.Header{"User-Agent": {userAgent}}
	body, _ := args.Get("body")
	payload, err := connectorBody(body, query, header)
	if err != nil {
		return interp.Fail(err)
	}
	return k.send(m.Verb, target, header, payload, func(v value.Value) interp.Next {
		if m.Wait == "" || k.skipPolling {
			return interp.Done(v)
		}
		return k.poll(base, v, waits[m.Wait])
	})
}

// fill puts arguments in the place of {parameters}. They may hold slashes, as
// resource names do; names of Storage objects come URL-encoded already.
func fill(template string, args *value.Map) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		template = after
		v, ok := args.Get(name)
		if !ok {
			return "", value.Errorf(value.TypeError, "missing argument '%s'", name)
		}
		s, err := textArg(v, name)
		if err != nil {
			return "", err
		}
		if s == "" || strings.ContainsAny(s, "?# \r\n") || strings.Contains(s, "..") {
			return "", value.Errorf(value.ValueError, "argument '%s' is no resource name: %q", name, s)
		}
		b.WriteString(s)
	}
}

// flatten writes maps among query parameters, such as updateMask, as the JSON
// mapping of their protobuf type does: a field mask is a list of paths.
func flatten(query *value.Map) *value.Map {
	out := value.NewMap()
	for k, v := range query.All() {
		if m, ok := v.(*value.Map); ok {
			if paths, ok := m.Get("fieldPaths"); ok {
				v = paths
			}
			if l, ok := v.(*value.List); ok {
				v = joined(l)
			}
		}
		out.PutKey(k, v)
	}
	return out
}

func joined(l *value.List) value.Value {
	parts := make([]string, l.Len())
	for i, item := range l.Items() {
		parts[i], _ = interp.Text(item)
	}
	return value.String(strings.Join(parts, ","))
}

// connectorBody encodes a body as JSON, but for the media of an upload, which
// goes out as it is.
func connectorBody(body value.Value, query *value.Map, h http.Header) ([]byte, error) {
	upload, _ := query.Get("uploadType")
	if s, ok := body.(value.String); ok && upload == value.Value(value.String("media")) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		return []byte(s), nil
	}
	return encodeBody(body, h)
}
