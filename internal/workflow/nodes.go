// Package workflow holds the surface syntax of Cloud Workflows: its syntax
// tree, parser, printer, walker and deploy-time checks. Nothing else in the
// project knows that syntax.
//
// Reference: cloud.google.com/workflows/docs/reference/syntax.
package workflow

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// File is one workflow definition.
type File struct {
	Name string // file name, for positions
	// Comment is printed above the definition, a "# " before each line.
	Comment string
	// Workflows holds main and the subworkflows in source order. A definition
	// in list form is one Workflow named main without parameters.
	Workflows []*Workflow
	// Anonymous says that the source was a bare list of steps.
	Anonymous bool
}

// Workflow is main or a subworkflow.
type Workflow struct {
	At      diag.Pos
	Comment string
	Name    string
	Params  []*Param
	Steps   []*Step
}

// Param is a parameter; Default is nil when an argument is required.
type Param struct {
	At      diag.Pos
	Name    string
	Default Node
}

// Step is one step. The body of a switch arm or of try is a Step without a
// name. Do is nil for a step that only jumps.
type Step struct {
	At      diag.Pos
	Comment string // printed above the step
	Name    string
	Do      Action
	Next    string // "", a step's name, or end, break, continue
	NextAt  diag.Pos
}

// Action is what a step does. The set of actions is closed.
type Action interface{ action() }

// Assign sets variables in order.
type Assign struct{ Items []*AssignItem }

// AssignItem is one assignment. Target is an expr.Ident, or expr.Member and
// expr.Index over one.
type AssignItem struct {
	At     diag.Pos
	Target expr.Expr
	Value  Node
}

// Call calls a function, subworkflow or connector. Args is nil, a *Map (by
// name) or a *List (by position).
type Call struct {
	At       diag.Pos // of the function's name
	Func     string
	Args     Node
	Result   string
	ResultAt diag.Pos
}

// Switch runs the first arm whose condition holds.
type Switch struct{ Arms []*Arm }

// Arm is one case of a Switch.
type Arm struct {
	At        diag.Pos
	Condition Node
	Body      *Step // without a name; only Next for a bare jump
}

// For iterates over In or over Range, a list of two numbers, both inclusive.
type For struct {
	At        diag.Pos
	Value     string
	Index     string
	In, Range Node // exactly one is set
	Steps     []*Step
}

// Parallel runs Branches, or the iterations of For, at the same time.
type Parallel struct {
	At               diag.Pos
	Shared           []string
	ConcurrencyLimit Node
	ExceptionPolicy  string
	Branches         []*Branch
	For              *For
}

// Branch is one branch of a Parallel.
type Branch struct {
	At    diag.Pos
	Name  string
	Steps []*Step
}

// Try runs Body; Retry and Except are optional.
type Try struct {
	Body   *Step // without a name
	Retry  *Retry
	Except *Except
}

// Retry is a policy expression, or the parts of one: Policy is set alone or
// not at all. Parts that were not written are nil.
type Retry struct {
	At         diag.Pos
	Policy     Node
	Predicate  Node
	MaxRetries Node
	Backoff    *Backoff
}

// Backoff holds the delays of a Retry, in seconds, or Policy alone: an
// expression such as ${retry.default_backoff}.
type Backoff struct {
	At                                 diag.Pos
	Policy                             Node
	InitialDelay, MaxDelay, Multiplier Node
}

// Except handles an error that Retry did not cure. A handler that was written
// as a single action instead of steps is one Step without a name.
type Except struct {
	At    diag.Pos
	As    string
	Steps []*Step
}

// Raise raises a string or a map.
type Raise struct{ Value Node }

// Return ends the workflow or subworkflow with a value.
type Return struct{ Value Node }

// Steps groups steps.
type Steps struct{ Steps []*Step }

func (*Assign) action()   {}
func (*Call) action()     {}
func (*Switch) action()   {}
func (*For) action()      {}
func (*Parallel) action() {}
func (*Try) action()      {}
func (*Raise) action()    {}
func (*Return) action()   {}
func (*Steps) action()    {}

// Node is a value as written in YAML: literals, expressions, and lists and
// maps of them. The set of nodes is closed.
type Node interface {
	Pos() diag.Pos
	node()
}

// Lit is a literal: Value is nil, bool, int64, float64 or string.
type Lit struct {
	At    diag.Pos
	Value any
}

// Expr is a ${…} expression.
type Expr struct {
	At    diag.Pos // of the text after ${
	Width int      // characters between the braces as written; 0 when built
	X     expr.Expr
}

// List is a YAML list.
type List struct {
	At    diag.Pos
	Items []Node
}

// Map is a YAML map in source order.
type Map struct {
	At      diag.Pos
	Entries []*Entry
}

// Entry is one pair of a Map. Key is a *Lit (string or int64) or an *Expr.
type Entry struct {
	Key   Node
	Value Node
}

// Pos implements Node.
func (n *Lit) Pos() diag.Pos { return n.At }

// Pos implements Node.
func (n *Expr) Pos() diag.Pos { return n.At }

// Pos implements Node.
func (n *List) Pos() diag.Pos { return n.At }

// Pos implements Node.
func (n *Map) Pos() diag.Pos { return n.At }

func (*Lit) node()  {}
func (*Expr) node() {}
func (*List) node() {}
func (*Map) node()  {}
