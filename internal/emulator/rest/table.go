// Package rest serves gRPC services as Google's REST APIs: paths, queries and
// bodies by the google.api.http annotations of their descriptors, Google's JSON
// and Google's errors. The service's own methods are called directly, without a
// connection between.
//
// connectrpc.com/vanguard does the same by translating to gRPC frames. Its update
// masks in snake case, its errors before a method is found, its parameters and
// the paths of unknown fields would each have needed work around it.
package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Table routes requests to the methods of services. It is complete before it
// serves; then it may be used concurrently.
type Table struct {
	// Intercept, if set, surrounds each call.
	Intercept grpc.UnaryServerInterceptor

	methods map[protoreflect.FullName]*method
	routes  map[routeKey][]*route
	hosts   map[string]bool
}

// routeKey is what routes are looked up by before their paths are compared.
type routeKey struct{ method, verb string }

// method is a method of a registered service.
type method struct {
	desc  protoreflect.MethodDescriptor
	host  string // of the API, such as run.googleapis.com; "" for any
	impl  any
	call  grpc.MethodHandler // nil for a stream
	input protoreflect.MessageType
}

// route is one way to reach a method.
type route struct {
	template
	*method
	body     string                           // "*", a field, or ""
	response protoreflect.FieldDescriptor     // the part of the response that is sent; nil for all
	fields   [][]protoreflect.FieldDescriptor // of the template's variables
}

var _ grpc.ServiceRegistrar = (*Table)(nil)

// RegisterService adds a service with the routes of its annotations. Like
// grpc.Server's, it panics if the service cannot be served: that is a mistake
// of the program.
func (t *Table) RegisterService(sd *grpc.ServiceDesc, impl any) {
	if err := t.register(sd, impl); err != nil {
		panic(fmt.Sprintf("rest: register %s: %v", sd.ServiceName, err))
	}
}

func (t *Table) register(sd *grpc.ServiceDesc, impl any) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(sd.ServiceName))
	if err != nil {
		return err
	}
	service := found.(protoreflect.ServiceDescriptor)
	if t.methods == nil {
		t.methods, t.routes, t.hosts = map[protoreflect.FullName]*method{}, map[routeKey][]*route{}, map[string]bool{}
	}
	host := hostOf(service)
	t.hosts[host] = host != ""
	calls := map[string]grpc.MethodHandler{}
	for _, m := range sd.Methods {
		calls[m.MethodName] = m.Handler
	}
	for i := range service.Methods().Len() {
		desc := service.Methods().Get(i)
		input, err := protoregistry.GlobalTypes.FindMessageByName(desc.Input().FullName())
		if err != nil {
			return err
		}
		m := &method{desc: desc, host: host, impl: impl, call: calls[string(desc.Name())], input: input}
		t.methods[desc.FullName()] = m
		if rule, ok := proto.GetExtension(desc.Options(), annotations.E_Http).(*annotations.HttpRule); ok && rule != nil {
			if err := t.add(m, rule); err != nil {
				return fmt.Errorf("%s: %w", desc.Name(), err)
			}
		}
	}
	return nil
}

// mixins are services that every API offers on its own host.
var mixins = []protoreflect.FullName{"google.longrunning.Operations", "google.cloud.location.Locations", "google.iam.v1.IAMPolicy"}

func hostOf(service protoreflect.ServiceDescriptor) string {
	if slices.Contains(mixins, service.FullName()) {
		return ""
	}
	host, _ := proto.GetExtension(service.Options(), annotations.E_DefaultHost).(string)
	host, _, _ = strings.Cut(host, ":")
	return host
}

// Bind adds routes to a registered method, such as
// google.longrunning.Operations.GetOperation: the ones that an API's service
// configuration adds to its annotations.
func (t *Table) Bind(name protoreflect.FullName, rules ...*annotations.HttpRule) error {
	m := t.methods[name]
	if m == nil {
		return fmt.Errorf("bind %s: no such method is registered", name)
	}
	for _, rule := range rules {
		if err := t.add(m, rule); err != nil {
			return fmt.Errorf("bind %s: %w", name, err)
		}
	}
	return nil
}

func (t *Table) add(m *method, rule *annotations.HttpRule) error {
	r, err := newRoute(m, rule)
	if err != nil {
		return err
	}
	key := routeKey{methodOf(rule), r.verb}
	routes := append(t.routes[key], r)
	slices.SortStableFunc(routes, func(a, b *route) int { return a.compare(&b.template) })
	t.routes[key] = routes
	for _, more := range rule.AdditionalBindings {
		if err := t.add(m, more); err != nil {
			return err
		}
	}
	return nil
}

func newRoute(m *method, rule *annotations.HttpRule) (*route, error) {
	path, err := parseTemplate(pathOf(rule))
	if err != nil {
		return nil, err
	}
	r := &route{template: path, method: m, body: rule.Body}
	for _, v := range path.vars {
		fields, err := resolve(m.desc.Input(), v.field)
		if err != nil {
			return nil, err
		}
		r.fields = append(r.fields, fields)
	}
	if rule.ResponseBody != "" {
		r.response = m.desc.Output().Fields().ByName(protoreflect.Name(rule.ResponseBody))
		if r.response == nil || r.response.Message() == nil || r.response.IsList() || r.response.IsMap() {
			return nil, fmt.Errorf("response body %q is not a message", rule.ResponseBody)
		}
	}
	return r, nil
}

func methodOf(rule *annotations.HttpRule) string {
	switch p := rule.Pattern.(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet
	case *annotations.HttpRule_Put:
		return http.MethodPut
	case *annotations.HttpRule_Post:
		return http.MethodPost
	case *annotations.HttpRule_Delete:
		return http.MethodDelete
	case *annotations.HttpRule_Patch:
		return http.MethodPatch
	case *annotations.HttpRule_Custom:
		return p.Custom.Kind
	}
	return ""
}

func pathOf(rule *annotations.HttpRule) string {
	if c := rule.GetCustom(); c != nil {
		return c.Path
	}
	return rule.GetGet() + rule.GetPut() + rule.GetPost() + rule.GetDelete() + rule.GetPatch() // one of them is set
}

// match is a route that fits a request.
type match struct {
	*route
	path []string // escaped segments, without the verb
}

// find returns the route of a request to an API's host; host "" stands for
// every API.
func (t *Table) find(host, httpMethod, escapedPath string) (match, bool) {
	path := strings.Split(strings.TrimPrefix(escapedPath, "/"), "/")
	last := len(path) - 1
	if i := strings.LastIndexByte(path[last], ':'); i >= 0 {
		plain := slices.Clone(path)
		plain[last] = path[last][:i]
		if m, ok := t.lookup(routeKey{httpMethod, path[last][i+1:]}, host, plain); ok {
			return m, true
		}
	}
	return t.lookup(routeKey{httpMethod, ""}, host, path)
}

func (t *Table) lookup(key routeKey, host string, path []string) (match, bool) {
	for _, r := range t.routes[key] {
		if (host == "" || r.host == "" || r.host == host) && r.match(path) {
			return match{r, path}, true
		}
	}
	return match{}, false
}

// Serve answers a request to an API's host, such as run.googleapis.com; host ""
// stands for every API. It returns false, and has written nothing, if no method
// has such a path.
func (t *Table) Serve(w http.ResponseWriter, r *http.Request, host string) bool {
	m, ok := t.find(host, r.Method, r.URL.EscapedPath())
	if !ok {
		return false
	}
	m.serve(w, r, t.Intercept)
	return true
}

// Serves says whether a registered service has an API's host.
func (t *Table) Serves(host string) bool { return t.hosts[host] }

func (m match) serve(w http.ResponseWriter, r *http.Request, intercept grpc.UnaryServerInterceptor) {
	q := r.URL.Query()
	if m.call == nil {
		WriteError(w, unimplemented(m.desc))
		return
	}
	decode := func(in any) error { return m.decode(r, q, in.(proto.Message)) }
	out, err := m.call(m.impl, r.Context(), decode, intercept)
	if err != nil {
		WriteError(w, err)
		return
	}
	m.answer(w, q, out.(proto.Message))
}
