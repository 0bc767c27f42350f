package workflows

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/interp"
)

// stepEntry is a step entry as the REST API has it; Name and the links to other
// entries are filled in when it is read.
//
// Source: discovery document of workflowexecutions v1, StepEntry.
type stepEntry struct {
	Name       string         `json:"name,omitempty"`
	EntryID    int64          `json:"entryId,string"`
	CreateTime timestamp      `json:"createTime"`
	UpdateTime timestamp      `json:"updateTime"`
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
	ProgressType      string `json:"progressType,omitempty"`
	ProgressNumber    int64  `json:"progressNumber,string,omitempty"`
	ExpectedIteration int64  `json:"expectedIteration,string,omitempty"`
	ThreadID          string `json:"threadId,omitempty"`
}

type stepVariables struct {
	Variables json.RawMessage `json:"variables"`
}

// progressTypes says what the number of an iteration counts.
var progressTypes = map[string]string{
	"STEP_FOR_ITERATION":         "PROGRESS_TYPE_FOR",
	"STEP_CONDITION":             "PROGRESS_TYPE_SWITCH",
	"STEP_TRY":                   "PROGRESS_TYPE_RETRY",
	"STEP_PARALLEL_BRANCH_ENTRY": "PROGRESS_TYPE_PARALLEL_BRANCH",
}

// newStepEntry makes the entry of a step that begins; parentType is the type of
// the step around it. As the service has it, only a detailed history tells the
// expected number of iterations.
func newStepEntry(e interp.StepEvent, parentType string, detailed bool) stepEntry {
	entry := stepEntry{
		EntryID: e.ID, CreateTime: timestamp{e.Time}, Routine: e.Routine, Step: e.Step, StepType: e.Type,
		Navigation: stepNavigation{Parent: e.Parent},
	}
	m := stepMetadata{ProgressNumber: e.Iteration, ThreadID: e.Thread}
	if e.Iteration != 0 {
		m.ProgressType = progressTypes[e.Type]
		if parentType == "STEP_PARALLEL_FOR" {
			m.ProgressType = "PROGRESS_TYPE_PARALLEL_FOR"
		}
	}
	if detailed {
		m.ExpectedIteration = e.Expected
	}
	if m != (stepMetadata{}) {
		entry.Metadata = &m
	}
	return entry
}

// event is the entry as the event of its end.
func (e stepEntry) event() *interp.StepEvent {
	event := &interp.StepEvent{
		ID: e.EntryID, Parent: e.Navigation.Parent, Time: e.UpdateTime.Time, Routine: e.Routine,
		Step: e.Step, Type: e.StepType, State: interp.StepState(e.State),
	}
	if e.Metadata != nil {
		event.Thread, event.Iteration = e.Metadata.ThreadID, e.Metadata.ProgressNumber
	}
	return event
}

// stepEntries returns all step entries of an execution with their links.
func (s *Service) stepEntries(name executionName) ([]stepEntry, error) {
	all, err := s.readSteps(name)
	if err != nil {
		return nil, err
	}
	prefix := s.executionName(name) + "/stepEntries/"
	for i := range all {
		all[i].Name = prefix + strconv.FormatInt(all[i].EntryID, 10)
	}
	link(all)
	return all, nil
}

// readSteps returns the step entries by their ids.
func (s *Service) readSteps(name executionName) ([]stepEntry, error) {
	var unstored []stepEntry
	if r := s.run(name); r != nil {
		var err error
		if unstored, err = r.unstoredSteps(); err != nil {
			return nil, internal("read step entries", err)
		}
		// A block may be between memory and database.
		if err := s.writer.request()(); err != nil {
			return nil, unwritten("write step entries", err)
		}
	}
	var all []stepEntry
	var damaged error
	err := s.opts.DB.View(func(tx *store.Tx) error {
		tx.Scan(tableSteps, name.key()+"/", func(_ string, v []byte) bool {
			all, damaged = decodeSteps(all, v)
			return damaged == nil
		})
		return damaged
	})
	if err != nil {
		return nil, internal("read step entries", err)
	}
	all = append(all, unstored...) // after those that were stored meanwhile
	slices.SortStableFunc(all, func(a, b stepEntry) int { return cmp.Compare(a.EntryID, b.EntryID) })
	return slices.CompactFunc(all, func(a, b stepEntry) bool { return a.EntryID == b.EntryID }), nil
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
			return e.CreateTime.Time, true
		case "updateTime":
			return e.UpdateTime.Time, true
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
