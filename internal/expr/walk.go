package expr

// Walk calls f for e and everything below it, parents first. Where f returns
// false the node's children are left out.
func Walk(e Expr, f func(Expr) bool) {
	if !f(e) {
		return
	}
	switch e := e.(type) {
	case *Member:
		Walk(e.X, f)
	case *Index:
		Walk(e.X, f)
		Walk(e.Key, f)
	case *Call:
		walkAll(e.Args, f)
	case *Unary:
		Walk(e.X, f)
	case *Binary:
		Walk(e.X, f)
		Walk(e.Y, f)
	case *List:
		walkAll(e.Items, f)
	}
}

func walkAll(list []Expr, f func(Expr) bool) {
	for _, e := range list {
		Walk(e, f)
	}
}
