package value

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func list(items ...Value) *List { return NewList(items...) }

func TestEqual(t *testing.T) {
	const big = 1<<53 + 1
	for _, c := range []struct {
		a, b Value
		want bool
	}{
		{Null{}, Null{}, true},
		{Null{}, Bool(false), false},
		{Int(1), Double(1), true},
		{Double(1), Int(1), true},
		{Int(big), Double(big), false}, // the double is another number
		{Int(-1 << 63), Double(-1 << 63), true},
		{Int(1<<63 - 1), Double(1 << 63), false},
		{Int(1), String("1"), false},
		{String("a"), Bytes("a"), false},
		{Int(1), Bool(true), false},
		{list(Int(1), Double(2)), list(Double(1), Int(2)), true},
		{list(Int(1)), list(Int(1), Int(1)), false},
		{list(), NewMap(), false},
		{NewMap().Put("a", Int(1)).Put("b", Int(2)), NewMap().Put("b", Int(2)).Put("a", Int(1)), true},
		{NewMap().Put("1", Int(1)), NewMap().PutKey(IntKey(1), Int(1)), false},
		{NewMap().Put("a", Null{}), NewMap().Put("b", Null{}), false},
	} {
		if got := Equal(c.a, c.b); got != c.want {
			t.Errorf("Equal(%v, %v) = %v", ToGo(c.a), ToGo(c.b), got)
		}
		if got := Equal(c.b, c.a); got != c.want {
			t.Errorf("Equal(%v, %v) = %v", ToGo(c.b), ToGo(c.a), got)
		}
	}
}

// TestSize takes its figures from the page on best practices.
func TestSize(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want int
	}{
		{Int(1), 8},
		{Bool(true), 8},
		{Double(1), 8},
		{String("a string of twenty-eight char"[:28]), 36},
		{String("é"), 10},
		{Bytes("abc"), 11},
		{list(), 8},
		{list(Int(1), String("a")), 8 + 8 + 9},
		{NewMap().Put("ab", Int(1)), 8 + 10 + 8},
		{NewMap().PutKey(IntKey(7), list(Int(1))), 8 + 8 + 16},
	} {
		if got := c.v.Size(); got != c.want {
			t.Errorf("Size of %v = %d, want %d", ToGo(c.v), got, c.want)
		}
	}
}

func TestSetPath(t *testing.T) {
	root := func() Value {
		v, err := FromJSON([]byte(`{"a":{"b":[1,{"c":2}]},"s":"x","n":null}`))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		path []Value
		want string // the root as JSON, or the tag of the error
	}{
		{[]Value{String("z")}, `{"a":{"b":[1,{"c":2}]},"s":"x","n":null,"z":9}`},
		{[]Value{String("a"), String("b"), Int(0)}, `{"a":{"b":[9,{"c":2}]},"s":"x","n":null}`},
		{[]Value{String("a"), String("b"), Int(1), String("d")}, `{"a":{"b":[1,{"c":2,"d":9}]},"s":"x","n":null}`},
		{[]Value{Int(3)}, `{"a":{"b":[1,{"c":2}]},"s":"x","n":null,"3":9}`},
		{[]Value{String("a"), String("b"), Int(2)}, "IndexError"},
		{[]Value{String("a"), String("b"), Int(-1)}, "IndexError"},
		{[]Value{String("a"), String("b"), String("0")}, "TypeError"},
		{[]Value{String("missing"), String("b")}, "KeyError"},
		{[]Value{String("s"), String("b")}, "TypeError"},
		{[]Value{String("n"), String("b")}, "TypeError"},
		{[]Value{Bool(true)}, "TypeError"},
	} {
		v, err := SetPath(root(), c.path, Int(9))
		var e *Error
		switch {
		case errors.As(err, &e):
			if !e.HasTag(Tag(c.want)) {
				t.Errorf("%v: %v, want %s", c.path, e, c.want)
			}
		case string(MustJSON(v)) != c.want:
			t.Errorf("%v: %s, want %s", c.path, MustJSON(v), c.want)
		}
	}
}

// TestSelfContainment stores containers in themselves: by value, so nothing
// becomes a cycle.
func TestSelfContainment(t *testing.T) {
	var m Value = NewMap().Put("a", NewMap().Put("b", Int(1)))
	Retain(m)
	for _, path := range [][]Value{{String("self")}, {String("a"), String("self")}, {String("a"), String("b")}} {
		m = store(t, m, path, m)
	}
	a, _ := Index(m, String("a"))
	m = store(t, m, []Value{String("a"), String("x")}, a)
	m = store(t, m, []Value{String("l")}, list(m, a))
	if m.Size() != measure(m) {
		t.Errorf("size %d, want %d", m.Size(), measure(m))
	}
}

// store assigns to a part of a variable that holds root.
func store(t *testing.T, root Value, path []Value, v Value) Value {
	t.Helper()
	changed, err := SetPath(root, path, v)
	if err != nil {
		t.Fatal(err)
	}
	if changed != root {
		Retain(changed)
	}
	return changed
}

// measure is Size without its cache.
func measure(v Value) int {
	n := 8
	switch v := v.(type) {
	case *List:
		for _, item := range v.Items() {
			n += measure(item)
		}
		return n
	case *Map:
		for k, item := range v.All() {
			n += k.Value().Size() + measure(item)
		}
		return n
	}
	return v.Size()
}

// TestCopyOnWrite does random assignments twice: with containers that are
// shared until they change, and with deep copies. Both must agree.
func TestCopyOnWrite(t *testing.T) {
	for seed := range uint64(150) {
		if err := compareWithCopies(rand.New(rand.NewPCG(seed, 1)), 150); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func compareWithCopies(r *rand.Rand, steps int) error {
	var shared, copied [4]Value
	for i := range shared {
		shared[i], copied[i] = Null{}, Null{}
	}
	for range steps {
		to, from := r.IntN(4), r.IntN(4)
		path := randomPath(r)
		switch r.IntN(6) {
		case 4: // a list that has one item more
			l, ok := shared[from].(*List)
			if !ok {
				continue
			}
			v, w := read(shared[r.IntN(4)], path), Clone(copied[from]).(*List)
			grown, first := l.With(v), r.IntN(3) == 0
			items := append(slices.Clone(w.Items()), Clone(v))
			if first {
				grown = l.WithFirst(v)
				items = append([]Value{Clone(v)}, w.Items()...)
			}
			Retain(grown)
			shared[to], copied[to] = grown, NewList(items...)
		case 0: // a new container
			v := randomValue(r, 3)
			Retain(v)
			shared[to], copied[to] = v, Clone(v)
		case 1: // a copy of another variable
			Retain(shared[from])
			shared[to], copied[to] = shared[from], Clone(copied[from])
		default: // a part of another variable becomes a part
			v, w := read(shared[from], path), read(copied[from], path)
			at := randomPath(r)
			a, err1 := SetPath(shared[to], at, v)
			b, err2 := SetPath(Clone(copied[to]), at, Clone(w))
			if (err1 == nil) != (err2 == nil) {
				return fmt.Errorf("errors differ: %v and %v", err1, err2)
			}
			if err1 == nil {
				if a != shared[to] {
					Retain(a)
				}
				shared[to], copied[to] = a, b
			}
		}
		for i := range shared {
			if !Equal(shared[i], copied[i]) {
				return fmt.Errorf("%s became %s", MustJSON(copied[i]), MustJSON(shared[i]))
			}
			if shared[i].Size() != measure(shared[i]) {
				return fmt.Errorf("size of %s is %d, want %d", MustJSON(shared[i]), shared[i].Size(), measure(shared[i]))
			}
		}
		if shared[to].Size() > 5000 {
			shared[to], copied[to] = Null{}, Null{}
		}
	}
	return nil
}

func read(v Value, path []Value) Value {
	for _, key := range path {
		part, err := Index(v, key)
		if err != nil {
			return v
		}
		v = part
	}
	return v
}

func randomPath(r *rand.Rand) []Value {
	path := make([]Value, r.IntN(4))
	for i := range path {
		if r.IntN(2) == 0 {
			path[i] = String(string(rune('a' + r.IntN(3))))
		} else {
			path[i] = Int(r.IntN(3))
		}
	}
	return path
}

func randomValue(r *rand.Rand, depth int) Value {
	switch n := r.IntN(5); {
	case depth > 0 && n < 2:
		m := NewMap()
		for range r.IntN(15) {
			m.Put(string(rune('a'+r.IntN(16))), randomValue(r, depth-1))
		}
		return m
	case depth > 0 && n < 4:
		items := make([]Value, r.IntN(4))
		for i := range items {
			items[i] = randomValue(r, depth-1)
		}
		return NewList(items...)
	}
	return []Value{Null{}, Bool(true), Int(r.Int64()), Double(r.NormFloat64()), String("text")}[r.IntN(5)]
}

func TestMapKeepsOrder(t *testing.T) {
	m := NewMap()
	for i := range 40 {
		m.Put(fmt.Sprint("k", (i*7)%40), Int(i))
	}
	m.Put("k7", Int(-1)) // replaced where it is
	i := 0
	for k, v := range m.Without(StringKey("k0")).All() {
		i++
		if want := fmt.Sprint("k", (i*7)%40); k.String() != want {
			t.Errorf("entry %d is %s, want %s", i, k, want)
		}
		if k.String() == "k7" && v != Value(Int(-1)) {
			t.Errorf("k7 is %v", v)
		}
	}
	if i != 39 || m.Len() != 40 {
		t.Errorf("%d and %d entries, want 39 and 40", i, m.Len())
	}
}

func TestFromGo(t *testing.T) {
	for _, c := range []struct {
		x    any
		want string
	}{
		{nil, "null"},
		{3, "3"},
		{int8(3), "3"},
		{3.0, "3.0"},
		{"x", `"x"`},
		{[]any{1, "a", nil}, `[1,"a",null]`},
		{map[string]any{"b": 1, "a": []any{}}, `{"a":[],"b":1}`},
		{struct {
			A int `json:"a"`
		}{4}, `{"a":4}`},
		{String("v"), `"v"`},
	} {
		v, err := FromGo(c.x)
		if err != nil {
			t.Errorf("%v: %v", c.x, err)
			continue
		}
		if got := string(MustJSON(v)); got != c.want {
			t.Errorf("%v: %s, want %s", c.x, got, c.want)
		}
	}
	if _, err := FromGo(make(chan int)); err == nil {
		t.Error("a channel became a value")
	}
	v, err := FromGo([]byte{1})
	if err != nil || v != Value(Bytes("\x01")) {
		t.Errorf("bytes became %v, %v", v, err)
	}
}

func TestPrintable(t *testing.T) {
	v := NewMap().Put("b", Bytes("hi")).Put("l", NewList(Func("f"), Double(1)))
	if got, want := string(MustJSON(Printable(v))), `{"b":"aGk=","l":["f",1.0]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestErrorMessage(t *testing.T) {
	system := Errorf(KeyError, "key not found: %s", "x").With("key", String("x"))
	raisedMap := &Error{Payload: NewMap().Put("message", String("m")), Raised: true}
	for _, c := range []struct {
		e    *Error
		want string
	}{
		{system, "key not found: x"},
		{raisedMap, `{"message":"m"}`},
		{&Error{Payload: String("oh"), Raised: true}, `"oh"`},
	} {
		if c.e.Error() != c.want {
			t.Errorf("%s, want %s", c.e, c.want)
		}
	}
	if !system.HasTag(KeyError) || system.HasTag(TypeError) || raisedMap.HasTag(KeyError) {
		t.Error("HasTag")
	}
}
