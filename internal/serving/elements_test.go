package serving

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzElements compares with encoding/json.
func FuzzElements(f *testing.F) {
	for _, list := range []string{`[]`, ` [ ] `, `[1]`, `[ 1 , "a,]\"[" ,{"a":[1,2],"b":"}"},[[],[3]] ,null]`, `[[[1,2]],"\\"]`, `["\\\"",1]`} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		var want []json.RawMessage
		if json.Unmarshal([]byte(list), &want) != nil || first(json.RawMessage(list)) != '[' {
			return
		}
		got := []json.RawMessage{}
		for i, v := range elements(json.RawMessage(list)) {
			if i != len(got) {
				t.Errorf("element %d has index %d", len(got), i)
			}
			got = append(got, v)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", list, diff)
		}
	})
}
