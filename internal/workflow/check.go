package workflow

import (
	"fmt"
	"sort"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// Signature describes a function of the standard library.
type Signature struct {
	// Params names the parameters in positional order; the first Required
	// ones must be given.
	Params   []string
	Required int
	// Blocking functions wait for the outside world and may only be the
	// target of a call step.
	Blocking bool
	// Named functions take arguments of any name.
	Named bool
	// Value marks a name that stands for a value and cannot be called, such
	// as http.default_retry.
	Value bool
	// Connector marks a function that calls a method of an API. What is wrong
	// with its arguments is a warning: the API decides.
	Connector bool
	// Scopes are the OAuth2 scopes of which the method asks for one; none if
	// they are not known.
	Scopes []string
}

// CheckOptions says what Check knows about the definition's surroundings.
type CheckOptions struct {
	// Functions returns the signature of a standard library function or
	// connector by its dotted name. When it is nil, functions are not checked.
	// A connector (googleapis.…) that it does not know is a warning only.
	Functions func(name string) (Signature, bool)
	// FunctionNames lists what Functions knows, without connectors, for "did
	// you mean".
	FunctionNames []string
	// Connectors lists connectors that an unknown one may stand for; nil lists
	// none.
	Connectors func(unknown string) []string
	// Source is the text that was parsed, for the limit on its size. It may
	// be nil.
	Source []byte
	// Limits to apply; nil means DefaultLimits.
	Limits *Limits
}

// Check applies the checks that Cloud Workflows makes when a definition is
// deployed, and returns every finding, sorted. Errors would be refused by the
// service; warnings are deployable but surely not meant.
//
// Names are resolved without regard to the order of steps, as the service
// does: a variable that is assigned anywhere in a scope is known in all of it.
func Check(f *File, o CheckOptions) diag.List {
	c := &checker{options: o, subs: make(map[string]*Workflow)}
	if o.Limits != nil {
		c.limits = *o.Limits
	} else {
		c.limits = DefaultLimits()
	}
	if len(o.Source) > c.limits.SourceBytes {
		// The rest is left out: it may take long for a source of any size.
		c.found.Errorf(diag.Pos{File: f.Name, Line: 1, Col: 1}, "limit",
			"the source is %d bytes long; the limit is %d", len(o.Source), c.limits.SourceBytes)
		return c.found
	}
	for _, w := range f.Workflows {
		c.subs[w.Name] = w
	}
	for _, w := range f.Workflows {
		c.workflow(w)
	}
	c.found.Sort()
	return c.found
}

// checker holds what is common to all workflows of a definition.
type checker struct {
	options CheckOptions
	limits  Limits
	subs    map[string]*Workflow
	found   diag.List
}

// subNames returns the names of the workflows, sorted.
func (c *checker) subNames() []string {
	names := make([]string, 0, len(c.subs))
	for name := range c.subs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// suggest looks for what a misspelt name may mean among names. It gives up
// after many findings: the search is slow, and then not typing is to blame.
func (c *checker) suggest(name string, names func() []string) string {
	if len(c.found) > 100 {
		return ""
	}
	return diag.DidYouMean(name, names())
}

// routine checks one workflow. The fields that follow the steps down are
// saved and restored by whoever changes them.
type routine struct {
	*checker
	index *index
	inner map[string]string // variables of inner scopes, and of what

	scope    *scope
	region   *region
	step     *Step  // the innermost named one
	doing    string // what is being evaluated, for messages
	parallel int    // how deep in parallel steps
}

func (c *checker) workflow(w *Workflow) {
	r := &routine{
		checker: c,
		index:   newIndex(w.Steps),
		inner:   make(map[string]string),
	}
	r.region = r.index.root
	r.params(w)
	r.names()
	r.scope = newScope(nil)
	for _, p := range w.Params {
		r.scope.vars[p.Name] = true
	}
	for _, p := range w.Params {
		r.value("the default of parameter "+p.Name, p.Default)
	}
	r.scope.declare(w.Steps)
	r.steps(w.Steps)
	r.unreached(w.Steps)
}

func (r *routine) params(w *Workflow) {
	seen := make(map[string]bool)
	for _, p := range w.Params {
		if seen[p.Name] {
			r.found.Errorf(p.At, "duplicate-name", "%s", sprintf("parameter %q of workflow %q appears twice", p.Name, w.Name))
		}
		seen[p.Name] = true
	}
	switch n := len(w.Params); {
	case w.Name == "main" && n > r.limits.MainParams:
		r.found.Add(diag.Diagnostic{Pos: w.Params[r.limits.MainParams].At, Code: "limit",
			Message: sprintf("workflow main has %d parameters; it takes at most %d, which receives the whole argument", n, r.limits.MainParams),
			Hint:    fmt.Sprintf("write params: [args] and args.%s", w.Params[n-1].Name)})
	case n > r.limits.Params:
		// Only the published schema has this limit, and deployed definitions
		// exceed it.
		r.found.Warnf(w.Params[r.limits.Params].At, "limit", "%s", sprintf("workflow %q has %d parameters; the published schema allows %d", w.Name, n, r.limits.Params))
	}
}

// errorf reports an error in the current step, in the words of the service.
func (r *routine) errorf(at diag.Pos, code, hint, format string, args ...any) {
	message := sprintf(format, args...)
	if r.doing != "" {
		message = "error evaluating " + r.doing + ": " + message
	}
	if r.step != nil {
		message = sprintf("error in step %s: ", r.step.Name) + message
	}
	r.found.Add(diag.Diagnostic{Pos: at, Code: code, Message: message, Hint: hint})
}

func (r *routine) warnf(at diag.Pos, code, hint, format string, args ...any) {
	message := sprintf(format, args...)
	if r.step != nil {
		message = sprintf("in step %s: ", r.step.Name) + message
	}
	r.found.Add(diag.Diagnostic{Pos: at, Severity: diag.Warning, Code: code, Message: message, Hint: hint})
}

// sprintf formats a message, which names of any length must not make endless.
func sprintf(format string, args ...any) string {
	const most = 200
	for i, arg := range args {
		if s, ok := arg.(string); ok && len(s) > most {
			args[i] = strings.ToValidUTF8(s[:most], "") + "…"
		}
	}
	return fmt.Sprintf(format, args...)
}

// limit reports that there is more of something than allowed.
func (r *routine) limit(at diag.Pos, what string, n, most int) {
	if n > most {
		r.errorf(at, "limit", "", "%d %s; the limit is %d", n, what, most)
	}
}

func (r *routine) steps(steps []*Step) {
	if len(steps) > 0 {
		r.limit(steps[0].At, "steps in one list", len(steps), r.limits.StepsPerList)
	}
	for _, s := range steps {
		r.one(s)
	}
}

// one checks a step, or the body of an arm or of try, which has no name.
func (r *routine) one(s *Step) {
	if s.Name != "" {
		outer := r.step
		r.step = s
		defer func() { r.step = outer }()
	}
	if s.Do != nil {
		r.action(s)
	}
	if s.Next != "" {
		r.jump(s)
	}
}

func (r *routine) action(s *Step) {
	switch a := s.Do.(type) {
	case *Assign:
		r.assign(s, a)
	case *Call:
		r.call(a)
	case *Switch:
		r.switchArms(s, a)
	case *For:
		r.loop(a, nil)
	case *Parallel:
		r.parallelStep(a)
	case *Try:
		r.try(a)
	case *Raise:
		r.value("raise value", a.Value)
	case *Return:
		if r.region.inParallel() {
			r.errorf(s.At, "jump", "assign to a shared variable instead", "return is not possible in a parallel branch or iteration")
		}
		r.value("return value", a.Value)
	case *Steps:
		r.steps(a.Steps)
	}
}

func (r *routine) assign(s *Step, a *Assign) {
	r.limit(s.At, "assignments in one step", len(a.Items), r.limits.Assignments)
	for _, it := range a.Items {
		r.value("assignment value", it.Value)
		r.target(it.Target)
	}
}

func (r *routine) switchArms(s *Step, a *Switch) {
	r.limit(s.At, "conditions in one switch", len(a.Arms), r.limits.Conditions)
	for _, arm := range a.Arms {
		r.value("condition", arm.Condition)
		r.one(arm.Body)
	}
}

// loop checks a for; par is set when it is that of a parallel step.
func (r *routine) loop(f *For, par *Parallel) {
	r.value("loop list", f.In)
	r.value("loop range", f.Range)
	s := newScope(r.scope)
	s.share(par)
	s.vars[f.Value] = true
	if f.Index != "" {
		s.vars[f.Index] = true
	}
	r.inside(s, f, "loop", f.Steps)
}

// inside checks steps that have a scope of their own. body is the *For or
// *Branch that they belong to, or nil when jumps may leave them.
func (r *routine) inside(s *scope, body any, where string, steps []*Step) {
	scope, region := r.scope, r.region
	defer func() { r.scope, r.region = scope, region }()
	s.declare(steps)
	for name := range s.vars {
		r.inner[name] = where
	}
	r.scope = s
	if body != nil {
		r.region = r.index.regions[body]
	}
	r.steps(steps)
}

func (r *routine) parallelStep(p *Parallel) {
	r.parallel++
	defer func() { r.parallel-- }()
	if r.parallel == r.limits.ParallelDepth+1 {
		r.warnf(p.At, "limit", "", "parallel steps are nested %d deep; beyond %d they fail with ParallelNestingError", r.parallel, r.limits.ParallelDepth)
	}
	if p.ExceptionPolicy != "" && p.ExceptionPolicy != "continueAll" {
		r.errorf(p.At, "shape", "the only policy is continueAll", "unknown exception_policy %q", p.ExceptionPolicy)
	}
	if p.ConcurrencyLimit != nil {
		r.value("concurrency limit", p.ConcurrencyLimit)
		if l, ok := p.ConcurrencyLimit.(*Lit); ok {
			if n, ok := l.Value.(int64); !ok || n < 1 {
				r.errorf(l.At, "shape", "", "concurrency_limit must be a positive integer")
			}
		}
	}
	for _, name := range p.Shared {
		if _, ok := r.scope.find(name); !ok {
			r.unknown(p.At, name)
		}
	}
	if p.For != nil {
		r.loop(p.For, p)
		return
	}
	if n := len(p.Branches); n < r.limits.MinBranches {
		r.errorf(p.At, "limit", "", "%d branches in one parallel step; at least %d are needed", n, r.limits.MinBranches)
	}
	r.limit(p.At, "branches in one parallel step", len(p.Branches), r.limits.MaxBranches)
	seen := make(map[string]bool)
	for _, b := range p.Branches {
		if seen[b.Name] {
			r.errorf(b.At, "duplicate-name", "", "branch %q appears twice", b.Name)
		}
		seen[b.Name] = true
		s := newScope(r.scope)
		s.share(p)
		r.inside(s, b, "branch", b.Steps)
	}
}

func (r *routine) try(t *Try) {
	if _, ok := t.Body.Do.(*For); ok {
		// A known issue of the service, in its words.
		r.errorf(t.Body.At, "shape", `put the loop into a step: "try: {steps: [...]}"`, "loop step name should not be empty")
	}
	r.one(t.Body)
	if t.Retry != nil {
		r.retry(t.Retry)
	}
	if e := t.Except; e != nil {
		s := newScope(r.scope)
		if e.As != "" {
			s.vars[e.As] = true
		}
		r.inside(s, nil, "handler", e.Steps)
	}
}

// retry checks a policy. Whoever writes the parts of one has to write all
// (cloud.google.com/workflows/docs/reference/syntax/retrying).
func (r *routine) retry(p *Retry) {
	if p.Policy != nil {
		r.value("retry policy", p.Policy)
		return
	}
	r.part(p.At, "predicate", p.Predicate)
	r.part(p.At, "max_retries", p.MaxRetries)
	switch b := p.Backoff; {
	case b == nil:
		r.part(p.At, "backoff", nil)
	case b.Policy != nil:
		r.value("backoff", b.Policy)
	default:
		r.part(b.At, "initial_delay", b.InitialDelay)
		r.part(b.At, "max_delay", b.MaxDelay)
		r.part(b.At, "multiplier", b.Multiplier)
	}
}

// part checks one part of a retry policy.
func (r *routine) part(at diag.Pos, key string, n Node) {
	if n == nil {
		r.errorf(at, "missing-key", "write ${http.default_retry} for a ready-made policy", "the retry policy has no %s", key)
		return
	}
	r.value(key, n)
}
