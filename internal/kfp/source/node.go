package source

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
)

// A Node is a value: a scalar, a list or a map.
type Node struct {
	Kind   Kind
	Type   Type    // of a scalar
	Value  string  // of a scalar, its text
	Items  []*Node // of a list
	Fields []Field // of a map, in the order of the file
	style  style
	indent int // of what a scalar belongs to, in columns; -1: of a document
	file   *File
	from   int // its first byte in the file
	end    int // of a scalar: behind its last byte
}

// A Field is a key of a map with its value.
type Field struct{ Key, Value *Node }

// Kind tells the forms of values apart.
type Kind uint8

// The kinds.
const (
	Scalar Kind = iota
	List
	Map
)

func (k Kind) String() string { return [...]string{"a scalar", "a list", "a map"}[k] }

// Type is what a scalar means.
type Type uint8

// The types of scalars.
const (
	String Type = iota
	Null
	Bool
	Int
	Float
)

type style uint8

const (
	plain style = iota
	single
	double
	literal
	folded
)

// Pos is where the node begins: a quoted scalar at its opening quote.
func (n *Node) Pos() diag.Pos { return n.file.Pos(n.from) }

// TextPos is where the text of a scalar begins.
func (n *Node) TextPos() diag.Pos {
	if n.Kind == Scalar && (n.style == single || n.style == double) {
		return n.file.Pos(n.from + 1)
	}
	return n.Pos()
}

// Width is the number of characters to underline: those of a scalar on one line.
func (n *Node) Width() int {
	if n.Kind != Scalar || n.style == literal || n.style == folded || n.end <= n.from {
		return 1
	}
	line, _, _ := strings.Cut(n.file.text[n.from:n.end], "\n")
	return max(1, utf8.RuneCountInString(line))
}

// Is reports whether n is a scalar of the type.
func (n *Node) Is(t Type) bool { return n.Kind == Scalar && n.Type == t }

// Field returns the value of a map's key, or nil.
func (n *Node) Field(key string) *Node {
	for _, f := range n.Fields {
		if f.Key.Value == key {
			return f.Value
		}
	}
	return nil
}

// Describe names a value in a message: `the text "x"`, a list, 5.
func (n *Node) Describe() string {
	switch {
	case n.Kind != Scalar:
		return n.Kind.String()
	case n.Type == Null:
		return "nothing"
	case n.Type == String:
		return fmt.Sprintf("the text %s", quote(n.Value))
	}
	return n.Value
}

// quote quotes a string for a message.
func quote(s string) string {
	if runes := []rune(s); len(runes) > 40 {
		s = string(runes[:40]) + "…"
	}
	return strconv.Quote(s)
}
