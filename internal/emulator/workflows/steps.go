package workflows

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// stepEntry is a step entry as the REST API has it, and as it is stored; Name
// and the links to other entries are filled in when it is read.
//
// Source: discovery document of workflowexecutions v1, StepEntry.
type stepEntry struct {
	Name       string         `json:"name,omitempty"`
	EntryID    int64          `json:"entryId,string"`
	CreateTime time.Time      `json:"createTime"`
	UpdateTime time.Time      `json:"updateTime"`
	Routine    string         `json:"routine"`
	Step       string         `json:"step"`
	StepType   string         `json:"stepType"`
	State      string         `json:"state"`
	Exception  *stepException `json:"exception,omitempty"`
	Navigation stepNavigation `json:"navigationInfo"`
	Metadata   *stepMetadata  `json:"stepEntryMetadata,omitempty"`
	Variables  *stepVariables `json:"variableData,omitempty"`
}

type stepException struct {
	Payload string `json:"payload"` // JSON
}

// stepNavigation holds entry ids: the parent contains the step, previous and
// next ran before and after it in the same list and thread.
type stepNavigation struct {
	Parent   int64    `json:"parent,string,omitempty"`
	Children []string `json:"children,omitempty"`
	Previous int64    `json:"previous,string,omitempty"`
	Next     int64    `json:"next,string,omitempty"`
}

type stepMetadata struct {
	ProgressType   string `json:"progressType,omitempty"`
	ProgressNumber int64  `json:"progressNumber,string,omitempty"`
	ThreadID       string `json:"threadId,omitempty"`
}

type stepVariables struct {
	Variables json.RawMessage `json:"variables"`
}

func (e stepEntry) encode() ([]byte, error) { return json.Marshal(e) }

// stepKey is where an entry is stored.
func stepKey(name executionName, id int64) string {
	return name.key() + "/" + store.Key(uint64(id))
}

// progressTypes says what the number of an iteration counts.
var progressTypes = map[string]string{
	"STEP_FOR_ITERATION":         "PROGRESS_TYPE_FOR",
	"STEP_CONDITION":             "PROGRESS_TYPE_SWITCH",
	"STEP_TRY":                   "PROGRESS_TYPE_RETRY",
	"STEP_PARALLEL_FOR":          "PROGRESS_TYPE_PARALLEL_FOR",
	"STEP_PARALLEL_BRANCH_ENTRY": "PROGRESS_TYPE_PARALLEL_BRANCH",
}

// steps holds the entries of the steps that are being executed.
type steps map[int64]stepEntry

// on takes an event and returns the entry as it is now.
func (s steps) on(e interp.StepEvent) stepEntry {
	entry, began := s[e.ID]
	if !began {
		entry = newStepEntry(e)
	}
	entry.State, entry.UpdateTime = string(e.State), e.Time
	if e.Exception != nil {
		entry.Exception = &stepException{Payload: string(value.MustJSON(e.Exception))}
	}
	if e.Variables != nil {
		entry.Variables = &stepVariables{Variables: value.MustJSON(e.Variables())}
	}
	if e.State == interp.StepRunning {
		s[e.ID] = entry
	} else {
		delete(s, e.ID)
	}
	return entry
}

func newStepEntry(e interp.StepEvent) stepEntry {
	entry := stepEntry{
		EntryID: e.ID, CreateTime: e.Time, Routine: e.Routine, Step: e.Step, StepType: e.Type,
		Navigation: stepNavigation{Parent: e.Parent},
	}
	if e.Iteration != 0 || e.Thread != "" {
		entry.Metadata = &stepMetadata{ProgressNumber: e.Iteration, ThreadID: e.Thread}
		if e.Iteration != 0 {
			entry.Metadata.ProgressType = progressTypes[e.Type]
		}
	}
	return entry
}

// event is the entry as the event of its end.
func (e stepEntry) event() *interp.StepEvent {
	event := &interp.StepEvent{
		ID: e.EntryID, Parent: e.Navigation.Parent, Time: e.UpdateTime, Routine: e.Routine,
		Step: e.Step, Type: e.StepType, State: interp.StepState(e.State),
	}
	if e.Metadata != nil {
		event.Thread, event.Iteration = e.Metadata.ThreadID, e.Metadata.ProgressNumber
	}
	return event
}

// stepEntries returns all step entries of an execution with their links.
func (s *Service) stepEntries(name executionName) ([]stepEntry, error) {
	if s.run(name) != nil {
		if err := s.writer.sync(); err != nil {
			return nil, internal("write step entries", err)
		}
	}
	var all []stepEntry
	var damaged error
	err := s.opts.DB.View(func(tx *store.Tx) error {
		tx.Scan(tableSteps, name.key()+"/", func(_ string, v []byte) bool {
			var e stepEntry
			if damaged = json.Unmarshal(v, &e); damaged != nil {
				return false
			}
			e.Name = fmt.Sprintf("%s/stepEntries/%d", s.executionName(name), e.EntryID)
			all = append(all, e)
			return true
		})
		return damaged
	})
	if err != nil {
		return nil, internal("read step entries", err)
	}
	link(all)
	return all, nil
}

// link sets children, previous and next from the parents.
func link(all []stepEntry) {
	type list struct {
		parent int64
		thread string
	}
	index := make(map[int64]int, len(all))
	before := map[list]int{} // index of the newest entry of a list
	for i := range all {
		e := &all[i]
		index[e.EntryID] = i
		if p, ok := index[e.Navigation.Parent]; ok {
			all[p].Navigation.Children = append(all[p].Navigation.Children, strconv.FormatInt(e.EntryID, 10))
		}
		in := list{parent: e.Navigation.Parent}
		if e.Metadata != nil {
			in.thread = e.Metadata.ThreadID
		}
		if p, ok := before[in]; ok {
			e.Navigation.Previous = all[p].EntryID
			all[p].Navigation.Next = e.EntryID
		}
		before[in] = i
	}
}

// fields names the fields of filter and orderBy.
func (e stepEntry) fields() listing.Fields {
	return func(path []string) (any, bool) {
		if len(path) != 1 {
			return nil, false
		}
		switch path[0] {
		case "entryId":
			return e.EntryID, true
		case "createTime":
			return e.CreateTime, true
		case "updateTime":
			return e.UpdateTime, true
		case "routine":
			return e.Routine, true
		case "step":
			return e.Step, true
		case "stepType":
			return e.StepType, true
		case "parent":
			return e.Navigation.Parent, true
		case "state":
			return e.State, true
		}
		return nil, false
	}
}
