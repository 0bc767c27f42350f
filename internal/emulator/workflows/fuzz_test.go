package workflows

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/interp"
)

// FuzzREST sends requests of any form: the answer is JSON, and never an internal
// error. The disk is full, so that none leaves anything behind.
func FuzzREST(f *testing.F) {
	full := false
	c := boot(f, f.TempDir(), nil, func(o *Options) {
		o.Problem = nil
		o.commit = func(commit func(*store.Tx) error) error {
			if full {
				return store.ErrFull
			}
			return o.DB.Update(commit)
		}
	})
	c.deploy(echo)
	ended, sleeping := c.run("1").Name, c.execute(`"sleep"`).Name
	c.awaitStep(sleeping, "nap")
	if err := c.svc.writer.sync(); err != nil {
		f.Fatal(err)
	}
	full = true
	c.dead.Store(true) // it cannot be closed well
	for _, seed := range []struct{ method, target, body string }{
		{"POST", wfName + "/executions?alt=json", `{"argument":"{\"a\":1e999}","labels":{"a":"b"},"executionHistoryLevel":"EXECUTION_HISTORY_BASIC"}`},
		{"POST", wfName + ":triggerPubsubExecution?__GCP_CloudEventsMode=x", `{"subscription":"s","message":{"data":"aGk=","attributes":{"a":"b"}}}`},
		{"GET", wfName + "/executions?filter=state%3DACTIVE+AND+labels.a:*&orderBy=startTime+desc&pageSize=1&view=FULL&pageToken=MQ", ""},
		{"GET", ended + "?view=BASIC&$alt=json%3Benum-encoding%3Dint", ""},
		{"GET", ended + "/stepEntries?filter=stepType%3DSTEP_ASSIGN&skip=1&orderBy=entryId+desc", ""},
		{"GET", ended + "/stepEntries/1", ""},
		{"GET", ended + ":exportData", ""},
		{"POST", ended + ":deleteExecutionHistory", "{}"},
		{"POST", sleeping + ":cancel", "{}"},
		{"GET", sleeping + "/callbacks?pageSize=-1", ""},
		{"PUT", sleeping + "/callbacks/%2e%2e", "\xff"},
		{"GET", parent + "/workflows/%00/executions/:", "[[["},
	} {
		f.Add(seed.method, "/v1/"+seed.target, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://h"+target, strings.NewReader(body))
		if err != nil {
			return // no request that could arrive
		}
		r = r.WithContext(iam.WithPrincipal(t.Context(), iam.Principal{Member: iam.Developer}))
		w := httptest.NewRecorder()
		c.svc.REST().ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// FuzzSteps reads blocks of step entries: one that can be read is the same when
// it is written again.
func FuzzSteps(f *testing.F) {
	var h history
	at := time.Unix(1700000000, 5)
	for _, e := range []interp.StepEvent{
		{ID: 1, Time: at, Routine: "main", Step: "a", Type: "STEP_FOR", State: interp.StepRunning},
		{ID: 2, Parent: 1, Time: at, Routine: "main", Step: "b", Type: "STEP_FOR_ITERATION", State: interp.StepRunning, Iteration: 1, Expected: 3, Thread: "0"},
		{ID: 2, Parent: 1, Time: at.Add(time.Second), State: interp.StepSucceeded},
		{ID: 1, Time: at.Add(time.Minute), State: interp.StepFailed},
	} {
		h.on(e)
	}
	f.Add(h.block)
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, block []byte) {
		entries, err := decodeSteps(nil, block)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = e.append(again)
		}
		same, err := decodeSteps(nil, again)
		if err != nil || !slices.EqualFunc(entries, same, func(a, b stepEntry) bool { return bytes.Equal(a.append(nil), b.append(nil)) }) {
			t.Errorf("%v\n%v\n%v", entries, same, err)
		}
	})
}

// FuzzStored reads journal entries and records of any content.
func FuzzStored(f *testing.F) {
	rec := record{pb: &executionspb.Execution{Name: "x"}, history: "EXECUTION_HISTORY_BASIC", noBacklog: true, cancelled: true}
	put, err := rec.write()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(put.value)
	f.Add(encodeEntry("id", interp.Entry{Seq: 7, Data: []byte("data")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id, e, err := decodeEntry(data); err == nil && !bytes.Equal(encodeEntry(string(id), e), data) {
			if again, same, err := decodeEntry(encodeEntry(string(id), e)); err != nil || string(again) != string(id) || same.Seq != e.Seq || !bytes.Equal(same.Data, e.Data) {
				t.Errorf("%q %v became %q %v, %v", id, e, again, same, err)
			}
		}
		rec, err := decodeRecord(executionName{}, time.Time{}, data)
		if err != nil {
			return
		}
		put, err := rec.write()
		if err != nil {
			return // a string that is no UTF-8
		}
		same, err := decodeRecord(executionName{}, time.Time{}, put.value)
		if err != nil || same.history != rec.history || same.noBacklog != rec.noBacklog || same.cancelled != rec.cancelled {
			t.Errorf("%+v became %+v, %v", rec, same, err)
		}
	})
}
