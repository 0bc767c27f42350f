package cli

import (
	"strings"
	"testing"
)

func TestArgument(t *testing.T) {
	for data, want := range map[string]string{
		"":                                     "",
		"{}":                                   "",
		"{":                                    "no JSON",
		`"a`:                                   "no JSON",
		"NaN":                                  "no JSON",
		`"` + strings.Repeat("x", 32766) + `"`: "",
		`"` + strings.Repeat("x", 32767) + `"`: "has 32769 bytes; the limit is 32768",
	} {
		_, err := argument(data)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.20s: %v", data, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.20s: got %v, want %s", data, err, want)
		}
	}
}
