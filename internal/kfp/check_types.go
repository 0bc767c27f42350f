package kfp

import (
	"math"
	"strings"
)

// describe names a type as people do.
func (t Type) describe() string {
	switch t {
	case Integer:
		return "an integer"
	case Double:
		return "a double"
	case Boolean:
		return "a boolean"
	case ListType:
		return "a list"
	case StructType:
		return "a struct"
	case TaskFinalStatus:
		return "the final status of a task"
	case TaskConfigType:
		return "the configuration of a task"
	}
	return "a string"
}

func (t Type) isNumber() bool { return t == Integer || t == Double }

// assignable reports whether a value of one type is taken for another: a string
// takes anything as its JSON text, and JSON does not tell numbers apart.
func assignable(to, from Type) bool {
	switch {
	case to == "", from == "": // not known
		return true
	case to == from, to == String, to.isNumber() && from.isNumber():
		return true
	case to == TaskFinalStatus, to == TaskConfigType:
		return from == StructType
	case to == StructType:
		return from == TaskFinalStatus || from == TaskConfigType
	}
	return false
}

// ports checks the defaults of inputs, and the values that they are limited to.
func (c *checker) ports(ports *Ports) {
	for _, p := range ports.Parameters {
		for _, v := range p.Literals {
			if !valueOf(v, p.Type) {
				c.errorf(v.Pos(), show(v), "type-mismatch", "", "the parameter %q is %s, which %s is not", p.Name, p.Type.describe(), show(v))
			}
		}
		if lit, ok := p.Default.(*Lit); ok && lit.V == nil {
			continue
		}
		switch text, _ := p.Default.(*Text); {
		case p.Default == nil, text != nil && text.Value == "": // as components of version 1 say nothing
		case !valueOf(p.Default, p.Type): // KFP hands it on as it is
			c.warnf(p.Default.Pos(), show(p.Default), "type-mismatch", "", "the parameter %q is %s, and its default is %s", p.Name, p.Type.describe(), show(p.Default))
		default:
			c.fits(p.Default, p, "the default of")
		}
	}
}

// fits checks that a value may be given to a parameter.
func (c *checker) fits(v Value, p *Parameter, what string) {
	switch {
	case v == nil:
	case !valueOf(v, p.Type):
		c.errorf(v.Pos(), show(v), "type-mismatch", "", "%s %q is %s, not %s", what, p.Name, p.Type.describe(), show(v))
	case !allowed(v, p.Literals):
		var list []string
		for _, l := range p.Literals {
			list = append(list, show(l))
		}
		c.errorf(v.Pos(), show(v), "bad-value", "it is one of "+strings.Join(list, ", "), "%s %q may not be %s", what, p.Name, show(v))
	}
}

// allowed reports whether a value is one of those that a parameter is limited
// to. Placeholders are not known yet.
func allowed(v Value, literals []Value) bool {
	if literals == nil || templated(v) {
		return true
	}
	for _, l := range literals {
		if equal(v, l) {
			return true
		}
	}
	return false
}

func templated(v Value) bool {
	t, ok := v.(*Text)
	return ok && t.Parts != nil
}

// valueOf reports whether a value is of a type. A text with placeholders may
// turn out to be of any.
func valueOf(v Value, t Type) bool {
	if t == "" {
		return true
	}
	switch v := v.(type) {
	case *Text:
		return t == String || v.Parts != nil
	case *List:
		return t == ListType || t == String
	case *Struct:
		return t == StructType || t == String || t == TaskFinalStatus || t == TaskConfigType
	case *Lit:
		switch x := v.V.(type) {
		case bool:
			return t == Boolean || t == String
		case int64:
			return t.isNumber() || t == String
		case float64:
			return t == Double || t == String || t == Integer && x == math.Trunc(x)
		}
	}
	return true // null: not given
}
