package stdlib

import (
	"math"
	"time"
	_ "time/tzdata" // time zones, wherever the program runs

	"github.com/kakehi/kakehi/internal/value"
)

var times = []Entry{
	pure("time.format", `time.format(sys.now(), "America/New_York")`, []string{"seconds", "timezone"}, 1, timeFormat),
	pure("time.parse", `time.parse("2026-01-02T15:04:05Z")`, []string{"value"}, 1, func(a []value.Value) (value.Value, error) {
		s, err := textArg(a[0], "value")
		if err != nil {
			return nil, err
		}
		t, err := parseTime(s)
		if err != nil {
			return nil, err
		}
		return seconds(t), nil
	}),
}

// maxTime is the end of year 9999, the last that ISO 8601 can write.
const maxTime = 253402300799

func timeFormat(a []value.Value) (value.Value, error) {
	s, err := numberArg(a[0], "seconds")
	if err != nil {
		return nil, err
	}
	if math.IsNaN(s) || s < -62135596800 || s > maxTime {
		return nil, value.Errorf(value.ValueError, "%v seconds are outside the years 1 to 9999", s)
	}
	zone, err := optionalText(a[1], "timezone", "UTC")
	if err != nil {
		return nil, err
	}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, value.Errorf(value.ValueError, "unknown time zone %q", zone)
	}
	whole, fraction := math.Modf(s)
	micros := math.Round(fraction * 1e6) // what a double can tell apart today
	t := time.Unix(int64(whole), 0).Add(time.Duration(micros) * time.Microsecond)
	return value.String(t.In(place).Format("2006-01-02T15:04:05.999999Z07:00")), nil
}

// parseTime reads RFC 3339, and ISO 8601 without a zone, which means UTC.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, value.Errorf(value.ValueError, "cannot parse %q as a time: it must be like 2026-01-02T15:04:05Z", s)
}
