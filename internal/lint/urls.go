package lint

import (
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// hole stands for a part of a text that is known at run time only.
const hole = "\x00"

// known returns what is known of the text that a value will be: its literal
// parts, with holes between them.
func (l *linter) known(n workflow.Node) string {
	switch n := n.(type) {
	case *workflow.Lit:
		s, _ := n.Value.(string)
		return s
	case *workflow.Expr:
		return knownExpr(n.X, l.texts)
	}
	return hole
}

// mostKnown bounds the length of a text that is looked at.
const mostKnown = 2000

func knownExpr(x expr.Expr, texts map[string]string) string {
	switch x := x.(type) {
	case *expr.Literal:
		if s, ok := x.Value.(string); ok {
			return s
		}
	case *expr.Ident:
		if s, ok := texts[x.Name]; ok {
			return s
		}
	case *expr.Binary:
		if x.Op != "+" {
			break
		}
		if s := knownExpr(x.X, texts) + knownExpr(x.Y, texts); len(s) <= mostKnown {
			return s
		}
	}
	return hole
}

// constants returns what is known of the variables that a workflow assigns
// once, as a whole.
func constants(w *workflow.Workflow) map[string]string {
	assigned := map[string]int{}
	for _, p := range w.Params {
		assigned[p.Name]++
	}
	var once []*workflow.AssignItem
	workflow.Walk(w.Steps, func(s *workflow.Step) bool {
		switch do := s.Do.(type) {
		case *workflow.Assign:
			for _, it := range do.Items {
				if id, ok := it.Target.(*expr.Ident); ok {
					if assigned[id.Name]++; assigned[id.Name] == 1 {
						once = append(once, it)
					}
				}
			}
		case *workflow.Call:
			assigned[do.Result]++
		case *workflow.For:
			assigned[do.Value]++
		case *workflow.Parallel:
			if do.For != nil {
				assigned[do.For.Value]++
			}
		case *workflow.Try:
			if do.Except != nil {
				assigned[do.Except.As]++
			}
		}
		return true
	})
	texts := map[string]string{}
	for _, it := range once {
		name := it.Target.(*expr.Ident).Name
		if assigned[name] > 1 {
			continue
		}
		switch v := it.Value.(type) {
		case *workflow.Lit:
			if s, ok := v.Value.(string); ok {
				texts[name] = s
			}
		case *workflow.Expr:
			texts[name] = knownExpr(v.X, texts)
		}
	}
	return texts
}

// address is what is known of a URL.
type address struct {
	host string // lower case; "" when it is not known how it ends
	path string // behind the host, with query and holes
}

// addressOf splits what is known of a URL; ok is false when it is not known to
// be one.
func addressOf(known string) (a address, ok bool) {
	scheme, rest, ok := strings.Cut(known, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return a, false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	a.host, a.path = strings.ToLower(rest[:end]), rest[end:]
	if strings.HasSuffix(a.host, hole) {
		a.host = "" // more of it may follow, and then a path
	}
	return a, true
}

// api reports whether the host is one of Google's APIs.
func (a address) api() bool {
	return a.host == "googleapis.com" || strings.HasSuffix(a.host, ".googleapis.com")
}

// run reports whether the host is a service of Cloud Run or a function.
func (a address) run() bool { return strings.HasSuffix(a.host, ".run.app") || a.function() }

// function reports whether the host is that of functions, which have a path
// each.
func (a address) function() bool { return strings.HasSuffix(a.host, ".cloudfunctions.net") }

// beyondRoot reports whether the path leads below the root of the service.
func (a address) beyondRoot() bool {
	path := strings.TrimPrefix(a.path, "/")
	if a.function() {
		_, path, _ = strings.Cut(path, "/")
	}
	return path != ""
}
