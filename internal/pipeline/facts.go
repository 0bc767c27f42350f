package pipeline

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// What machines Vertex AI has and what the services allow changes from month to
// month: it is data, with its source and date.
var (
	//go:embed data/machines.json
	machinesJSON []byte
	//go:embed data/limits.json
	limitsJSON []byte

	machines = sync.OnceValue(func() *machineTable { return decode[machineTable](machinesJSON) })
	limits   = sync.OnceValue(func() *limitTable { return decode[limitTable](limitsJSON) })
)

func decode[T any](src []byte) *T {
	t := new(T)
	if err := json.Unmarshal(src, t); err != nil {
		panic(err) // an embedded file, which the tests read
	}
	return t
}

// A machineTable says which machines CustomJobs may use, with which
// accelerators.
type machineTable struct {
	Source, Date string
	Rows         []machineRow
	Families     []string // whose sizes are not listed, such as n2-standard
	JobSpecOnly  []string // prefixes of machines that the short form cannot describe
	Disk         struct {
		MinGB, MaxGB int
		Types        []string
	}
	MaxEnv int
}

type machineRow struct {
	Machines     []string
	Accelerators map[string][]int // the counts that fit
	BuiltIn      bool             // the accelerator is part of the machine
}

func (t *machineTable) row(machine string) *machineRow {
	for i, row := range t.Rows {
		if slices.Contains(row.Machines, machine) {
			return &t.Rows[i]
		}
	}
	return nil
}

// names lists the machines whose sizes are known.
func (t *machineTable) names() []string {
	var names []string
	for _, row := range t.Rows {
		names = append(names, row.Machines...)
	}
	return names
}

// inFamily reports whether the machine is of a family whose sizes are not
// listed.
func (t *machineTable) inFamily(machine string) bool {
	return slices.ContainsFunc(t.Families, func(f string) bool {
		size, ok := strings.CutPrefix(machine, f+"-")
		return ok && size != "" && strings.Trim(size, "0123456789") == ""
	})
}

func (t *machineTable) accelerators() []string {
	var names []string
	for _, row := range t.Rows {
		for name := range row.Accelerators {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// MachinesFor returns at most four machines that take count of an accelerator.
func MachinesFor(accelerator string, count int) []string {
	var names []string
	for _, row := range machines().Rows {
		if slices.Contains(row.Accelerators[accelerator], count) {
			names = append(names, row.Machines...)
		}
	}
	return names[:min(len(names), 4)]
}

// BuiltInAccelerator returns the accelerator that is part of a machine, and how
// many; "" when there is none.
func BuiltInAccelerator(machine string) (name string, count int) {
	row := machines().row(machine)
	if row == nil || !row.BuiltIn {
		return "", 0
	}
	for name, counts := range row.Accelerators {
		return name, counts[0] // there is one
	}
	return "", 0
}

// DiskTypes returns the types of boot disks.
func DiskTypes() []string { return machines().Disk.Types }

// A limitTable holds the bounds of Cloud Workflows and Cloud Run that a spec can
// break.
type limitTable struct {
	Source, Date     string
	HTTPSeconds      int // of one HTTP call of a workflow
	ExecutionSeconds int // of a run, and of one sleep
	Run              struct {
		ServiceName         int // characters
		DNSLabel            int
		ProjectNumberDigits int
		MaxConcurrency      int
		Sizes               []runSize
	}
}

// A runSize is the memory that an instance with at least that many CPUs may
// have.
type runSize struct {
	CPU            float64
	MinMiB, MaxMiB int
}

func (t *limitTable) http() time.Duration { return time.Duration(t.HTTPSeconds) * time.Second }

func (t *limitTable) execution() time.Duration {
	return time.Duration(t.ExecutionSeconds) * time.Second
}
