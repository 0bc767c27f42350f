//go:build unix

package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/run/apiv2/runpb"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestScaleFromZero(t *testing.T) {
	c := newCloud(t, func(o *Options) { o.IdleTimeout = 100 * time.Millisecond })
	svc := c.create("s", newSpec("ok"))
	rev := svc.LatestReadyRevision
	eventually(t, "the verified instance becomes idle", func() bool { return c.instances(rev) == 0 })
	const requests = 50
	pids := make(chan int, requests)
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() { pids <- c.ask(svc.Uri).PID })
	}
	wg.Wait()
	close(pids)
	distinct := map[int]int{}
	for pid := range pids {
		distinct[pid]++
	}
	if len(distinct) != 1 || distinct[0] > 0 {
		t.Errorf("requests by instance: %v, want all in one", distinct)
	}
	cold := 0
	for _, e := range c.requests(requests) {
		if e.Labels[ColdLabel] == "true" {
			cold++
		}
	}
	if cold == 0 {
		t.Error("no request was logged as cold")
	}
	eventually(t, "the instance stops", func() bool {
		for pid := range distinct {
			if alive(pid) {
				return false
			}
		}
		return c.instances(rev) == 0
	})
}

func TestTraffic(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	c := newCloud(t, func(o *Options) {
		o.Draw = func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return source.IntN(n)
		}
	})
	svc := c.create("s", newSpec("ok", "GREETING=stable"))
	candidate := newSpec("ok", "GREETING=canary")
	candidate.Name, candidate.Template.Revision = svc.Name, "s-canary"
	candidate.Traffic = []*runpb.TrafficTarget{
		{Type: byRevision, Revision: lastSegment(svc.LatestReadyRevision), Percent: 95},
		{Type: byRevision, Revision: "s-canary", Percent: 5, Tag: "canary"},
	}
	if _, err := c.update(candidate); err != nil {
		t.Fatal(err)
	}
	// The choice itself, over many draws: χ² with one degree of freedom.
	const draws = 100_000
	rt, counts := c.run.routes.get(serviceName{project, "us-central1", "s"}), map[string]int{}
	for range draws {
		revision, _ := rt.choose("", c.run.Draw)
		counts[revision]++
	}
	expected := map[string]float64{lastSegment(svc.LatestReadyRevision): 0.95 * draws, "s-canary": 0.05 * draws}
	chi2 := 0.0
	for revision, want := range expected {
		d := float64(counts[revision]) - want
		chi2 += d * d / want
	}
	if chi2 > 10.8 { // p = 0.001
		t.Errorf("counts %v: χ² = %.1f", counts, chi2)
	}
	seen := map[string]int{}
	for range 200 {
		seen[c.ask(svc.Uri).Greeting]++
	}
	if seen["canary"] == 0 || seen["canary"] > 30 || seen["stable"]+seen["canary"] != 200 {
		t.Errorf("answers %v", seen)
	}
	for range 5 {
		if got := c.ask("https://canary---s-123456789012.us-central1.run.app").Greeting; got != "canary" {
			t.Errorf("the tag's URL answers %q", got)
		}
	}
	if code, _ := c.call("https://other---s-123456789012.us-central1.run.app"); code != 404 {
		t.Errorf("an unknown tag answers %d", code)
	}
}

func TestHosts(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	if len(svc.Urls) != 2 || !strings.HasSuffix(svc.Urls[1], "-uc.a.run.app") {
		t.Fatalf("URLs %v", svc.Urls)
	}
	for _, url := range svc.Urls {
		c.ask(url + "/a/b?c=d")
	}
	for _, host := range []string{
		"t-123456789012.us-central1.run.app", "s-123456789012.us-east1.run.app", "s-1.us-central1.run.app",
		"s.run.app", "run.app", "s-123456789012.us-central1.example.com", "---.us-central1.run.app",
	} {
		if code, _ := c.call("https://" + host); code != 404 {
			t.Errorf("%s answers %d", host, code)
		}
	}
}

func TestInvokerCheck(t *testing.T) {
	c := newCloud(t, nil)
	spec := newSpec("ok")
	spec.InvokerIamDisabled = false
	spec.CustomAudiences = []string{"https://penguins.example.com"}
	svc := c.create("s", spec)
	tagged := &runpb.Service{Name: svc.Name, Traffic: []*runpb.TrafficTarget{{Type: latest, Percent: 100, Tag: "t"}}}
	svc, err := c.update(tagged, "traffic")
	if err != nil {
		t.Fatal(err)
	}
	tagURL := svc.TrafficStatuses[0].Uri
	token := func(account, audience string) string {
		t.Helper()
		token, err := c.auth.IDToken(t.Context(), account+"@kakehi-local.iam.gserviceaccount.com", audience)
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + token
	}
	access, err := c.auth.AccessToken(t.Context(), "workflows@kakehi-local.iam.gserviceaccount.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[int]string{
		401: "Your client does not have permission to the requested URL <code>/",
		403: "Your client does not have permission to get URL <code>/</code> from this server.",
	}
	for _, x := range []struct {
		name, url string
		header    string
		want      int
	}{
		{"no token", svc.Uri, "", 403},
		{"invoker", svc.Uri, token("workflows", svc.Uri), 200},
		{"other header", svc.Uri, strings.Replace(token("workflows", svc.Uri), "Authorization", "X-Serverless-Authorization", 1), 200},
		{"hash audience", svc.Uri, token("workflows", svc.Urls[1]), 200},
		{"custom audience", svc.Uri, token("workflows", "https://penguins.example.com"), 200},
		{"tag with the service's audience", tagURL, token("workflows", svc.Uri), 200},
		{"tag with its audience", tagURL, token("workflows", tagURL), 200},
		{"service with a tag's audience", svc.Uri, token("workflows", tagURL), 401},
		{"audience with a path", svc.Uri + "/a", token("workflows", svc.Uri+"/a"), 401},
		{"access token", svc.Uri, "Authorization: Bearer " + access, 401},
		{"garbage", svc.Uri, "Authorization: Bearer x.y.z", 401},
		{"basic", svc.Uri, "Authorization: Basic dTpw", 401},
		{"no invoker", svc.Uri, token("trainer", svc.Uri), 403},
	} {
		t.Run(x.name, func(t *testing.T) {
			var headers []string
			if x.header != "" {
				headers = append(headers, x.header)
			}
			code, body := c.call(x.url, headers...)
			if code != x.want || !strings.Contains(body, pages[code]) {
				t.Errorf("%d, want %d: %s", code, x.want, body)
			}
		})
	}
	if r := c.ask(svc.Uri, token("workflows", svc.Uri)); !strings.HasSuffix(r.Header.Get("Authorization"), ".SIGNATURE_REMOVED_BY_GOOGLE") {
		t.Errorf("the container saw the token %q", r.Header.Get("Authorization"))
	}
	open := &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/run.invoker", Members: []string{"allUsers"}}}}
	if _, err := c.services.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: svc.Name, Policy: open}); err != nil {
		t.Fatal(err)
	}
	if code, _ := c.call(svc.Uri); code != 200 {
		t.Errorf("open to all users: %d", code)
	}
}

func TestCrash(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	first := c.ask(svc.Uri).PID
	if code, _ := c.call(svc.Uri + "/crash"); code != 503 {
		t.Errorf("a crash answers %d", code)
	}
	eventually(t, "the process is gone", func() bool { return !alive(first) })
	res, err := c.web.Post(strings.Replace(svc.Uri, "https", "http", 1), "text/plain", strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("right after the crash: %d, %s", res.StatusCode, text)
	}
	if second := c.ask(svc.Uri).PID; second == first {
		t.Error("no new instance")
	}
	eventually(t, "the exit is logged", func() bool { return len(c.logs.of("varlog%2Fsystem")) > 0 })
	if exits := c.logs.of("varlog%2Fsystem"); len(exits) != 1 || exits[0].GetTextPayload() != "Container called exit(1)." {
		t.Errorf("exits %v: want one, for a request is delivered once", exits)
	}
}

// Requests that end their instances, one after another, cost the next one a
// second at most.
func TestCrashes(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	for range 7 { // the waits between failed starts would add up to 12 s
		if code, _ := c.call(svc.Uri + "/crash"); code != 503 {
			t.Errorf("a crash answers %d", code)
		}
	}
	// The first one may still meet the process that is ending.
	eventually(t, "an answer after the crashes", func() bool {
		code, _ := c.call(svc.Uri)
		return code == 200
	})
}

// WebSockets and other upgrades pass.
func TestUpgrade(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(svc.Uri, "https", "http", 1)+"/upgrade", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	res, err := c.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	stream, ok := res.Body.(io.ReadWriter)
	if res.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("answer %s", res.Status)
	}
	if _, err := io.WriteString(stream, "hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(stream, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestServiceScaling(t *testing.T) {
	c := newCloud(t, nil)
	spec := newSpec("ok")
	spec.Scaling = &runpb.ServiceScaling{MinInstanceCount: 2, MaxInstanceCount: 2}
	spec.Template.MaxInstanceRequestConcurrency = 1
	svc := c.create("s", spec)
	eventually(t, "the minimum", func() bool { return c.instances(svc.LatestReadyRevision) == 2 })
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { c.ask(svc.Uri + "/sleep?for=30ms") })
	}
	wg.Wait()
	if n := c.instances(svc.LatestReadyRevision); n != 2 {
		t.Errorf("%d instances", n)
	}
}

func TestTimeout(t *testing.T) {
	c := newCloud(t, nil)
	spec := newSpec("ok")
	spec.Template.Timeout = durationpb.New(50 * time.Millisecond)
	svc := c.create("s", spec)
	if code, _ := c.call(svc.Uri + "/sleep?for=1s"); code != 504 {
		t.Errorf("answer %d", code)
	}
}

// With room for one request in one instance, one that waits longer than its
// patience is refused, and the others are served in turn.
func TestQueue(t *testing.T) {
	c := newCloud(t, nil)
	spec := newSpec("ok")
	spec.Template.MaxInstanceRequestConcurrency = 1
	spec.Template.Scaling = &runpb.RevisionScaling{MaxInstanceCount: 1}
	svc := c.create("s", spec)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { c.ask(svc.Uri + "/sleep?for=20ms") })
	}
	wg.Wait()
	if n := c.instances(svc.LatestReadyRevision); n != 1 {
		t.Errorf("%d instances", n)
	}
	v := c.run.started(svc.LatestReadyRevision)
	v.mu.Lock()
	v.waiting = make([]*waiter, maxWaiting) // as many as may wait
	for i := range v.waiting {
		v.waiting[i] = &waiter{granted: make(chan grant, 1)}
	}
	v.members[0].inFlight = 1
	v.mu.Unlock()
	if code, body := c.call(svc.Uri); code != 429 || body != "Rate exceeded." {
		t.Errorf("a full queue answers %d, %q", code, body)
	}
	if e := c.requests(9)[8]; e.HttpRequest.Status != 429 || e.Resource.Labels["revision_name"] == "" {
		t.Errorf("entry %v", e)
	}
	v.mu.Lock()
	v.waiting, v.members[0].inFlight = nil, 0
	v.mu.Unlock()
}

func TestMinimumInstances(t *testing.T) {
	c := newCloud(t, func(o *Options) { o.IdleTimeout = 20 * time.Millisecond })
	spec := newSpec("ok")
	spec.Template.Scaling = &runpb.RevisionScaling{MinInstanceCount: 2}
	svc := c.create("s", spec)
	eventually(t, "two instances", func() bool { return c.instances(svc.LatestReadyRevision) == 2 })
	c.stop()
	c = openCloud(t, c.dir, func(o *Options) { o.IdleTimeout = 20 * time.Millisecond })
	eventually(t, "two instances after a restart", func() bool { return c.instances(svc.LatestReadyRevision) == 2 })
	spec.Name, spec.Template.Scaling = svc.Name, nil
	if _, err := c.update(spec); err != nil {
		t.Fatal(err)
	}
	eventually(t, "none of the retired revision", func() bool { return c.instances(svc.LatestReadyRevision) == 0 })
}

func TestProbes(t *testing.T) {
	c := newCloud(t, nil)
	probe := func(path string) *runpb.Probe {
		return &runpb.Probe{PeriodSeconds: 1, FailureThreshold: 3, ProbeType: &runpb.Probe_HttpGet{HttpGet: &runpb.HTTPGetAction{Path: path}}}
	}
	spec := newSpec("ok")
	spec.Template.Containers[0].StartupProbe = probe("/healthz")
	spec.Template.Containers[0].LivenessProbe = probe("/status?code=500")
	svc := c.create("s", spec)
	pid := c.ask(svc.Uri).PID
	eventually(t, "the instance that is not alive is stopped", func() bool { return !alive(pid) })
	c.ask(svc.Uri)
	sick := proto.CloneOf(spec)
	sick.Name, sick.Template.Containers[0].StartupProbe = svc.Name, probe("/status?code=503")
	if _, err := c.update(sick); err == nil || !strings.Contains(err.Error(), "503 Service Unavailable") {
		t.Error(err)
	}
}

func TestLogs(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	c.call(svc.Uri+"/status?code=500", "User-Agent: tester", "X-Cloud-Trace-Context: abc/1;o=1")
	e := c.requests(1)[0]
	labels := fmt.Sprint(e.Resource.Labels)
	want := fmt.Sprintf("map[configuration_name:s location:us-central1 project_id:kakehi-local revision_name:%s service_name:s]", lastSegment(svc.LatestReadyRevision))
	if e.LogName != "projects/kakehi-local/logs/run.googleapis.com%2Frequests" || e.Resource.Type != "cloud_run_revision" || labels != want {
		t.Errorf("entry %v", e)
	}
	h := e.HttpRequest
	if h.Status != 500 || h.RequestMethod != "GET" || h.UserAgent != "tester" || h.ResponseSize == 0 || h.Latency.AsDuration() <= 0 ||
		h.RequestUrl != svc.Uri+"/status?code=500" || e.Severity != ltype.LogSeverity_ERROR || e.Trace != "projects/kakehi-local/traces/abc" {
		t.Errorf("entry %v", e)
	}
	eventually(t, "two lines are logged", func() bool { return len(c.logs.of("stdout")) == 2 })
	lines := c.logs.of("stdout")
	if lines[0].GetTextPayload() != "starting ok" {
		t.Fatalf("stdout %v", lines)
	}
	structured := lines[1]
	if structured.Severity != ltype.LogSeverity_NOTICE || structured.GetJsonPayload().AsMap()["message"] != "model loaded" || structured.Labels["a"] != "b" {
		t.Errorf("entry %v", structured)
	}
}

func TestSetPayload(t *testing.T) {
	for line, want := range map[string]string{
		"plain":             `text_payload:"plain"`,
		"{not json":         `text_payload:"{not json"`,
		"\xff":              `text_payload:"` + "\uFFFD" + `"`,
		`[1]`:               `text_payload:"[1]"`,
		`{"severity":"no"}`: `json_payload`,
		"{\"a\":\"\xff\"}":  `json_payload`,
	} {
		e := &loggingpb.LogEntry{Labels: map[string]string{}}
		setPayload(e, line, project)
		if got := strings.ReplaceAll(e.String(), "  ", " "); !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
		if _, err := proto.Marshal(e); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestBodies(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	url := strings.Replace(svc.Uri, "https", "http", 1)
	for _, x := range []struct {
		body io.Reader
		want int
	}{
		{bytes.NewReader(make([]byte, 1<<20)), 200},
		{bytes.NewReader(make([]byte, maxBody+1)), 413},
		{io.MultiReader(bytes.NewReader(make([]byte, maxBody+1))), 413}, // its length is not known
	} {
		res, err := c.web.Post(url, "text/plain", x.body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != x.want {
			t.Errorf("answer %d, want %d", res.StatusCode, x.want)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("asks first"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Expect", "100-continue")
	res, err := c.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var seen reply
	if err := json.NewDecoder(res.Body).Decode(&seen); err != nil || seen.Header.Get("Expect") != "" {
		t.Errorf("the container is asked again: %v, %v", seen.Header, err)
	}
	_ = res.Body.Close()
	if e := c.requests(4)[0]; e.HttpRequest.RequestMethod != http.MethodPost {
		t.Errorf("entry %v", e)
	}
}
