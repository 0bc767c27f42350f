package interp

import (
	"fmt"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// tree is a value or expression on its way to a node: its parts in the order
// of evaluation, and what becomes of them.
type tree struct {
	kids  []*tree
	leaf  node // without kids, or
	make  func(kids []node) node
	logic *logicNode // for and, or, instead of make
	call  *callOp    // for a call that may wait, instead of make
	at    diag.Pos
	waits bool // a call below, or this one, may wait
}

func leaf(n node) *tree {
	return &tree{leaf: n}
}

func branchOf(make func([]node) node, kids ...*tree) *tree {
	t := &tree{make: make, kids: kids}
	for _, k := range kids {
		if k != nil {
			t.waits = t.waits || k.waits
		}
	}
	return t
}

// assemble makes a node of a tree in which nothing waits.
func (t *tree) assemble() node {
	if t == nil {
		return nil
	}
	if t.leaf != nil {
		return t.leaf
	}
	kids := make([]node, len(t.kids))
	for i, k := range t.kids {
		kids[i] = k.assemble()
	}
	if t.logic != nil {
		return logicNode{x: kids[0], y: kids[1], what: t.logic.what, stop: t.logic.stop}
	}
	return t.make(kids)
}

// lower makes a node of t. Calls in t that may wait become operations before
// it, as does everything that must be evaluated before them, so that the order
// stays from left to right.
func (b *builder) lower(t *tree) node {
	if t == nil || !t.waits {
		return t.assemble()
	}
	if t.logic != nil {
		return b.lowerLogic(t)
	}
	kids := b.lowerAll(t.kids)
	if t.call == nil {
		return t.make(kids)
	}
	t.call.args = kids
	temp := b.temp()
	t.call.temp = temp
	b.emit(t.call, t.at)
	return tempNode(temp)
}

func (b *builder) lowerAll(kids []*tree) []node {
	last := -1
	for i, k := range kids {
		if k != nil && k.waits {
			last = i
		}
	}
	nodes := make([]node, len(kids))
	for i, k := range kids {
		nodes[i] = b.lower(k)
		if i < last {
			nodes[i] = b.spill(nodes[i], k)
		}
	}
	return nodes
}

// spill evaluates n now, because a call that may wait comes before its use.
func (b *builder) spill(n node, t *tree) node {
	switch n.(type) {
	case nil, constNode, tempNode:
		return n
	}
	temp := b.temp()
	b.emit(&tempOp{value: n, temp: temp}, t.at)
	return tempNode(temp)
}

// lowerLogic turns and, or into a jump around the right operand.
func (b *builder) lowerLogic(t *tree) node {
	temp := b.temp()
	b.emit(&tempOp{value: b.lower(t.kids[0]), temp: temp}, t.at)
	skip := &logicOp{temp: temp, what: t.logic.what, stop: t.logic.stop}
	b.emit(skip, t.at)
	b.emit(&tempOp{value: b.lower(t.kids[1]), temp: temp}, t.at)
	b.emit(&logicOp{temp: temp, what: t.logic.what, stop: t.logic.stop, target: b.pc() + 1}, t.at)
	skip.target = b.pc()
	return tempNode(temp)
}

// value compiles a YAML value; nil stays nil.
func (b *builder) value(n workflow.Node) node {
	if n == nil {
		return nil
	}
	return b.lower(b.yaml(n))
}

func (b *builder) yaml(n workflow.Node) *tree {
	switch n := n.(type) {
	case *workflow.Lit:
		return b.literal(n.Value, n.At)
	case *workflow.Expr:
		return b.expr(n.X)
	case *workflow.List:
		kids := make([]*tree, len(n.Items))
		for i, item := range n.Items {
			kids[i] = b.yaml(item)
		}
		return branchOf(makeList, kids...)
	case *workflow.Map:
		kids := make([]*tree, 0, 2*len(n.Entries))
		for _, e := range n.Entries {
			kids = append(kids, b.yaml(e.Key), b.yaml(e.Value))
		}
		return branchOf(makeMap, kids...)
	}
	panic(fmt.Sprintf("interp: unknown workflow.Node %T", n))
}

func (b *builder) literal(x any, at diag.Pos) *tree {
	v, err := value.FromGo(x)
	if err != nil {
		b.problemf(at, "bad-literal", "%v", err)
		v = value.Null{}
	}
	return leaf(constNode{v})
}

func (b *builder) expr(e expr.Expr) *tree {
	switch e := e.(type) {
	case *expr.Literal:
		return b.literal(e.Value, e.At)
	case *expr.Ident, *expr.Member:
		return b.name(e)
	case *expr.Index:
		return branchOf(makeIndex, b.expr(e.X), b.expr(e.Key))
	case *expr.Unary:
		op := negate
		if e.Op == "not" {
			op = not
		}
		return branchOf(func(kids []node) node { return fold(unaryNode{kids[0], op}, kids) }, b.expr(e.X))
	case *expr.Binary:
		return b.binary(e)
	case *expr.List:
		kids := make([]*tree, len(e.Items))
		for i, item := range e.Items {
			kids[i] = b.expr(item)
		}
		return branchOf(makeList, kids...)
	case *expr.Call:
		kids := make([]*tree, len(e.Args))
		for i, arg := range e.Args {
			kids[i] = b.expr(arg)
		}
		return b.callTree(e.Func, e.At, positional(kids))
	}
	panic(fmt.Sprintf("interp: unknown expr.Expr %T", e))
}

func (b *builder) binary(e *expr.Binary) *tree {
	t := branchOf(nil, b.expr(e.X), b.expr(e.Y))
	t.at = e.At
	if e.Op == "and" || e.Op == "or" {
		t.logic = &logicNode{what: "an operand of " + e.Op, stop: e.Op == "or"}
		return t
	}
	op, ok := operators[e.Op]
	if !ok {
		panic("interp: unknown operator " + e.Op)
	}
	t.make = func(kids []node) node { return binaryNode{kids[0], kids[1], op} }
	return t
}

// name compiles x or x.y.z: a variable and its members, or else a named value
// of the library, a function or a subworkflow.
func (b *builder) name(e expr.Expr) *tree {
	var members []*expr.Member
	x := e
	for {
		m, ok := x.(*expr.Member)
		if !ok {
			break
		}
		members = append(members, m)
		x = m.X
	}
	id, ok := x.(*expr.Ident)
	if !ok {
		return memberTree(b.expr(x), members)
	}
	if ref, ok := b.find(id.Name); ok {
		return memberTree(leaf(varNode{ref}), members)
	}
	path := []string{id.Name}
	for i := len(members) - 1; i >= 0; i-- {
		path = append(path, members[i].Name)
	}
	for n := len(path); n > 0; n-- { // the longest name that is known
		if v, ok := b.named(strings.Join(path[:n], ".")); ok {
			return memberTree(leaf(constNode{v}), members[:len(path)-n])
		}
	}
	b.problemf(id.At, "unknown-name", "symbol '%s' is neither a variable nor a sub-workflow name", id.Name)
	return leaf(constNode{value.Null{}})
}

// named returns the value that a name stands for.
func (b *builder) named(name string) (value.Value, bool) {
	if _, ok := b.c.subs[name]; ok {
		return value.Func(name), true
	}
	fn, ok := b.c.library(name)
	if !ok {
		return nil, false
	}
	if fn.Value != nil {
		return fn.Value, true
	}
	return value.Func(name), true
}

// memberTree applies members, given innermost name last.
func memberTree(t *tree, members []*expr.Member) *tree {
	for i := len(members) - 1; i >= 0; i-- {
		key := leaf(constNode{value.String(members[i].Name)})
		t = branchOf(makeIndex, t, key)
	}
	return t
}

func makeIndex(kids []node) node { return indexNode{kids[0], kids[1]} }

func makeList(kids []node) node { return fold(listNode{kids}, kids) }

func makeMap(kids []node) node { return fold(mapNode{kids}, kids) }

// fold evaluates n now if its parts are constants and it does not fail.
func fold(n node, kids []node) node {
	for _, k := range kids {
		if _, ok := k.(constNode); !ok {
			return n
		}
	}
	v, err := n.eval(nil)
	if err != nil {
		return n
	}
	return constNode{value.Freeze(v)}
}
