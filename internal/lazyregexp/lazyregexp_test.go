package lazyregexp

import "testing"

func TestCompilesAtFirstUse(t *testing.T) {
	r := New(`^a+$`)
	if !r.MatchString("aaa") || r.MatchString("b") {
		t.Error("matches wrongly")
	}
	bad := New(`(`) // no panic yet
	defer func() {
		if recover() == nil {
			t.Error("an invalid expression was used without a panic")
		}
	}()
	bad.MatchString("")
}
