package stdlib

import "github.com/kakehi/kakehi/internal/value"

var collections = []Entry{
	pure("list.concat", `list.concat(list, 3)`, []string{"objs", "val"}, 2, func(a []value.Value) (value.Value, error) {
		l, err := listArg(a[0], "objs")
		if err != nil {
			return nil, err
		}
		return l.With(a[1]), nil
	}),
	pure("list.prepend", `list.prepend(list, 3)`, []string{"objs", "val"}, 2, func(a []value.Value) (value.Value, error) {
		l, err := listArg(a[0], "objs")
		if err != nil {
			return nil, err
		}
		return l.WithFirst(a[1]), nil
	}),
	pure("map.delete", `map.delete(m, "key")`, []string{"map", "key"}, 2, func(a []value.Value) (value.Value, error) {
		m, err := mapArg(a[0], "map")
		if err != nil {
			return nil, err
		}
		k, ok := value.KeyOf(a[1])
		if !ok {
			return nil, wrongType("key", "a string or an integer", a[1])
		}
		return m.Without(k), nil // (choice map-delete-missing)
	}),
	pure("map.get", `map.get(m, ["a", "b"])`, []string{"map", "keys"}, 2, mapGet),
	pure("map.merge", `map.merge(a, b)`, []string{"first", "second"}, 2, merger(func(_, second value.Value) value.Value { return second })),
	pure("map.merge_nested", `map.merge_nested(a, b)`, []string{"first", "second"}, 2, merger(mergeNested)),
}

func mapGet(a []value.Value) (value.Value, error) {
	keys := []value.Value{a[1]}
	if l, ok := a[1].(*value.List); ok {
		keys = l.Items()
	}
	v := a[0]
	for _, key := range keys {
		k, ok := value.KeyOf(key)
		if !ok {
			return nil, wrongType("keys", "a string or a list of strings", key)
		}
		m, ok := v.(*value.Map)
		if !ok {
			return value.Null{}, nil
		}
		if v, ok = m.Lookup(k); !ok {
			return value.Null{}, nil
		}
	}
	return v, nil
}

// merger merges two maps; both says what becomes of a key that is in both.
func merger(both func(first, second value.Value) value.Value) function {
	return func(a []value.Value) (value.Value, error) {
		first, err := mapArg(a[0], "first")
		if err != nil {
			return nil, err
		}
		second, err := mapArg(a[1], "second")
		if err != nil {
			return nil, err
		}
		return merge(first, second, both), nil
	}
}

func merge(first, second *value.Map, both func(first, second value.Value) value.Value) *value.Map {
	out := first.Copy()
	for k, v := range second.All() {
		if old, ok := first.Lookup(k); ok {
			v = both(old, v)
		}
		out.PutKey(k, v)
	}
	return out
}

func mergeNested(first, second value.Value) value.Value {
	a, ok1 := first.(*value.Map)
	b, ok2 := second.(*value.Map)
	if ok1 && ok2 {
		return merge(a, b, mergeNested)
	}
	return second
}
