package kfp

import "github.com/kakehi/kakehi/internal/diag"

// Value is JSON with places. The set is closed.
type Value interface {
	Pos() diag.Pos
	value()
}

// Lit is null, a boolean or a number: V is nil, bool, int64 or float64.
type Lit struct {
	At diag.Pos
	V  any
}

// Text is a string, with the placeholders in it.
type Text struct {
	At    diag.Pos
	Value string // as it is written
	Parts []Part // nil if there are no placeholders
}

// List is a list.
type List struct {
	At    diag.Pos
	Items []Value
}

// Struct is a map in the order of the file.
type Struct struct {
	At     diag.Pos
	Fields []*Field
}

// Field is a field of a Struct.
type Field struct {
	At    diag.Pos
	Name  string
	Value Value
}

// Pos implements Value.
func (v *Lit) Pos() diag.Pos { return v.At }

// Pos implements Value.
func (v *Text) Pos() diag.Pos { return v.At }

// Pos implements Value.
func (v *List) Pos() diag.Pos { return v.At }

// Pos implements Value.
func (v *Struct) Pos() diag.Pos { return v.At }

func (*Lit) value()    {}
func (*Text) value()   {}
func (*List) value()   {}
func (*Struct) value() {}
