package value

import (
	"fmt"
	"slices"
)

// Tag names a kind of error, as the tags of an error map do.
//
// Source: cloud.google.com/workflows/docs/reference/syntax/error-types.
type Tag string

// The tags.
const (
	AuthError                    Tag = "AuthError"
	ConnectionError              Tag = "ConnectionError"
	ConnectionFailedError        Tag = "ConnectionFailedError"
	ExecutionError               Tag = "ExecutionError"
	HTTPError                    Tag = "HttpError"
	IndexError                   Tag = "IndexError"
	KeyError                     Tag = "KeyError"
	MemoryLimitExceededError     Tag = "MemoryLimitExceededError"
	OperationError               Tag = "OperationError"
	OSError                      Tag = "OSError"
	ParallelNestingError         Tag = "ParallelNestingError"
	RecursionError               Tag = "RecursionError"
	ResourceLimitError           Tag = "ResourceLimitError"
	ResponseTypeError            Tag = "ResponseTypeError"
	ResultSizeLimitExceededError Tag = "ResultSizeLimitExceededError"
	RuntimeError                 Tag = "RuntimeError"
	SystemError                  Tag = "SystemError"
	TimeoutError                 Tag = "TimeoutError"
	TypeError                    Tag = "TypeError"
	UnhandledBranchError         Tag = "UnhandledBranchError"
	ValueError                   Tag = "ValueError"
	ZeroDivisionError            Tag = "ZeroDivisionError"
)

// Error is an error that a workflow raised or the system raised in it.
type Error struct {
	// Payload is what an except step sees: a map with message and tags for an
	// error of the system, else whatever the workflow raised.
	Payload Value
	// Raised says that a raise step raised it.
	Raised bool
	// Fatal errors end the execution; the workflow cannot catch them.
	Fatal bool
}

// NewError returns an error of the system with a message and its tags.
func NewError(message string, tags ...Tag) *Error {
	items := make([]Value, len(tags))
	for i, t := range tags {
		items[i] = String(t)
	}
	return &Error{Payload: NewMap().Put("message", String(message)).Put("tags", NewList(items...))}
}

// Errorf returns an error of the system with one tag.
func Errorf(tag Tag, format string, args ...any) *Error {
	return NewError(fmt.Sprintf(format, args...), tag)
}

// LimitError returns an error of the system about an exhausted resource, which
// ends the execution.
func LimitError(message string, tags ...Tag) *Error {
	e := NewError(message, append(tags, ResourceLimitError)...)
	e.Fatal = true
	return e
}

// With adds a key to the payload of an error of the system and returns e.
func (e *Error) With(key string, v Value) *Error {
	if m, ok := e.Payload.(*Map); ok {
		m.Put(key, v)
	}
	return e
}

// Tags returns the tags of the payload.
func (e *Error) Tags() []Tag {
	m, ok := e.Payload.(*Map)
	if !ok {
		return nil
	}
	v, _ := m.Get("tags")
	l, ok := v.(*List)
	if !ok {
		return nil
	}
	var tags []Tag
	for _, item := range l.items {
		if s, ok := item.(String); ok {
			tags = append(tags, Tag(s))
		}
	}
	return tags
}

// HasTag reports whether the payload carries the tag.
func (e *Error) HasTag(t Tag) bool { return slices.Contains(e.Tags(), t) }

// Message returns the payload's message, or the payload as JSON.
func (e *Error) Message() string {
	if m, ok := e.Payload.(*Map); ok && !e.Raised {
		if s, ok := m.Get("message"); ok {
			if s, ok := s.(String); ok {
				return string(s)
			}
		}
	}
	return string(MustJSON(Printable(e.Payload)))
}

// Error implements error.
func (e *Error) Error() string { return e.Message() }
