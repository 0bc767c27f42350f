package compile

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// A shape is what is known of a value: its type, or that it is a list of
// values of a type. The zero shape is unknown. It tells artifacts, which steps
// are handed by reference, from parameters.
type shape struct {
	of   pipeline.Type
	list bool
}

func (s shape) isArtifact() bool { return s.of.IsArtifact() }

func (s shape) item() shape {
	if s.list {
		return shape{of: s.of}
	}
	return shape{}
}

// shapeOf infers what an expression gives.
func (b *body) shapeOf(x expr.Expr) shape {
	switch x := x.(type) {
	case *expr.Literal:
		if _, ok := x.Value.(string); ok {
			return shape{of: pipeline.String}
		}
	case *expr.Ident:
		if b.item != nil && x.Name == b.item.Item {
			return b.valueShape(b.item.In).item()
		}
		return shape{of: pipeline.Builtins[x.Name]}
	case *expr.Member:
		return b.memberShape(x)
	case *expr.Index:
		return b.shapeOf(x.X).item()
	case *expr.List:
		return commonShape(len(x.Items), func(i int) shape { return b.shapeOf(x.Items[i]) })
	case *expr.Call:
		if n := len(x.Args); x.Func == "default" || x.Func == "if" && n == 3 {
			return b.shapeOf(x.Args[n-1])
		}
	case *expr.Binary:
		if x.Op == "+" && (b.shapeOf(x.X).of == pipeline.String || b.shapeOf(x.Y).of == pipeline.String) {
			return shape{of: pipeline.String}
		}
	}
	return shape{}
}

// memberShape is the shape of params.NAME, TASK.OUTPUT or ARTIFACT.FIELD.
func (b *body) memberShape(x *expr.Member) shape {
	id, ok := x.X.(*expr.Ident)
	if !ok || b.item != nil && id.Name == b.item.Item {
		if b.shapeOf(x.X).isArtifact() && (x.Name == "uri" || x.Name == "name") {
			return shape{of: pipeline.String}
		}
		return shape{}
	}
	if id.Name == pipeline.Params {
		if p := b.p.Param(x.Name); p != nil {
			return shape{of: p.Type}
		}
		return shape{}
	}
	t := b.p.Task(id.Name)
	if t == nil {
		return shape{}
	}
	switch s := b.outputShape(t, x.Name); {
	case t.ForEach == nil:
		return s
	case !s.list:
		return shape{of: s.of, list: true}
	}
	return shape{} // a list of lists
}

// outputShape is the shape of one run's output.
func (b *body) outputShape(t *pipeline.Task, name string) shape {
	if sub, ok := t.Kind.(*pipeline.Sub); ok {
		inner := &body{p: sub.Pipeline}
		for _, r := range sub.Pipeline.Outputs {
			if r.Name == name {
				return inner.valueShape(r.Value)
			}
		}
	}
	if o := t.Output(name); o != nil {
		return shape{of: o.Type}
	}
	return shape{}
}

func (b *body) valueShape(v pipeline.Value) shape {
	switch v := v.(type) {
	case *pipeline.Expr:
		return b.shapeOf(v.X)
	case *pipeline.Items:
		return commonShape(len(v.Items), func(i int) shape { return b.valueShape(v.Items[i]) })
	case *pipeline.Lit:
		if _, ok := v.V.(string); ok {
			return shape{of: pipeline.String}
		}
	}
	return shape{}
}

// commonShape is a list of what all n items are.
func commonShape(n int, item func(i int) shape) shape {
	if n == 0 {
		return shape{}
	}
	first := item(0)
	for i := range n {
		if s := item(i); s.list || s.isArtifact() != first.isArtifact() {
			return shape{}
		}
	}
	return shape{of: first.of, list: true}
}
