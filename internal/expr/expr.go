// Package expr holds the expression language of Cloud Workflows: the text
// between ${ and }, its syntax tree, parser and printer.
//
// Grammar and precedence: cloud.google.com/workflows/docs/reference/syntax/datatypes.
package expr

import "github.com/kakehi/kakehi/internal/diag"

// Expr is a node of an expression. The set of nodes is closed.
type Expr interface {
	// Pos is where the node begins, in file coordinates.
	Pos() diag.Pos
	expr()
}

// Literal is null, a boolean, an integer, a double or a string: Value is nil,
// bool, int64, float64 or string.
type Literal struct {
	At    diag.Pos
	Value any
}

// Ident is a variable, or the first name of a dotted function name.
type Ident struct {
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

// Call is a function call, such as text.split(s, ","). Func is the dotted
// name as written.
type Call struct {
	At   diag.Pos
	Func string
	Args []Expr
}

// Unary is Op X, with Op "-" or "not".
type Unary struct {
	At diag.Pos
	Op string
	X  Expr
}

// Binary is X Op Y, with Op one of
// * / // % + - < <= > >= == != in and or (always lower case).
type Binary struct {
	X  Expr
	At diag.Pos // of the operator
	Op string
	Y  Expr
}

// List is [a, b, c].
type List struct {
	At    diag.Pos
	Items []Expr
}

// Pos implements Expr.
func (e *Literal) Pos() diag.Pos { return e.At }

// Pos implements Expr.
func (e *Ident) Pos() diag.Pos { return e.At }

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

// Pos implements Expr.
func (e *List) Pos() diag.Pos { return e.At }

func (*Literal) expr() {}
func (*Ident) expr()   {}
func (*Member) expr()  {}
func (*Index) expr()   {}
func (*Call) expr()    {}
func (*Unary) expr()   {}
func (*Binary) expr()  {}
func (*List) expr()    {}
