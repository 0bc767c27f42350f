package spec

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/lazyregexp"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// str reads text; a number or a boolean needs quotes to be text.
func (r *reader) str(n *node) string {
	if n.isText() {
		return n.value
	}
	hint := ""
	if n.kind == scalar && !n.isNull() {
		hint = `put it in quotes: "` + n.value + `"`
	}
	r.errorf(n, "wrong-type", hint, "expected text, found %s", n.describe())
	return ""
}

// some reads text that is not empty.
func (r *reader) some(n *node) string {
	s := r.str(n)
	if n.isText() && strings.TrimSpace(s) == "" {
		r.errorf(n, "bad-value", "write it between the quotes, or leave the key out", "the text is empty")
		return ""
	}
	return s
}

// oneOf reads one of the words.
func (r *reader) oneOf(n *node, words ...string) string {
	s := r.str(n)
	for _, w := range words {
		if s == w {
			return s
		}
	}
	if n.isText() {
		r.errorf(n, "bad-value", didYouMean(s, words), "%s is not known here", quote(s))
	}
	return ""
}

// yes maps what people write for the booleans.
var yes = map[string]string{"yes": "true", "on": "true", "1": "true", "true": "true", "no": "false", "off": "false", "0": "false", "false": "false"}

func (r *reader) boolean(n *node) bool {
	if n.kind == scalar && n.tag == "!!bool" {
		return strings.EqualFold(n.value, "true")
	}
	hint := ""
	if word, ok := yes[strings.ToLower(n.value)]; ok && n.kind == scalar {
		hint = "did you mean " + word + "?"
	}
	r.errorf(n, "wrong-type", hint, "expected true or false, found %s", n.describe())
	return false
}

// integer reads a whole number.
func (r *reader) integer(n *node) (i int64, ok bool) {
	if n.kind != scalar || n.tag != "!!int" {
		r.errorf(n, "wrong-type", "", "expected a whole number, found %s", n.describe())
		return 0, false
	}
	digits := strings.TrimLeft(strings.ReplaceAll(n.value, "_", ""), "+")
	if unsigned := strings.TrimPrefix(digits, "-"); len(unsigned) > 1 && unsigned[0] == '0' && unsigned[1] <= '9' {
		r.errorf(n, "bad-value", "leave the leading zero out, or put it in quotes to keep it as text", "%s could be read as octal", n.value)
		return 0, false
	}
	i, err := strconv.ParseInt(digits, 0, 64)
	if err != nil {
		r.errorf(n, "bad-value", "put it in quotes to keep it as text", "%s does not fit a 64-bit whole number", quote(n.value))
		return 0, false
	}
	return i, true
}

// count reads a whole number that fits a machine's counts.
func (r *reader) count(n *node) int {
	i, ok := r.integer(n)
	if ok && (i < math.MinInt32 || i > math.MaxInt32) {
		r.errorf(n, "bad-value", "", "%d is out of range", i)
		return 0
	}
	return int(i)
}

// number reads a number of either type.
func (r *reader) number(n *node) (f float64, ok bool) {
	switch {
	case n.kind == scalar && n.tag == "!!int":
		i, ok := r.integer(n)
		return float64(i), ok
	case n.kind != scalar || n.tag != "!!float":
		r.errorf(n, "wrong-type", "", "expected a number, found %s", n.describe())
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(n.value, "_", ""), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		r.errorf(n, "bad-value", "put it in quotes to keep it as text", "%s is not a number that JSON can hold", quote(n.value))
		return 0, false
	}
	return f, true
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h|d) ?)+$`

var (
	durationForm = lazyregexp.New(durationPattern)
	durationPart = lazyregexp.New(`([0-9.]+)(ms|s|m|h|d)`)
	unitOf       = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
)

// maxDuration bounds what is read, so that a sum cannot overflow; what a task
// may take is checked later.
const maxDuration = 100 * 365 * 24 * time.Hour

// duration reads a duration such as 1h30m, 45s or 2d.
func (r *reader) duration(n *node) time.Duration {
	d, problem := parseDuration(n)
	if problem != "" {
		hint := "write it as 45s, 1h30m or 2d"
		if n.kind == scalar && n.tag == "!!int" {
			hint = "give the unit: " + n.value + "s, " + n.value + "m or " + n.value + "h"
		}
		r.errorf(n, "bad-value", hint, "%s", problem)
	}
	return d
}

func parseDuration(n *node) (d time.Duration, problem string) {
	if n.kind != scalar || !durationForm.MatchString(n.value) {
		return 0, "expected a duration, found " + n.describe()
	}
	sum := 0.0
	for _, part := range durationPart.FindAllStringSubmatch(n.value, -1) {
		f, err := strconv.ParseFloat(part[1], 64)
		if err != nil {
			return 0, "expected a duration, found " + n.describe()
		}
		sum += f * float64(unitOf[part[2]])
	}
	if sum > float64(maxDuration) {
		return 0, n.describe() + " is longer than a hundred years"
	}
	return time.Duration(math.Round(sum)), ""
}

const percentPattern = `^[0-9]+(\.[0-9]+)? ?%$`

var percentForm = lazyregexp.New(percentPattern)

// percent reads a percentage such as 1% as a share, 0.01.
func (r *reader) percent(n *node) float64 {
	if n.kind == scalar && percentForm.MatchString(n.value) {
		f, err := strconv.ParseFloat(strings.TrimRight(n.value, " %"), 64)
		if err == nil && f <= 100 {
			return f / 100
		}
	}
	r.errorf(n, "bad-value", "write it as 1% or 0.5%", "expected a percentage, found %s", n.describe())
	return 0
}

const sizePattern = `^[1-9][0-9]* ?(M|G|T)(i|B|iB)?$`

var sizeForm = lazyregexp.New(`^([1-9][0-9]*) ?(M|G|T)(?:i|B|iB)?$`)

// size reads a size such as 512Mi, 100GB or 1TB in mebibytes. As in Google
// Cloud's machines and disks, a GB is 2^30 bytes.
func (r *reader) size(n *node) (mebibytes int) {
	if n.kind == scalar {
		if m := sizeForm.FindStringSubmatch(n.value); m != nil {
			factor := map[string]int{"M": 1, "G": 1 << 10, "T": 1 << 20}[m[2]]
			if i, err := strconv.Atoi(m[1]); err == nil && i <= math.MaxInt32/factor {
				return i * factor
			}
		}
	}
	r.errorf(n, "bad-value", "write it as 512Mi, 100GB or 1TB", "expected a size, found %s", n.describe())
	return 0
}

const acceleratorPattern = `^(([1-9][0-9]*) ?(×|x) ?)?([A-Z][A-Z0-9_]+)$`

var acceleratorForm = lazyregexp.New(acceleratorPattern)

// accelerator reads NVIDIA_L4, 2 x NVIDIA_L4 or 2 × NVIDIA_L4.
func (r *reader) accelerator(n *node) (name string, count int) {
	if n.isText() {
		if m := acceleratorForm.FindStringSubmatch(n.value); m != nil {
			if m[2] == "" {
				return m[4], 1
			}
			if count, err := strconv.Atoi(m[2]); err == nil && count <= math.MaxInt32 {
				return m[4], count
			}
		}
	}
	r.errorf(n, "bad-value", "write it as NVIDIA_L4 or 2 × NVIDIA_L4", "expected an accelerator, found %s", n.describe())
	return "", 0
}

const budgetPattern = `^[1-9][0-9]* per day$`

var budgetForm = lazyregexp.New(`^([1-9][0-9]*) per day$`)

// budget reads a number of runs such as 4 per day.
func (r *reader) budget(n *node) (perDay int) {
	if n.kind == scalar {
		if m := budgetForm.FindStringSubmatch(n.value); m != nil {
			if i, err := strconv.Atoi(m[1]); err == nil && i <= math.MaxInt32 {
				return i
			}
		}
	}
	r.errorf(n, "bad-value", "write it as 4 per day", "expected a budget, found %s", n.describe())
	return 0
}

// otherNames maps what people from other tools write for a type.
var otherNames = map[string]pipeline.Type{
	"str": pipeline.String, "text": pipeline.String, "integer": pipeline.Int, "long": pipeline.Int,
	"float": pipeline.Double, "number": pipeline.Double, "boolean": pipeline.Bool,
	"array": pipeline.List, "dict": pipeline.Struct, "map": pipeline.Struct, "object": pipeline.Struct, "json": pipeline.Struct,
}

// typeName reads the name of a type.
func (r *reader) typeName(n *node) pipeline.Type {
	if !n.isText() {
		r.errorf(n, "wrong-type", "", "expected the name of a type, found %s", n.describe())
		return ""
	}
	var names []string
	for _, t := range pipeline.Types() {
		if string(t) == n.value {
			return t
		}
		names = append(names, string(t))
	}
	hint := didYouMean(n.value, names)
	if t, ok := otherNames[strings.ToLower(n.value)]; ok {
		hint = `did you mean "` + string(t) + `"?`
	}
	r.errorf(n, "unknown-type", hint, "there is no type %s", quote(n.value))
	return ""
}
