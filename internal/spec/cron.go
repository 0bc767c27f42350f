package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cronPattern is the form of the five fields of cron.
const cronPattern = `^[0-9*,/-]+ [0-9*,/-]+ [0-9*,/-]+ [A-Za-z0-9*,/-]+ [A-Za-z0-9*,/-]+$`

// A cronField is what one field of cron may hold
// (cloud.google.com/scheduler/docs/configuring/cron-job-schedules).
type cronField struct {
	name        string
	least, most int
	words       []string // instead of numbers, from least on
}

var cronFields = []cronField{
	{name: "minute", most: 59},
	{name: "hour", most: 23},
	{name: "day", least: 1, most: 31},
	{name: "month", least: 1, most: 12, words: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")},
	{name: "weekday", most: 7, words: strings.Fields("SUN MON TUE WED THU FRI SAT")},
}

// cron reads a cron expression of five fields.
func (r *reader) cron(n *node) string {
	s := r.str(n)
	if !n.isText() {
		return s
	}
	const hint = `minute, hour, day, month, weekday: "0 6 * * MON"`
	given := strings.Split(s, " ")
	if len(given) != len(cronFields) {
		r.errorf(n, "bad-value", hint, "%s is not a cron expression, which has five fields", quote(s))
		return s
	}
	for i, field := range cronFields {
		if problem := field.problem(given[i]); problem != "" {
			r.errorf(n, "bad-value", hint, "%s is not a cron expression: %s", quote(s), problem)
		}
	}
	return s
}

// problem says what is wrong with a field's text; "" when nothing is.
func (f cronField) problem(text string) string {
	for item := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(item, "/")
		if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) {
			return fmt.Sprintf("%q is no step of the %s", step, f.name)
		}
		if span == "*" {
			continue
		}
		from, to, ranged := strings.Cut(span, "-")
		if !ranged {
			to = from
		}
		a, okA := f.number(from)
		b, okB := f.number(to)
		if !okA || !okB || a > b {
			return fmt.Sprintf("the %s is %d to %d, not %q", f.name, f.least, f.most, span)
		}
	}
	return ""
}

func (f cronField) number(text string) (n int, ok bool) {
	if i := slices.Index(f.words, strings.ToUpper(text)); i >= 0 {
		return f.least + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.least && n <= f.most
}
