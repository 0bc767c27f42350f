package interp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/kakehi/kakehi/internal/value"
)

// Library returns a function or named value of the standard library by its
// dotted name.
type Library func(name string) (*Func, bool)

// Func is an entry of a [Library]. Exactly one of Value, Eval and Start is set.
type Func struct {
	// Params names the parameters in positional order; the first Required
	// ones must be given. An argument that was not given is nil.
	Params   []string
	Required int
	// Named functions take arguments of any name, as one *value.Map.
	Named bool
	// Free functions do not count as steps.
	Free bool
	// Connector marks the functions that step history calls connector calls.
	Connector bool

	// Value makes the name stand for a value, such as http.default_retry.
	Value value.Value
	// Eval computes at once.
	Eval func(c *Context, args []value.Value) (value.Value, error)
	// Start begins a function that waits for the outside world.
	Start func(c *Context, args []value.Value) Next
}

// Next is what a waiting function does next: it asks for Effect and goes on
// with Then, or, where Effect is nil, ends with Value or Err. Then runs on the
// scheduler and must depend on nothing but its input and what was computed
// before, so that a replay takes the same way.
type Next struct {
	Effect Effect
	Then   func(Result) Next
	Value  value.Value
	Err    error
}

// Done ends a function with a value.
func Done(v value.Value) Next { return Next{Value: v} }

// Fail ends a function with an error: a *value.Error, or one that becomes a
// SystemError.
func Fail(err error) Next { return Next{Err: err} }

// Do asks for an effect.
func Do(e Effect, then func(Result) Next) Next { return Next{Effect: e, Then: then} }

// Effect is something asked of the outside world: *Request, Sleep or Await, or
// the answer of a stub.
type Effect interface{ effect() }

// Request is an HTTP request. Credentials are added when it is sent; they are
// not journaled.
type Request struct {
	Method  string
	URL     string
	Header  http.Header
	Body    []byte
	Timeout time.Duration
	Auth    *Auth
}

// Auth says which token of the workflow's service account to attach: an ID
// token when Audience is set, else an access token for Scopes.
type Auth struct {
	Audience string
	Scopes   []string
}

// Sleep waits for a duration, or until a time if that is set.
type Sleep struct {
	For   time.Duration
	Until time.Time
}

// Await waits for a call of a callback endpoint of this execution.
type Await struct {
	URL     string
	Timeout time.Duration
}

func (*Request) effect() {}
func (Sleep) effect()    {}
func (Await) effect()    {}

// digest identifies what the method and the URL leave out of a request.
func (r *Request) digest() string {
	data, err := json.Marshal(struct {
		Header http.Header
		Body   []byte
		Auth   *Auth
	}{r.Header, r.Body, r.Auth})
	if err != nil {
		panic(err) // strings and bytes marshal
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// Result is what an effect brought.
type Result struct {
	At       time.Time        // when it came
	Response *Response        // of a Request
	Callback *CallbackRequest // of an Await
	Value    value.Value      // of a call that a stub answered
	Err      *value.Error     // instead of them
}

// Response is the answer to a Request, whatever its status.
type Response struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}

// CallbackRequest is a call of a callback endpoint.
type CallbackRequest struct {
	Method string      `json:"method"`
	URL    string      `json:"url,omitempty"`
	Query  url.Values  `json:"query,omitempty"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}
