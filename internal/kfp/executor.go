package kfp

import "github.com/kakehi/kakehi/internal/diag"

// Executor is how a component runs.
type Executor struct {
	At   diag.Pos
	Name string // its label
	Kind Kind
	Pod  *Pod // what the platforms document says about it, or nil
}

// Kind is what an executor does. The set of kinds is closed.
type Kind interface {
	Pos() diag.Pos
	kind()
}

// Container runs a container.
type Container struct {
	At            diag.Pos
	Image         *Text
	Command, Args []Arg
	Env           []*EnvVar
	Resources     *Resources
	PreCacheCheck *Exec         // not used by KFP
	FileOutputs   []*FileOutput // of a component of version 1
}

// EnvVar is an environment variable.
type EnvVar struct {
	At    diag.Pos
	Name  string
	Value *Text
}

// Exec is a command.
type Exec struct {
	At            diag.Pos
	Command, Args []Arg
}

// FileOutput is an output that a program writes to a fixed place.
type FileOutput struct {
	At   diag.Pos
	Name string
	Path *Text
}

// Resources are what a container needs. Each is a quantity as Kubernetes writes
// it, such as 500m or 4G, or a placeholder for one; nil if it is not said.
type Resources struct {
	At                         diag.Pos
	CPULimit, CPURequest       *Text
	MemoryLimit, MemoryRequest *Text
	Accelerator                *Accelerator
}

// Accelerator is a kind of accelerator, such as nvidia.com/gpu or
// NVIDIA_TESLA_T4, and how many of it.
type Accelerator struct {
	At          diag.Pos
	Type, Count *Text
}

// Importer makes an artifact of what is there already.
type Importer struct {
	At       diag.Pos
	URI      Source // a [Constant] or a [ComponentInput] of its own component
	Schema   Schema
	Metadata *Struct
	Reimport bool
	Download bool // to the workspace
}

// Resolver looks artifacts up.
type Resolver struct {
	At      diag.Pos
	Queries []*ArtifactQuery
}

// ArtifactQuery finds the artifacts of one output of a Resolver.
type ArtifactQuery struct {
	At     diag.Pos
	Name   string
	Filter string
	Limit  int
}

// CustomJob is a CustomJob of Vertex AI, as its API takes it.
type CustomJob struct {
	At  diag.Pos
	Job *Struct
}

// Pos implements Kind.
func (k *Container) Pos() diag.Pos { return k.At }

// Pos implements Kind.
func (k *Importer) Pos() diag.Pos { return k.At }

// Pos implements Kind.
func (k *Resolver) Pos() diag.Pos { return k.At }

// Pos implements Kind.
func (k *CustomJob) Pos() diag.Pos { return k.At }

func (*Container) kind() {}
func (*Importer) kind()  {}
func (*Resolver) kind()  {}
func (*CustomJob) kind() {}

// Arg is an argument, or several, of a container. The set is closed: [Text],
// [IfPresent] and [Concat].
type Arg interface {
	Pos() diag.Pos
	arg()
}

// IfPresent is Then if the task was given the input, else Else.
type IfPresent struct {
	At         diag.Pos
	Input      Name
	Then, Else []Arg
	Many       bool // Then or Else is a list, which is no part of a text
}

// Concat is one argument made of several texts.
type Concat struct {
	At    diag.Pos
	Items []Arg
}

// Pos implements Arg.
func (a *IfPresent) Pos() diag.Pos { return a.At }

// Pos implements Arg.
func (a *Concat) Pos() diag.Pos { return a.At }

func (*Text) arg()      {}
func (*IfPresent) arg() {}
func (*Concat) arg()    {}
