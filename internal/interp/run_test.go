package interp_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

func program(t testing.TB, src string) *interp.Program {
	t.Helper()
	f, err := workflow.Parse("main.yaml", []byte(src))
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, src)
	}
	p, err := interp.New(f, stdlib.Funcs())
	if err != nil {
		t.Fatalf("compile: %v\n%s", err, src)
	}
	return p
}

// virtual is a configuration in which time passes at once.
func virtual() interp.Config {
	return interp.Config{Clock: interp.NewVirtualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
}

func run(t testing.TB, src, arg string, cfg interp.Config) interp.Outcome {
	t.Helper()
	var v value.Value = value.Null{}
	if arg != "" {
		var err error
		if v, err = value.FromJSON([]byte(arg)); err != nil {
			t.Fatal(err)
		}
	}
	return program(t, src).Run(context.Background(), v, cfg)
}

// show is an outcome in one line: the result as JSON, or "! " and the payload
// of the error, or its tags if it has some.
func show(o interp.Outcome) string {
	switch o.State {
	case interp.Succeeded:
		return string(value.MustJSON(o.Result))
	case interp.Failed:
		if m, ok := o.Err.Payload.(*value.Map); ok {
			if tags, ok := m.Get("tags"); ok {
				return "! " + strings.Trim(strings.ReplaceAll(string(value.MustJSON(tags)), `"`, ""), "[]")
			}
		}
		return "! " + string(value.MustJSON(o.Err.Payload))
	}
	return string(o.State)
}
