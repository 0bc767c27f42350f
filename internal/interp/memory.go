package interp

import (
	"fmt"

	"github.com/kakehi/kakehi/internal/value"
)

// countStep counts one executed step.
func (x *Execution) countStep() error {
	x.steps++
	if x.steps > int64(x.limits.Steps) {
		return value.LimitError(fmt.Sprintf("the execution ran more than %d steps", x.limits.Steps))
	}
	return nil
}

// checkStrings checks all strings in a value from outside. It looks at values
// only that are large enough to have one that is too long.
func (x *Execution) checkStrings(v value.Value) error {
	if v.Size() <= x.limits.StringBytes {
		return nil
	}
	switch v := v.(type) {
	case value.String:
		return x.checkString(len(v))
	case *value.List:
		for _, item := range v.Items() {
			if err := x.checkStrings(item); err != nil {
				return err
			}
		}
	case *value.Map:
		for _, item := range v.All() {
			if err := x.checkStrings(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *Execution) checkString(length int) error {
	if length > x.limits.StringBytes {
		return value.LimitError(fmt.Sprintf("a string of %d bytes is longer than %d", length, x.limits.StringBytes), value.MemoryLimitExceededError)
	}
	return nil
}

// store sets a variable.
func (x *Execution) store(f *frame, ref varRef, v value.Value) error {
	value.Retain(v)
	e := ref.env(f)
	if old := e.vars[ref.slot]; old != nil {
		x.memory -= old.Size()
	}
	e.vars[ref.slot] = v
	x.memory += v.Size()
	return x.checkMemory()
}

// storePart sets a part of a variable.
func (x *Execution) storePart(f *frame, ref varRef, path []value.Value, v value.Value) error {
	e := ref.env(f)
	root := e.vars[ref.slot]
	before := 0
	if root == nil {
		root = value.Null{}
	} else {
		before = root.Size()
	}
	changed, err := value.SetPath(root, path, v)
	if err != nil {
		return err
	}
	if changed != root {
		value.Retain(changed)
		e.vars[ref.slot] = changed
	}
	x.memory += changed.Size() - before
	return x.checkMemory()
}

// clear drops the variables from slot first on.
func (x *Execution) clear(e *env, first int) {
	for i := first; i < len(e.vars); i++ {
		if v := e.vars[i]; v != nil {
			x.memory -= v.Size()
			e.vars[i] = nil
		}
	}
}

func (x *Execution) checkMemory() error {
	if x.memory > x.limits.MemoryBytes {
		return value.LimitError(fmt.Sprintf("the variables take %d bytes of memory; the limit is %d", x.memory, x.limits.MemoryBytes),
			value.MemoryLimitExceededError)
	}
	return nil
}
