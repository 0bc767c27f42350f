package kfp

import (
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/cel"
)

// Spec is a pipeline.
type Spec struct {
	At            diag.Pos
	Name          Name
	DisplayName   string
	Description   string
	SchemaVersion Name
	SDKVersion    string
	PipelineRoot  *Text // where artifacts go; nil: the run says
	Root          *Component
	Components    []*Component
	Executors     []*Executor
	Arguments     []*Field // values of the root's parameters, from a PipelineJob
	Labels        []*Field // of a PipelineJob
	Kubernetes    *Kubernetes
}

// A Name is a name with its place.
type Name struct {
	At    diag.Pos
	Value string
}

// Component is an interface with its implementation: a DAG or an executor.
type Component struct {
	At       diag.Pos
	Name     string // the key; "" for the root
	In, Out  Ports
	DAG      *DAG      // or
	Label    Name      // of the executor
	Executor *Executor // that the label names
	Config   []*TaskConfig
}

// Ports are the inputs or the outputs of a component.
type Ports struct {
	Parameters []*Parameter
	Artifacts  []*Artifact
	parameters map[string]*Parameter
	artifacts  map[string]*Artifact
}

// index makes the ports found by name.
func (p *Ports) index() {
	for _, x := range p.Parameters {
		if p.parameters == nil {
			p.parameters = make(map[string]*Parameter, len(p.Parameters))
		}
		p.parameters[x.Name] = x
	}
	for _, x := range p.Artifacts {
		if p.artifacts == nil {
			p.artifacts = make(map[string]*Artifact, len(p.Artifacts))
		}
		p.artifacts[x.Name] = x
	}
}

// Parameter returns the parameter of a name, or nil.
func (p *Ports) Parameter(name string) *Parameter { return p.parameters[name] }

// Artifact returns the artifact of a name, or nil.
func (p *Ports) Artifact(name string) *Artifact { return p.artifacts[name] }

// Parameter is an input or an output that is handed on by value.
type Parameter struct {
	At          diag.Pos
	Name        string
	Type        Type
	Default     Value // nil: none
	Optional    bool
	Literals    []Value // nil: any value
	Description string
}

// Type is the type of a parameter.
type Type string

// The types.
const (
	Double          Type = "NUMBER_DOUBLE"
	Integer         Type = "NUMBER_INTEGER"
	String          Type = "STRING"
	Boolean         Type = "BOOLEAN"
	ListType        Type = "LIST"
	StructType      Type = "STRUCT"
	TaskFinalStatus Type = "TASK_FINAL_STATUS"
	TaskConfigType  Type = "TASK_CONFIG"
)

// Artifact is an input or an output that is handed on by its place.
type Artifact struct {
	At          diag.Pos
	Name        string
	Schema      Schema
	List        bool
	Optional    bool
	Metadata    *Struct // that an output begins with
	Description string
}

// Schema is the type of an artifact.
type Schema struct {
	At       diag.Pos
	Title    string // such as system.Dataset
	Version  string
	URI      string // of a schema file, if there is no title
	Instance string // the schema as YAML, if there is no title
}

// TaskConfig says that settings of a task are not for it, but for what its
// program starts.
type TaskConfig struct {
	At          diag.Pos
	Field       string // such as RESOURCES
	ApplyToTask bool
}

// DAG is tasks with the edges between them.
type DAG struct {
	At        diag.Pos
	Tasks     []*Task
	Outputs   []*Output // parameters
	Artifacts []*Output
}

// Output is an output of a DAG. With OneOf it is that of the first of several
// producers that ran; artifacts with more than one producer are of this kind.
type Output struct {
	At    diag.Pos
	Name  string
	From  []*TaskOutput
	OneOf bool
}

// Task is a use of a component.
type Task struct {
	At          diag.Pos
	Name        string
	DisplayName string
	Ref         Name       // of the component
	Component   *Component // that Ref names
	Parameters  []*Input
	Artifacts   []*Input
	After       []Name // tasks to wait for, besides those whose outputs it takes
	Cache       bool
	CacheKey    string
	When        *Expression // nil: always
	Strategy    Strategy
	Iterator    *Iterator
	Parallelism int // of the iterator; 0: as many as there are
	Retry       *Retry
}

// Strategy says what the tasks that a task waits for must have come to.
type Strategy int

// The strategies.
const (
	AllSucceeded Strategy = iota
	AllCompleted          // also with a failure: exit tasks, and those that ignore failures
)

// Input binds an input of a task.
type Input struct {
	At       diag.Pos
	Name     string
	From     Source
	Selector *Expression // of a part of the value; nil: all of it
}

// Expression is an expression in CEL.
type Expression struct {
	At   diag.Pos
	Text string
	X    cel.Expr
}

// Source is where the value of an input comes from. The set is closed.
type Source interface {
	Pos() diag.Pos
	source()
}

// TaskOutput is an output of another task of the same DAG.
type TaskOutput struct {
	At     diag.Pos
	Task   Name
	Output Name
}

// ComponentInput is an input of the component whose DAG the task is in.
type ComponentInput struct {
	At   diag.Pos
	Name Name
}

// Constant is a value. Placeholders in it name inputs of the same task.
type Constant struct {
	At    diag.Pos
	Value Value
}

// FinalStatus is how another task ended.
type FinalStatus struct {
	At   diag.Pos
	Task Name
}

// Pos implements Source.
func (s *TaskOutput) Pos() diag.Pos { return s.At }

// Pos implements Source.
func (s *ComponentInput) Pos() diag.Pos { return s.At }

// Pos implements Source.
func (s *Constant) Pos() diag.Pos { return s.At }

// Pos implements Source.
func (s *FinalStatus) Pos() diag.Pos { return s.At }

func (*TaskOutput) source()     {}
func (*ComponentInput) source() {}
func (*Constant) source()       {}
func (*FinalStatus) source()    {}

// Iterator runs a task once for each item of a list. Exactly one of Items,
// Parameter and Artifact is given.
type Iterator struct {
	At        diag.Pos
	Item      Name  // the input of the component that takes the item
	Items     *List // a list
	Parameter Name  // or a parameter that the task is given
	Artifact  Name  // or an artifact that the task is given
}

// Retry says how often a failed task is run again, and after how long.
type Retry struct {
	At         diag.Pos
	Max        int
	Backoff    time.Duration // before the first retry
	MaxBackoff time.Duration
	Factor     float64
}
