package interp_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
)

// everything waits for each kind of effect.
const everything = `
main:
  steps:
    - init: {assign: [{got: []}, {at: '${sys.now()}'}, {id: '${uuid.generate()}'}]}
    - make: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: cb}
    - all:
        parallel:
          shared: [got]
          for:
            value: v
            range: [1, 3]
            steps:
              - nap: {call: sys.sleep, args: {seconds: '${v}'}}
              - call:
                  try: {call: http.get, args: {url: 'https://x.example/'}, result: r}
                  retry: {predicate: '${http.default_retry_predicate}', max_retries: 2, backoff: {initial_delay: 1, max_delay: 2, multiplier: 2}}
              - keep: {assign: [{got: '${list.concat(got, r.body)}'}]}
    - wait:
        try: {call: events.await_callback, args: {callback: '${cb}', timeout: 5}, result: called}
        except: {as: e, steps: [{log: {call: sys.log, args: {json: '${e}'}}}]}
    - out: {return: '${[got, at, id]}'}
`

// FuzzReplay replays a journal in which an entry was changed and the end cut
// off: whatever it says, the execution ends, and nothing panics.
func FuzzReplay(f *testing.F) {
	p := program(f, everything)
	answer := transport(func(*http.Request) (int, string) { return 200, `{"k": 1}` })
	sink := &memory{}
	cfg := virtual()
	cfg.Journal, cfg.HTTP = sink, answer
	if o := p.Run(context.Background(), nil, cfg); o.State != interp.Succeeded {
		f.Fatal(show(o))
	}
	for i, e := range sink.entries {
		f.Add(uint8(i), e.Data, uint8(i+1))
		f.Add(uint8(i), []byte(strings.Replace(string(e.Data), `"at":`, `"at":9`, 1)), uint8(len(sink.entries)))
		f.Add(uint8(i), []byte(strings.Replace(string(e.Data), `"id":`, `"id":-`, 1)), uint8(i+2))
	}
	f.Add(uint8(3), []byte(`{"kind":"done","id":1,"response":{"status":-1,"body":"!"}}`), uint8(4))
	f.Add(uint8(3), []byte(`{"kind":"call","text":"1","request":{}}`), uint8(4))
	f.Fuzz(func(t *testing.T, at uint8, data []byte, length uint8) {
		entries := slices.Clone(sink.entries)
		entries[int(at)%len(entries)].Data = data
		entries = entries[:int(length)%(len(entries)+1)]
		cfg := virtual()
		cfg.HTTP, cfg.Replay, cfg.Journal = answer, entries, &memory{}
		cfg.OnStep = func(interp.StepEvent) {}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if o := p.Run(ctx, nil, cfg); o.State == interp.Active {
			t.Errorf("not ended: %v", o.Cause)
		}
	})
}
