package interp

import (
	"fmt"

	"github.com/kakehi/kakehi/internal/value"
)

// limitError is an error that the workflow cannot catch.
func limitError(message string, tags ...value.Tag) *value.Error {
	e := value.NewError(message, append(tags, value.ResourceLimitError)...)
	e.Fatal = true
	return e
}

// countStep counts one executed step.
func (x *Execution) countStep() error {
	x.steps++
	if x.steps > int64(x.limits.Steps) {
		return limitError(fmt.Sprintf("the execution ran more than %d steps", x.limits.Steps))
	}
	return nil
}

func (x *Execution) checkString(length int) error {
	if length > x.limits.StringBytes {
		return limitError(fmt.Sprintf("a string of %d bytes is longer than %d", length, x.limits.StringBytes), value.MemoryLimitExceededError)
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
		return limitError(fmt.Sprintf("the variables take %d bytes of memory; the limit is %d", x.memory, x.limits.MemoryBytes),
			value.MemoryLimitExceededError)
	}
	return nil
}
