// Package cel reads the part of the Common Expression Language that the
// compilers of Kubeflow Pipelines write into conditions and selectors, and turns
// it into expressions of Cloud Workflows.
//
// In a condition the variable is inputs:
//
//	inputs.parameter_values['x']             a parameter
//	inputs.parameters['x'].string_value      the same in schema 2.0.0; also int_value, double_value
//	inputs.artifacts['m'].artifacts[0]       an artifact, with name, uri and metadata
//
// In a selector it is the value to select from: string_value, the JSON of
// anything but a string, or struct_value, list_value, number_value, bool_value.
// Both have literals, && || !, comparisons, + - * /, x.k, x['k'], x[0], and the
// functions int, double, string, size and parseJson. The rest of the language
// is refused at its place.
package cel

import "github.com/kakehi/kakehi/internal/diag"

// Expr is a node of an expression. The set of nodes is closed.
type Expr interface {
	// Pos is where the node begins, in file coordinates.
	Pos() diag.Pos
	cel()
}

// Literal is a literal: Value is nil, bool, int64, float64 or string.
type Literal struct {
	At    diag.Pos
	Value any
}

// Parameter is an input parameter. Field is empty, or the field of schema
// 2.0.0 that holds a value of its type.
type Parameter struct {
	At     diag.Pos
	NameAt diag.Pos
	Name   string
	Field  string
}

// Artifact is an item of an input artifact, which is a list.
type Artifact struct {
	At     diag.Pos
	NameAt diag.Pos
	Name   string
	Item   int64
}

// Variable is the value that a selector selects from, in one of its forms, such
// as string_value.
type Variable struct {
	At   diag.Pos
	Name string
}

// Member is X.Name.
type Member struct {
	X    Expr
	At   diag.Pos // of Name
	Name string
}

// Index is X[Key].
type Index struct {
	X   Expr
	At  diag.Pos // of the bracket
	Key Expr
}

// Call is a function call.
type Call struct {
	At   diag.Pos
	Func string
	Args []Expr
}

// Unary is Op X, with Op "!" or "-".
type Unary struct {
	At diag.Pos
	Op string
	X  Expr
}

// Binary is X Op Y, with Op one of || && == != < <= > >= + - * /.
type Binary struct {
	X  Expr
	At diag.Pos // of the operator
	Op string
	Y  Expr
}

// Pos implements Expr.
func (e *Literal) Pos() diag.Pos { return e.At }

// Pos implements Expr.
func (e *Parameter) Pos() diag.Pos { return e.At }

// Pos implements Expr.
func (e *Artifact) Pos() diag.Pos { return e.At }

// Pos implements Expr.
func (e *Variable) Pos() diag.Pos { return e.At }

// Pos implements Expr.
func (e *Member) Pos() diag.Pos { return e.X.Pos() }

// Pos implements Expr.
func (e *Index) Pos() diag.Pos { return e.X.Pos() }

// Pos implements Expr.
func (e *Call) Pos() diag.Pos { return e.At }

// Pos implements Expr.
func (e *Unary) Pos() diag.Pos { return e.At }

// Pos implements Expr.
func (e *Binary) Pos() diag.Pos { return e.X.Pos() }

func (*Literal) cel()   {}
func (*Parameter) cel() {}
func (*Artifact) cel()  {}
func (*Variable) cel()  {}
func (*Member) cel()    {}
func (*Index) cel()     {}
func (*Call) cel()      {}
func (*Unary) cel()     {}
func (*Binary) cel()    {}
