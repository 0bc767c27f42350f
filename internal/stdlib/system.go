package stdlib

import (
	"slices"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

var system = []Entry{
	{Name: "sys.get_env", Example: `sys.get_env("GOOGLE_CLOUD_PROJECT_ID")`,
		Func: interp.Func{Params: []string{"name", "default"}, Required: 1, Eval: getEnv}},
	{Name: "sys.log", Example: `sys.log: {data: "hello", severity: INFO}`,
		Func: interp.Func{Params: []string{"data", "severity", "text", "json", "timeout"}, Start: sysLog}},
	{Name: "sys.now", Example: `sys.now()`,
		Func: interp.Func{Eval: func(c *interp.Context, _ []value.Value) (value.Value, error) { return seconds(c.Now()), nil }}},
	{Name: "sys.sleep", Example: `sys.sleep: {seconds: 10}`,
		Func: interp.Func{Params: []string{"seconds"}, Required: 1, Start: sleep}},
	{Name: "sys.sleep_until", Example: `sys.sleep_until: {time: "2026-01-02T15:04:05Z"}`,
		Func: interp.Func{Params: []string{"time"}, Required: 1, Start: sleepUntil}},
}

// getEnv gives null for a variable that is not set and has no default (choice
// env-unset).
func getEnv(c *interp.Context, a []value.Value) (value.Value, error) {
	name, err := textArg(a[0], "name")
	if err != nil {
		return nil, err
	}
	if v, ok := c.Env(name); ok {
		return value.String(v), nil
	}
	if a[1] != nil {
		return a[1], nil
	}
	return value.Null{}, nil
}

var severities = []string{"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"}

func sysLog(c *interp.Context, a []value.Value) interp.Next {
	severity, err := optionalText(a[1], "severity", "DEFAULT")
	if err != nil {
		return interp.Fail(err)
	}
	if !slices.Contains(severities, severity) {
		return interp.Fail(value.Errorf(value.ValueError, "unknown severity %q", severity))
	}
	entry := interp.LogEntry{Severity: severity}
	data, text, json := a[0], a[2], a[3]
	switch {
	case data != nil && text == nil && json == nil:
		err = logData(&entry, data)
	case text != nil && data == nil && json == nil:
		entry.Text, err = textArg(text, "text")
	case json != nil && data == nil && text == nil:
		entry.JSON, err = mapArg(json, "json")
	default:
		err = value.Errorf(value.TypeError, "sys.log takes exactly one of data, text and json")
	}
	if err != nil {
		return interp.Fail(err)
	}
	c.Log(entry)
	return interp.Done(value.Null{})
}

// logData writes a map as jsonPayload and anything else as text.
func logData(e *interp.LogEntry, data value.Value) error {
	if m, ok := data.(*value.Map); ok {
		e.JSON = m
		return nil
	}
	if s, ok := interp.Text(data); ok {
		e.Text = s
		return nil
	}
	text, err := value.ToJSON(data)
	if err != nil {
		return value.Errorf(value.TypeError, "cannot log a value of type %s: %v", value.Type(data), err)
	}
	e.Text = string(text)
	return nil
}

func sleep(c *interp.Context, a []value.Value) interp.Next {
	d, err := durationArg(a[0], "seconds", 0, c.Limits().MaxSleep)
	if err != nil {
		return interp.Fail(err)
	}
	return interp.Do(interp.Sleep{For: d}, woken)
}

func sleepUntil(c *interp.Context, a []value.Value) interp.Next {
	s, err := textArg(a[0], "time")
	if err != nil {
		return interp.Fail(err)
	}
	t, err := parseTime(s)
	if err != nil {
		return interp.Fail(err)
	}
	if left := t.Sub(c.Now()).Seconds(); left > float64(c.Limits().MaxSleep) {
		return interp.Fail(value.Errorf(value.ValueError, "%s is more than %d seconds away", s, c.Limits().MaxSleep))
	}
	return interp.Do(interp.Sleep{Until: t}, woken)
}

func woken(interp.Result) interp.Next { return interp.Done(value.Null{}) }
