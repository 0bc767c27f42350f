// Package pipeline holds the typed intermediate form of an ML pipeline, which
// the front ends produce and the compiler consumes: tasks, parameters,
// artifacts, conditions, loops, retries, serving and rollout.
package pipeline

import (
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// Pipeline is a set of tasks with the edges between them.
type Pipeline struct {
	At          diag.Pos
	Name        string // lower case letters, digits and hyphens; at most 63
	Description string
	Params      []*Param
	Tasks       []*Task // in source order
	Outputs     []*Result
	OnExit      []*Task // run after the tasks, whatever their outcome; see [Status]
	Triggers    []*Trigger
}

// Type is the type of a parameter or of an artifact.
type Type string

// The parameter types, and the artifact types by their KFP names
// (system.Dataset is Dataset).
const (
	String Type = "string"
	Int    Type = "int"
	Double Type = "double"
	Bool   Type = "bool"
	List   Type = "list"
	Struct Type = "struct"

	Artifact              Type = "Artifact"
	Dataset               Type = "Dataset"
	Model                 Type = "Model"
	Metrics               Type = "Metrics"
	ClassificationMetrics Type = "ClassificationMetrics"
	HTML                  Type = "HTML"
	Markdown              Type = "Markdown"
)

// IsArtifact reports whether t is held in Cloud Storage rather than by value.
func (t Type) IsArtifact() bool { return t != "" && t[0] >= 'A' && t[0] <= 'Z' }

// Param is an input of a pipeline. A Param of artifact type is given by its
// gs:// URI.
type Param struct {
	At          diag.Pos
	Name        string
	Type        Type
	Default     Value // nil when a value is required
	Description string
}

// Task is one node of a pipeline.
//
// When is a condition. With ForEach it is evaluated for each item, and may
// name the item. The outputs of a task that did not run are null.
type Task struct {
	At      diag.Pos
	Name    string // an identifier; unique in its pipeline
	Kind    Kind
	In      []*Input
	Out     []*Output
	After   []string // tasks that must be done, besides those In and When name
	When    expr.Expr
	ForEach *ForEach
	Retry   *Retry
	Timeout time.Duration // of one attempt; 0: the kind's default
	Cache   bool          // reuse the outputs of an equal earlier run; only [Function] and [Job]
	Where   map[string]Span
}

// Span is a place in a spec and the characters it takes. A task's Where holds
// those of its keys' values, such as machine, and of each name in after, as
// after.NAME; it serves messages only and may be nil.
type Span struct {
	At    diag.Pos
	Width int
}

// Input binds an input of a task.
type Input struct {
	At    diag.Pos
	Name  string
	Value Value
}

// Output declares an output of a task.
type Output struct {
	At   diag.Pos
	Name string
	Type Type
}

// Result is an output of the pipeline.
type Result struct {
	At    diag.Pos
	Name  string
	Value Value
}

// ForEach runs a task once for each item. Inside the task the item is the
// variable Item, and its outputs are lists in the order of the items.
type ForEach struct {
	At          diag.Pos
	Item        string
	In          Value
	Parallelism int // 0: as many as the platform allows
}

// Retry says how often a failed task is run again, and how long to wait. All
// its fields are set: the front ends fill in [DefaultRetry].
type Retry struct {
	At         diag.Pos
	Max        int           // retries after the first attempt
	Backoff    time.Duration // before the first retry
	MaxBackoff time.Duration
	Multiplier float64
}

// Trigger starts the pipeline on an event: one of PubSub, Schedule and Object
// is set. In binds parameters of the pipeline, and may name [Event].
type Trigger struct {
	At       diag.Pos
	PubSub   string // topic
	Schedule string // cron
	Object   Value  // gs:// prefix whose new objects fire it
	In       []*Input
	Cooldown time.Duration
	PerDay   int // budget of runs; 0: no limit
}

// Kind is what a task does. The set of kinds is closed.
type Kind interface{ kind() }

// Function calls a Go function of functions/ on Cloud Run, with OIDC.
type Function struct {
	At   diag.Pos
	Name string
}

// HTTP sends a request to any URL. Each output is the field of its name in the
// answer's JSON body.
type HTTP struct {
	At       diag.Pos
	Method   string
	URL      Value
	Headers  []*Input
	Query    []*Input
	Body     Value
	Auth     string // "", "OIDC" or "OAuth2"
	Audience Value
}

// Job runs a Vertex AI CustomJob, with OAuth2. With Spec set, the short form's
// fields are zero. The job's timeout is the task's.
type Job struct {
	At             diag.Pos
	Image          string // or ko://./path
	Command, Args  []Value
	Env            []*Input
	Machine        string
	Accelerator    string // such as NVIDIA_TESLA_T4
	Accelerators   int
	Replicas       int // of the container, the chief included; 0 and 1 mean one
	DiskGB         int // 0: Vertex AI's default, 100
	DiskType       string
	Spot           bool
	ServiceAccount string
	BaseOutput     Value
	Spec           Value // raw CustomJobSpec
}

// Serve registers a model and deploys it to Cloud Run. Its outputs are not
// declared by the user: they are [ServeOutputs].
type Serve struct {
	At           diag.Pos
	Service      string
	Model        Value // a Model artifact
	Golden       Value // a Dataset of rows with expected predictions, or nil
	Image        string
	CPU          string // such as 1 or 0.5; "": the default of Cloud Run
	Memory       string // such as 512Mi
	MinInstances int
	MaxInstances int // 0: the default of Cloud Run
	Concurrency  int // 0: the default of Cloud Run
	Public       bool
	IfNew        bool     // leave a service that exists as it is
	Rollout      *Rollout // nil: all traffic after the probe
}

// Rollout moves a service's traffic to its candidate revision by steps. As a
// task of its own it has the output decision; see [ServeOutputs].
type Rollout struct {
	At        diag.Pos
	Service   string        // for a task of its own; empty inside Serve
	Steps     []int         // percentages, rising, the last 100
	Interval  Value         // seconds between decisions; nil: the default
	MaxErrors float64       // share of bad answers, such as 0.01; 0: no bound
	P95       time.Duration // 0: no bound
	Undecided string        // hold, promote or rollback at the deadline; "": hold
	Deadline  time.Duration // 0: the default
	MinSample Value         // requests needed before any promotion; nil: the default
}

// Sub runs another pipeline as a task. The task's outputs are the pipeline's.
type Sub struct {
	At       diag.Pos
	Pipeline *Pipeline
}

// Approve waits until a person sends the callback. Each output is the field of
// its name in the callback's JSON body.
type Approve struct {
	At      diag.Pos
	Message Value
}

func (*Function) kind() {}
func (*HTTP) kind()     {}
func (*Job) kind()      {}
func (*Serve) kind()    {}
func (*Rollout) kind()  {}
func (*Sub) kind()      {}
func (*Approve) kind()  {}

// Value is what a spec writes for a value: literals, expressions, and lists
// and maps of them. The set is closed.
//
// Expressions name params.NAME, TASK.OUTPUT, the item of a ForEach, and the
// built-in names of [Builtins]; a reference is an expression too. A nil Value
// is one that was left out, or that the front end could not read.
type Value interface {
	Pos() diag.Pos
	value()
}

// Lit is a literal: V is nil, bool, int64, float64 or string.
type Lit struct {
	At diag.Pos
	V  any
}

// Expr is an expression or a reference.
type Expr struct {
	At diag.Pos
	X  expr.Expr
}

// Items is a list.
type Items struct {
	At    diag.Pos
	Items []Value
}

// Fields is a map in source order.
type Fields struct {
	At     diag.Pos
	Fields []*Input
}

// Pos implements Value.
func (v *Lit) Pos() diag.Pos { return v.At }

// Pos implements Value.
func (v *Expr) Pos() diag.Pos { return v.At }

// Pos implements Value.
func (v *Items) Pos() diag.Pos { return v.At }

// Pos implements Value.
func (v *Fields) Pos() diag.Pos { return v.At }

func (*Lit) value()    {}
func (*Expr) value()   {}
func (*Items) value()  {}
func (*Fields) value() {}
