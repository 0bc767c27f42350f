package listing

import (
	"strings"
	"testing"
	"time"
)

func job(path []string) (any, bool) {
	labels := map[string]string{"run-id": "0f3a9c2e-1111-4222", "env": "prod"}
	switch strings.Join(path, ".") {
	case "state":
		return "JOB_STATE_FAILED", true
	case "display_name":
		return "penguins train", true
	case "create_time":
		return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), true
	case "duration":
		return 90 * time.Second, true
	case "attempt":
		return int64(3), true
	case "spot":
		return true, true
	case "end_time":
		return nil, true
	case "steps":
		return []string{"train", "evaluate"}, true
	case "labels":
		return labels, true
	}
	if len(path) == 2 && path[0] == "labels" {
		if v, ok := labels[path[1]]; ok {
			return v, true
		}
		return nil, true
	}
	return nil, false
}

func TestMatch(t *testing.T) {
	tests := []struct {
		filter string
		want   bool
	}{
		{"", true},
		{"  \n", true},
		{`state="JOB_STATE_FAILED"`, true},
		{`state=JOB_STATE_FAILED`, true},
		{`state = 'JOB_STATE_RUNNING'`, false},
		{`state!=JOB_STATE_FAILED`, false},
		{`NOT state=JOB_STATE_RUNNING`, true},
		{`-state=JOB_STATE_FAILED`, false},
		{`labels.run-id=0f3a9c2e-1111-4222 AND labels.env="prod"`, true},
		{`labels.run-id=0f3a9c2e-1111-4222 labels.env=dev`, false},
		{`labels."run-id":"0f3a9c2e"`, true},
		{`labels.gpu:*`, false},
		{`labels.env:*`, true},
		{`labels:env`, true},
		{`labels:gpu`, false},
		{`labels.gpu!=x`, true},
		{`labels:*`, true},
		{`end_time:*`, false},
		{`create_time:*`, true},
		{`duration:* AND attempt:* AND spot:* AND steps:* AND state:*`, true},
		{`display_name:"penguins*"`, true},
		{`display_name="penguins*"`, true},
		{`display_name="pen*tr*n"`, true},
		{`display_name="pen*q*n"`, false},
		{`display_name="penguins"`, false},
		{`create_time>"2026-02-28T00:00:00Z"`, true},
		{`create_time>2026-03-02`, false},
		{`create_time<=2026-03-01T12:00:00Z`, true},
		{`duration>1m`, true},
		{`duration < 90s`, false},
		{`attempt>=3 AND attempt<4`, true},
		{`spot=true`, true},
		{`spot=false`, false},
		{`end_time>2026-01-01`, false},
		{`steps=train`, true},
		{`steps=serve`, false},
		// OR binds tighter than AND.
		{`spot=false AND attempt=9 OR attempt=3`, false},
		{`(spot=false AND attempt=9) OR attempt=3`, true},
		{`NOT (attempt=9 OR attempt=8)`, true},
		{`display_name="penguins \"train"`, false},
	}
	for _, tt := range tests {
		f, err := Parse(tt.filter)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		if got, err := f.Match(job); err != nil || got != tt.want {
			t.Errorf("%s: got %v, %v; want %v", tt.filter, got, err, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ filter, want string }{
		{`state`, "character 6: expected a comparison"},
		{`state=`, "character 7: expected a name or a value"},
		{`=x`, "character 1: expected a name"},
		{`state="x`, "character 7: the string has no closing \""},
		{`(state=x`, "expected )"},
		{`state=x)`, `unexpected ")"`},
		{`state=x AND`, "expected a name"},
		{`nope=1`, `unknown field "nope"`},
		{`attempt=many`, "not a whole number"},
		{`create_time>yesterday`, "not a time"},
		{`duration>long`, "not a duration"},
		{`spot=maybe`, "not true or false"},
		{`labels>x`, "is a map"},
		{strings.Repeat("(", 100) + "a=1", "nested parentheses"},
		{strings.Repeat("a", maxLength+1), "longer than"},
	}
	for _, tt := range tests {
		f, err := Parse(tt.filter)
		if err == nil {
			_, err = f.Match(job)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: error %v, want %q", tt.filter, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`a=1 AND NOT (b:"x" OR c.d-e!=*)`, `-a<'\''`, `labels."x y":*`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if parsed, err := Parse(s); err == nil {
			_, _ = parsed.Match(job)
		}
	})
}
