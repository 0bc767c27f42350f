package vertex

import (
	"sort"
	"strings"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
)

// variables is the environment of a container. In a value, $(NAME) stands for a
// variable set before, $$(NAME) for the text $(NAME); an unknown name stays.
//
// Source: EnvVar of google.cloud.aiplatform.v1.
type variables struct {
	list   []string // KEY=value
	values map[string]string
}

func newVariables(list []string) *variables {
	v := &variables{values: map[string]string{}}
	v.add(list...)
	return v
}

// add sets variables as they are.
func (v *variables) add(list ...string) {
	for _, pair := range list {
		key, value, _ := strings.Cut(pair, "=")
		v.values[key] = value
		v.list = append(v.list, pair)
	}
}

// addEnv sets a container's own variables.
func (v *variables) addEnv(env []*pb.EnvVar) {
	for _, e := range env {
		v.add(e.Name + "=" + v.expand(e.Value))
	}
}

func (v *variables) expandAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = v.expand(s)
	}
	return out
}

func (v *variables) expand(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "("), ")")
		value, known := v.values[name]
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			s = after[1:]
			if !strings.HasPrefix(s, "(") {
				b.WriteByte('$') // only $$( is an escape
			}
		case strings.HasPrefix(after, "(") && closed && known:
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
			s = after
		}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
