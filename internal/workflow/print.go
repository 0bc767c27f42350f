package workflow

import (
	"io"
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
)

// Print writes f as block-style YAML that Parse reads as the same tree, apart
// from positions and comments. The same tree always gives the same bytes.
func Print(w io.Writer, f *File) error {
	_, err := w.Write(Format(f))
	return err
}

// Format returns what Print writes.
//
// A string of the form ${…}, which YAML would make an expression, comes out
// as an expression of the same value.
func Format(f *File) []byte {
	p := printer{}
	p.comment(f.Comment)
	if f.Comment != "" {
		p.newline()
	}
	if f.Anonymous && len(f.Workflows) == 1 {
		p.steps(f.Workflows[0].Steps)
		if len(f.Workflows[0].Steps) == 0 {
			p.b.WriteString("[]\n")
		}
		return []byte(p.b.String())
	}
	for i, w := range f.Workflows {
		if i > 0 {
			p.newline()
		}
		p.workflow(w)
	}
	return []byte(p.b.String())
}

// printer builds block-style YAML. It stands at the start of a line, or right
// behind the "-" of an item or the ":" of a key.
type printer struct {
	b      strings.Builder
	indent int  // levels, of two blanks each
	inline bool // behind "-": the next thing stays on this line
}

func (p *printer) newline() { p.b.WriteByte('\n') }

// begin starts a line, unless item has started it.
func (p *printer) begin() {
	if p.inline {
		p.inline = false
		p.b.WriteByte(' ')
		return
	}
	p.margin(p.indent)
}

func (p *printer) margin(levels int) {
	for range levels {
		p.b.WriteString("  ")
	}
}

// item prints "-" and then what body prints, indented behind it.
func (p *printer) item(body func()) {
	p.begin()
	p.b.WriteByte('-')
	p.indent++
	p.inline = true
	body()
	p.inline = false
	p.indent--
}

// key prints "name:" and then, on lines of their own, what body prints.
func (p *printer) key(name string, body func()) {
	p.name(name)
	p.newline()
	p.indent++
	body()
	p.indent--
}

// name prints "name:". YAML wants long names marked as keys beforehand.
func (p *printer) name(name string) {
	p.begin()
	if len(name) > 1000 {
		p.b.WriteString("? " + name + "\n")
		p.begin()
		name = ""
	}
	p.b.WriteString(name)
	p.b.WriteByte(':')
}

// pair prints "name: value" on one line.
func (p *printer) pair(name, value string) {
	p.name(name)
	p.b.WriteString(" " + value + "\n")
}

func (p *printer) comment(text string) {
	if text == "" {
		return
	}
	for _, line := range strings.Split(text, "\n") {
		p.begin()
		line = strings.TrimRight(strings.Map(func(r rune) rune {
			if expr.Printable(r) {
				return r
			}
			return ' '
		}, line), " ")
		if line == "" {
			p.b.WriteString("#\n")
			continue
		}
		p.b.WriteString("# " + line + "\n")
	}
}

func (p *printer) workflow(w *Workflow) {
	p.comment(w.Comment)
	p.key(quoteString(w.Name), func() {
		p.params(w.Params)
		p.list("steps", len(w.Steps), func() { p.steps(w.Steps) })
	})
}

func (p *printer) params(params []*Param) {
	if len(params) == 0 {
		return
	}
	names := make([]string, len(params))
	defaults := false
	for i, param := range params {
		names[i] = quoteString(param.Name)
		defaults = defaults || param.Default != nil
	}
	if !defaults {
		p.names("params", names)
		return
	}
	p.key("params", func() {
		for i, param := range params {
			p.item(func() {
				if param.Default != nil {
					p.value(names[i], param.Default)
					return
				}
				p.begin()
				p.b.WriteString(names[i] + "\n")
			})
		}
	})
}

// names prints a list of plain names on one line.
func (p *printer) names(key string, names []string) {
	p.pair(key, "["+strings.Join(names, ", ")+"]")
}

// list prints a list under a key, on the same line when it is empty.
func (p *printer) list(key string, n int, body func()) {
	if n == 0 {
		p.pair(key, "[]")
		return
	}
	p.key(key, body)
}

func (p *printer) steps(steps []*Step) {
	for _, s := range steps {
		p.comment(s.Comment)
		p.item(func() {
			p.key(quoteString(s.Name), func() { p.body(s) })
		})
	}
}

// body prints the keys of a step.
func (p *printer) body(s *Step) {
	if s.Do != nil {
		p.action(s.Do)
	}
	if s.Next != "" {
		p.pair("next", quoteString(s.Next))
	}
}

func (p *printer) action(a Action) {
	switch a := a.(type) {
	case *Assign:
		p.assign(a)
	case *Call:
		p.pair("call", quoteString(a.Func))
		p.optional("args", a.Args)
		if a.Result != "" {
			p.pair("result", quoteString(a.Result))
		}
	case *Switch:
		p.list("switch", len(a.Arms), func() { p.arms(a.Arms) })
	case *For:
		p.key("for", func() { p.loop(a) })
	case *Parallel:
		p.key("parallel", func() { p.parallel(a) })
	case *Try:
		p.try(a)
	case *Raise:
		p.value("raise", a.Value)
	case *Return:
		p.value("return", a.Value)
	case *Steps:
		p.list("steps", len(a.Steps), func() { p.steps(a.Steps) })
	}
}

func (p *printer) assign(a *Assign) {
	p.list("assign", len(a.Items), func() {
		for _, it := range a.Items {
			p.item(func() { p.value(quoteString(expr.String(it.Target)), it.Value) })
		}
	})
}

func (p *printer) arms(arms []*Arm) {
	for _, arm := range arms {
		p.item(func() {
			p.value("condition", arm.Condition)
			p.body(arm.Body)
		})
	}
}

func (p *printer) loop(f *For) {
	p.pair("value", quoteString(f.Value))
	if f.Index != "" {
		p.pair("index", quoteString(f.Index))
	}
	p.optional("in", f.In)
	p.span(f.Range)
	p.list("steps", len(f.Steps), func() { p.steps(f.Steps) })
}

// span prints a range, on one line when it holds two numbers.
func (p *printer) span(n Node) {
	list, ok := n.(*List)
	if !ok {
		p.optional("range", n)
		return
	}
	ends := make([]string, len(list.Items))
	for i, item := range list.Items {
		l, ok := item.(*Lit)
		if !ok || !isNumber(l.Value) {
			p.optional("range", n)
			return
		}
		ends[i] = quoteLiteral(l.Value)
	}
	p.names("range", ends)
}

func (p *printer) parallel(par *Parallel) {
	if len(par.Shared) > 0 {
		names := make([]string, len(par.Shared))
		for i, s := range par.Shared {
			names[i] = quoteString(s)
		}
		p.names("shared", names)
	}
	p.optional("concurrency_limit", par.ConcurrencyLimit)
	if par.ExceptionPolicy != "" {
		p.pair("exception_policy", quoteString(par.ExceptionPolicy))
	}
	if par.For != nil {
		p.key("for", func() { p.loop(par.For) })
		return
	}
	p.list("branches", len(par.Branches), func() {
		for _, b := range par.Branches {
			p.item(func() {
				p.key(quoteString(b.Name), func() {
					p.list("steps", len(b.Steps), func() { p.steps(b.Steps) })
				})
			})
		}
	})
}

func (p *printer) try(t *Try) {
	p.key("try", func() { p.body(t.Body) })
	if t.Retry != nil {
		p.retry(t.Retry)
	}
	if t.Except != nil {
		p.except(t.Except)
	}
}

func (p *printer) except(e *Except) {
	if e.As == "" && e.Steps == nil {
		p.pair("except", "{}")
		return
	}
	p.key("except", func() {
		if e.As != "" {
			p.pair("as", quoteString(e.As))
		}
		switch {
		case len(e.Steps) == 1 && e.Steps[0].Name == "":
			p.body(e.Steps[0])
		case e.Steps != nil:
			p.list("steps", len(e.Steps), func() { p.steps(e.Steps) })
		}
	})
}

func (p *printer) retry(r *Retry) {
	if r.Policy != nil {
		p.value("retry", r.Policy)
		return
	}
	if r.Predicate == nil && r.MaxRetries == nil && r.Backoff == nil {
		p.pair("retry", "{}")
		return
	}
	p.key("retry", func() {
		p.optional("predicate", r.Predicate)
		p.optional("max_retries", r.MaxRetries)
		if r.Backoff != nil {
			p.backoff(r.Backoff)
		}
	})
}

func (p *printer) backoff(b *Backoff) {
	if b.Policy != nil {
		p.value("backoff", b.Policy)
		return
	}
	if b.InitialDelay == nil && b.MaxDelay == nil && b.Multiplier == nil {
		p.pair("backoff", "{}")
		return
	}
	p.key("backoff", func() {
		p.optional("initial_delay", b.InitialDelay)
		p.optional("max_delay", b.MaxDelay)
		p.optional("multiplier", b.Multiplier)
	})
}

// optional prints a pair unless its value is missing.
func (p *printer) optional(key string, n Node) {
	if n != nil {
		p.value(key, n)
	}
}

// value prints "key: value", over as many lines as the value takes.
func (p *printer) value(key string, n Node) {
	switch n := n.(type) {
	case *Map:
		if len(n.Entries) > 0 {
			p.key(key, func() { p.entries(n) })
			return
		}
	case *List:
		if len(n.Items) > 0 {
			p.key(key, func() { p.items(n) })
			return
		}
	}
	p.name(key)
	p.scalar(n, p.indent+1)
}

func (p *printer) entries(m *Map) {
	for _, e := range m.Entries {
		p.value(quoteNode(e.Key), e.Value)
	}
}

func (p *printer) items(l *List) {
	for _, item := range l.Items {
		p.item(func() { p.element(item) })
	}
}

// element prints a value behind "-".
func (p *printer) element(n Node) {
	switch n := n.(type) {
	case *Map:
		if len(n.Entries) > 0 {
			p.entries(n)
			return
		}
	case *List:
		if len(n.Items) > 0 {
			p.items(n)
			return
		}
	}
	p.inline = false
	p.scalar(n, p.indent)
}

// scalar prints " value" and ends the line. A block has the given margin.
func (p *printer) scalar(n Node, margin int) {
	l, ok := n.(*Lit)
	if !ok {
		p.b.WriteString(" " + quoteNode(n) + "\n")
		return
	}
	if s, ok := l.Value.(string); ok && blockSafe(s) {
		p.block(s, margin)
		return
	}
	p.b.WriteString(" " + quoteLiteral(l.Value) + "\n")
}

// block prints a string of several lines as a literal block.
func (p *printer) block(s string, margin int) {
	header := " |-\n"
	if strings.HasSuffix(s, "\n") {
		header, s = " |\n", s[:len(s)-1]
	}
	p.b.WriteString(header)
	for _, line := range strings.Split(s, "\n") {
		if line != "" {
			p.margin(margin)
			p.b.WriteString(line)
		}
		p.newline()
	}
}
