package rollout

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// ColdLabel marks the log entry of a request that started its instance, or
// was the first of its process. Its latency tells about scaling, not about the
// model: the thinner arm sleeps more and would lose every comparison.
const ColdLabel = "kakehi.dev/cold"

// Entry is what a rollout reads of a Cloud Logging LogEntry.
type Entry struct {
	LogName          string            `json:"logName"`
	Timestamp        time.Time         `json:"timestamp"`
	ReceiveTimestamp time.Time         `json:"receiveTimestamp"`
	Trace            string            `json:"trace"`
	Labels           map[string]string `json:"labels"`
	Resource         struct {
		Labels map[string]string `json:"labels"`
	} `json:"resource"`
	HTTPRequest *struct {
		RequestURL string `json:"requestUrl"`
		Status     int    `json:"status"`
		Latency    string `json:"latency"` // protobuf Duration: "0.012s"
	} `json:"httpRequest"`
}

// requestLog is the platform's own log of requests: it also has those that
// never reached the container (no instance, crash, timeout).
const requestLog = "run.googleapis.com%2Frequests"

// Filter selects the entries of a service received since the cursor of s: the
// platform's request log, and the model server's lines for cold requests.
//
// It goes by receive time: a request is logged when it ends, with the time of
// its start, so that by timestamp the slow ones would be missed.
func (s *Service) Filter(state State) string {
	project := "projects/" + s.Project() + "/logs/"
	return fmt.Sprintf(`resource.type="cloud_run_revision" AND resource.labels.service_name=%q`+
		` AND (logName=%q OR (logName=%q AND labels.%q="true"))`+
		` AND timestamp>=%q AND receiveTimestamp>%q`,
		s.ID(), project+requestLog, project+"run.googleapis.com%2Fstdout", ColdLabel,
		stamp(state.Started), stamp(state.Cursor))
}

// Settled is what may be counted of the first entries by time, when more follow.
// Those were received after they were made, which is after the last entry here
// was made: what was received until then is complete.
func Settled(entries []Entry) []Entry {
	if len(entries) == 0 {
		return nil
	}
	last := entries[len(entries)-1].Timestamp
	settled := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !e.ReceiveTimestamp.Before(last) })
	if len(settled) == 0 { // the log is that far behind: better some lost than no look at all
		return entries
	}
	return settled
}

// Count makes a sample of log entries. Requests to tag URLs are left out: they
// are probes and experiments, not the users' traffic. With p95 0 none is slow.
func Count(entries []Entry, state State, p95 time.Duration) Sample {
	cold := map[string]bool{}
	for _, e := range entries {
		if e.Labels[ColdLabel] == "true" && e.Trace != "" {
			cold[path.Base(e.Trace)] = true // a server that does not know its project logs the bare id
		}
	}
	var x Sample
	for _, e := range entries {
		if e.ReceiveTimestamp.After(x.Through) {
			x.Through = e.ReceiveTimestamp
		}
		if e.HTTPRequest == nil || e.HTTPRequest.Status == 0 || !strings.HasSuffix(e.LogName, requestLog) || tagged(e.HTTPRequest.RequestURL) {
			continue
		}
		isCold := e.Labels[ColdLabel] == "true" || cold[path.Base(e.Trace)]
		switch e.Resource.Labels["revision_name"] {
		case state.Candidate:
			x.Canary = x.Canary.plus(e.counts(isCold, p95))
		case state.Stable:
			x.Stable = x.Stable.plus(e.counts(isCold, p95))
		}
	}
	return x
}

// counts counts one request. 429 is the platform's answer when no instance
// came up in time, so it is the revision's failure; other 4xx may be the
// caller's.
func (e Entry) counts(cold bool, p95 time.Duration) Counts {
	c := Counts{Requests: 1}
	switch status := e.HTTPRequest.Status; {
	case status >= 500 || status == 429:
		c.Bad = 1
	case status >= 400:
		c.Refused = 1
	}
	if latency, err := time.ParseDuration(e.HTTPRequest.Latency); err == nil && !cold {
		c.Timed = 1
		if p95 > 0 && latency > p95 {
			c.Slow = 1
		}
	}
	return c
}

// tagged tells the host of a tag URL: https://TAG---SERVICE-….
func tagged(requestURL string) bool {
	u, err := url.Parse(requestURL)
	return err == nil && strings.Contains(u.Host, "---")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
