package value

// Index returns the part of v that key names: an item of a list or a value of
// a map. The errors are KeyError, IndexError and TypeError.
func Index(v, key Value) (Value, error) {
	switch c := v.(type) {
	case *Map:
		k, ok := KeyOf(key)
		if !ok {
			return nil, Errorf(TypeError, "a map key must be a string or an integer; got: %s", Type(key))
		}
		if part, ok := c.Lookup(k); ok {
			return part, nil
		}
		return nil, Errorf(KeyError, "key not found: %s", k)
	case *List:
		i, err := c.index(key)
		if err != nil {
			return nil, err
		}
		return c.items[i], nil
	}
	return nil, Errorf(TypeError, "cannot read %s of a value of type %s: only a map or a list has parts", step(key), Type(v))
}

// index returns key as a position in l.
func (l *List) index(key Value) (int, error) {
	i, ok := key.(Int)
	if !ok {
		return 0, Errorf(TypeError, "a list index must be an integer; got: %s", Type(key))
	}
	if i < 0 || int64(i) >= int64(len(l.items)) {
		return 0, Errorf(IndexError, "list index out of range: %d (the list has %d items)", i, len(l.items))
	}
	return int(i), nil
}

// Contains implements the operator in: membership of a list, or of the keys of
// a map.
func Contains(v, container Value) (bool, error) {
	switch c := container.(type) {
	case *List:
		for _, item := range c.items {
			if Equal(v, item) {
				return true, nil
			}
		}
		return false, nil
	case *Map:
		k, ok := KeyOf(v)
		return ok && c.find(k) >= 0, nil
	}
	return false, Errorf(TypeError, "The argument of 'in' must be a dict or an array; got: %s", Type(container))
}
