package workflows

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// history holds the step entries of a run that are not in the database: those
// of the steps that are being executed, and a block of those that ended last.
// It may lag behind, since a replay tells the steps again.
type history struct {
	detailed bool
	open     map[int64]stepEntry
	block    []byte // encoded entries
	count    int    // in block
	next     uint64 // number of block
}

// A block is stored when it has this many entries or bytes.
const (
	blockEntries = 64
	blockBytes   = 16 << 10
)

// on takes an event of the engine.
func (h *history) on(e interp.StepEvent) {
	entry, began := h.open[e.ID]
	if !began {
		entry = newStepEntry(e, h.open[e.Parent].StepType, h.detailed)
	}
	entry.State, entry.UpdateTime = string(e.State), timestamp{e.Time}
	if e.Exception != nil {
		entry.Exception = &stepException{Payload: string(value.MustJSON(e.Exception))}
	}
	if e.Variables != nil {
		entry.Variables = &stepVariables{Variables: value.MustJSON(e.Variables())}
	}
	if e.State == interp.StepRunning {
		if h.open == nil {
			h.open = map[int64]stepEntry{}
		}
		h.open[e.ID] = entry
		return
	}
	delete(h.open, e.ID)
	h.block = entry.append(h.block)
	h.count++
}

// full says that the block should be stored.
func (h *history) full() bool { return h.count >= blockEntries || len(h.block) >= blockBytes }

// store returns the writes that store the block, and begins the next one.
func (h *history) store(name executionName) []write {
	if h.count == 0 {
		return nil
	}
	put := write{table: tableSteps, key: name.key() + "/" + store.Key(h.next), value: h.block}
	h.next++
	h.block, h.count = nil, 0
	return []write{put}
}

// entries appends those that are not in the database.
func (h *history) entries(all []stepEntry) ([]stepEntry, error) {
	all, err := decodeSteps(all, h.block)
	for _, e := range h.open {
		all = append(all, e)
	}
	return all, err
}

// append encodes an entry as it is stored.
func (e stepEntry) append(b []byte) []byte {
	b = binary.AppendVarint(b, e.EntryID)
	b = binary.AppendVarint(b, e.Navigation.Parent)
	b = binary.AppendVarint(b, e.CreateTime.UnixNano())
	b = binary.AppendVarint(b, int64(e.UpdateTime.Sub(e.CreateTime.Time)))
	var exception, thread, progress string
	var variables []byte
	var number, expected int64
	if e.Exception != nil {
		exception = e.Exception.Payload
	}
	if e.Variables != nil {
		variables = e.Variables.Variables
	}
	if m := e.Metadata; m != nil {
		thread, progress, number, expected = m.ThreadID, m.ProgressType, m.ProgressNumber, m.ExpectedIteration
	}
	for _, s := range []string{e.Routine, e.Step, e.StepType, e.State, exception, thread, progress} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, number)
	b = binary.AppendVarint(b, expected)
	b = binary.AppendUvarint(b, uint64(len(variables)))
	return append(b, variables...)
}

// decodeSteps appends the entries of a block.
func decodeSteps(all []stepEntry, block []byte) ([]stepEntry, error) {
	d := decoder{rest: block}
	for len(d.rest) > 0 {
		e := stepEntry{EntryID: d.number(), Navigation: stepNavigation{Parent: d.number()}}
		e.CreateTime = timestamp{time.Unix(0, d.number())}
		e.UpdateTime = timestamp{e.CreateTime.Add(time.Duration(d.number()))}
		e.Routine, e.Step, e.StepType, e.State = d.text(), d.text(), d.text(), d.text()
		if exception := d.text(); exception != "" {
			e.Exception = &stepException{exception}
		}
		m := stepMetadata{ThreadID: d.text(), ProgressType: d.text(), ProgressNumber: d.number(), ExpectedIteration: d.number()}
		if m != (stepMetadata{}) {
			e.Metadata = &m
		}
		if variables := d.bytes(); len(variables) > 0 {
			e.Variables = &stepVariables{append([]byte(nil), variables...)}
		}
		if d.bad {
			return all, fmt.Errorf("step entries: %w", store.ErrDamaged)
		}
		all = append(all, e)
	}
	return all, nil
}

// decoder reads what append wrote.
type decoder struct {
	rest  []byte
	bad   bool
	texts map[string]string // the same few occur again and again
}

func (d *decoder) number() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte {
	size, n := binary.Uvarint(d.rest)
	if n <= 0 || size > uint64(len(d.rest)-n) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[n : n+int(size)]
	d.rest = d.rest[n+int(size):]
	return b
}

func (d *decoder) text() string {
	b := d.bytes()
	if s, ok := d.texts[string(b)]; ok {
		return s
	}
	if d.texts == nil {
		d.texts = map[string]string{}
	}
	s := string(b)
	d.texts[s] = s
	return s
}
