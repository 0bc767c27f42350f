package interp_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// seeded runs p in virtual time.
func seeded(p *interp.Program, seed int64, cfg interp.Config) (interp.Outcome, []interp.Entry) {
	journal := &memory{}
	cfg.Journal, cfg.Seed, cfg.Clock = journal, seed, interp.NewVirtualClock(time.Time{})
	return p.Run(context.Background(), nil, cfg), journal.entries
}

// text is a journal, a line for each entry.
func text(entries []interp.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%d %s\n", e.Seq, e.Data)
	}
	return b.String()
}

// racing has branches that depend on who comes first, and results that must
// not.
const racing = `
main:
  steps:
    - init:
        assign: [{order: []}, {total: 0}, {parts: {}}, {lost: 0}, {ids: []}]
    - all:
        parallel:
          shared: [order, total, parts, lost, ids]
          for:
            value: v
            range: [1, 6]
            steps:
              - nap:
                  call: sys.sleep
                  args: {seconds: '${v % 2}'}
              - get:
                  call: http.get
                  args: {url: '${"https://example.com/" + v}'}
                  result: r
              - atomic:
                  assign:
                    - order: '${list.concat(order, v)}'
                    - total: '${total + v}'
                    - parts[string(v)]: '${r.body.path}'
              - read:
                  assign: [{mine: '${lost}'}]
              - write:
                  assign: [{lost: '${mine + 1}'}]
              - id:
                  assign: [{ids: '${list.concat(ids, uuid.generate())}'}]
    - done:
        return: {order: '${order}', total: '${total}', parts: '${parts}', lost: '${lost}', ids: '${ids}', at: '${sys.now()}'}
`

// echo answers with the path, after a moment that differs from run to run.
func echo(r *http.Request) (int, string) {
	time.Sleep(rand.N(300 * time.Microsecond))
	return 200, fmt.Sprintf(`{"path": %q}`, r.URL.Path)
}

// TestSeed: the same seed gives the same journal, byte by byte, whatever the
// network does; another seed may give another order, but not another result
// where the language promises one. A replay needs no seed.
func TestSeed(t *testing.T) {
	p := program(t, racing)
	orders, lost := map[string]bool{}, map[string]bool{}
	for seed := range int64(24) {
		o, journal := seeded(p, seed, interp.Config{HTTP: transport(echo)})
		again, second := seeded(p, seed, interp.Config{HTTP: transport(echo)})
		if d := cmp.Diff(text(journal), text(second)); d != "" {
			t.Fatalf("seed %d, two runs (-first +second):\n%s", seed, d)
		}
		if show(o) != show(again) || o.Steps != again.Steps {
			t.Errorf("seed %d: %s in %d steps, then %s in %d", seed, show(o), o.Steps, show(again), again.Steps)
		}
		result := value.ToGo(o.Result).(map[string]any)
		if result["total"] != int64(21) {
			t.Errorf("seed %d: total %v", seed, result["total"])
		}
		parts := map[string]any{"1": "/1", "2": "/2", "3": "/3", "4": "/4", "5": "/5", "6": "/6"}
		if d := cmp.Diff(parts, result["parts"]); d != "" {
			t.Errorf("seed %d: %s", seed, d)
		}
		unique := map[any]bool{}
		for _, id := range result["ids"].([]any) {
			unique[id] = true
		}
		if len(unique) != 6 {
			t.Errorf("seed %d: ids %v", seed, result["ids"])
		}
		orders[fmt.Sprint(result["order"])] = true
		lost[fmt.Sprint(result["lost"])] = true
		if seed == 0 && (fmt.Sprint(result["order"]) != "[2 4 6 1 3 5]" || result["lost"] != int64(6)) {
			t.Errorf("the fixed order is %v, %v", result["order"], result["lost"])
		}
	}
	if len(orders) < 12 {
		t.Errorf("24 seeds gave %d orders: %v", len(orders), orders)
	}
	if len(lost) < 2 {
		t.Errorf("no seed found the race of read and write: %v", lost)
	}
}

// TestSeedOfReplay replays journals of several seeds without being told the
// seed.
func TestSeedOfReplay(t *testing.T) {
	p := program(t, racing)
	for seed := range int64(6) {
		o, journal := seeded(p, seed, interp.Config{HTTP: transport(echo)})
		again := p.Run(context.Background(), nil, interp.Config{Replay: journal, ReplayOnly: true})
		if show(o) != show(again) || o.Steps != again.Steps || int(again.Entries) != len(journal) {
			t.Errorf("seed %d: ran %s, replayed %s (%v)", seed, show(o), show(again), again.Cause)
		}
	}
}

// TestYear passes a year: sleeps, the delays of a retry, a callback nobody
// calls, and a poll a minute for two months.
func TestYear(t *testing.T) {
	o, journal := seeded(program(t, `
main:
  steps:
    - sleep:
        call: sys.sleep
        args: {seconds: 15552000}
    - endpoint:
        call: events.create_callback_endpoint
        result: endpoint
    - wait:
        try:
          call: events.await_callback
          args: {callback: '${endpoint}', timeout: 8640000}
        except: {steps: [{late: {assign: [{n: 0}]}}]}
    - try:
        try:
          raise: {code: 503}
        retry: {predicate: '${http.default_retry_predicate}', max_retries: 30, backoff: {initial_delay: 3600, max_delay: 3600, multiplier: 1}}
        except: {steps: [{over: {assign: [{n: 0}]}}]}
    - poll:
        call: http.get
        args: {url: https://example.com/}
    - minute:
        call: sys.sleep
        args: {seconds: 360}
    - count:
        assign: [{n: '${n + 1}'}]
    - more:
        switch: [{condition: '${n < 12000}', next: poll}]
    - done:
        return: '${time.format(sys.now())}'
`), 0, interp.Config{HTTP: transport(func(*http.Request) (int, string) { return 200, "{}" })})
	if got, want := show(o), `"2026-11-28T06:00:00Z"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.HasPrefix(text(journal), `1 {"kind":"start","at":1767225600000000000}`) {
		t.Errorf("the journal begins with %.80s", text(journal))
	}
}

// TestVirtualNetwork lets branches wait for a real server at the same time.
func TestVirtualNetwork(t *testing.T) {
	both := make(chan struct{}, 2)
	meet := make(chan struct{})
	go func() {
		<-both
		<-both
		close(meet)
	}()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		both <- struct{}{}
		<-meet // the requests are in flight together
		io.WriteString(w, "ok")
	}))
	defer server.Close()
	o, _ := seeded(program(t, `
- p:
    parallel:
      for:
        value: v
        range: [1, 2]
        steps:
          - get:
              call: http.get
              args: {url: `+server.URL+`}
`), 3, interp.Config{HTTP: http.DefaultTransport})
	if got := show(o); got != "null" {
		t.Error(got)
	}
}

// FuzzSeed runs generated programs with a seed, twice, and replays them.
func FuzzSeed(f *testing.F) {
	for seed := range 60 {
		data := make([]byte, 160)
		for i := range data {
			data[i] = byte((i*i*17 + seed*89 + i*seed*3) % 251)
		}
		f.Add(data, int64(seed%5))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed int64) {
		p, err := interp.New(generated(data), stdlib.Funcs())
		if err != nil {
			return
		}
		cfg := interp.Config{HTTP: transport(echo), Limits: workflow.DefaultLimits()}
		cfg.Limits.Steps = 300
		first, journal := seeded(p, seed, cfg)
		second, same := seeded(p, seed, cfg)
		if d := cmp.Diff(text(journal), text(same)); d != "" || show(first) != show(second) || first.Steps != second.Steps {
			t.Errorf("seed %d: %s, then %s; journals (-first +second):\n%s", seed, show(first), show(second), d)
		}
		cfg.Replay, cfg.ReplayOnly = journal, true
		again := p.Run(context.Background(), nil, cfg)
		if show(again) != show(first) || again.Steps != first.Steps || again.Entries != first.Entries {
			t.Errorf("seed %d: ran %s in %d steps, replayed %s in %d: %v", seed, show(first), first.Steps, show(again), again.Steps, again.Cause)
		}
	})
}
