package workflow

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCalls(t *testing.T) {
	f, err := Parse("main.yaml", []byte(`
main:
  steps:
    - a:
        assign: [{x: ["${in_assign()}"]}, {"x[in_target()]": 1}]
    - b:
        call: sys.log
        args: {text: {k: "${in_args(nested(1))}", "${in_key()}": 1}}
    - c:
        switch:
          - condition: ${in_condition()}
            call: in_arm
    - d:
        for: {value: v, in: "${in_for()}", steps: [{s: {call: in_loop}}]}
    - e:
        parallel: {concurrency_limit: "${in_limit()}", for: {value: v, range: ["${in_range()}", 2], steps: [{s2: {raise: "${in_raise()}"}}]}}
    - f:
        try: {call: in_try}
        retry: {predicate: "${in_predicate()}", max_retries: "${in_max()}", backoff: {initial_delay: "${in_delay()}", max_delay: 1, multiplier: 1}}
        except: {as: e, steps: [{s3: {return: "${in_return()}"}}]}
sub:
  steps: [{s: {call: in_sub}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`in_args in_arm in_assign in_condition in_delay in_for in_key in_limit in_loop in_max in_predicate
		in_raise in_range in_return in_sub in_target in_try nested sys.log`)
	if d := cmp.Diff(want, Calls(f)); d != "" {
		t.Error(d)
	}
}
