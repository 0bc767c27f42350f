package workflow

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// Limits are the quotas and limits of Cloud Workflows that bear on a
// definition or an execution. Sizes are in bytes, times in seconds. Where the
// figures come from, and of which date, stands in limits.json.
type Limits struct {
	// Of a definition, checked when it is deployed.
	SourceBytes      int `json:"sourceBytes"`
	StepsPerList     int `json:"stepsPerList"`
	Assignments      int `json:"assignments"` // per assign step
	Conditions       int `json:"conditions"`  // per switch
	Params           int `json:"params"`      // per subworkflow
	MainParams       int `json:"mainParams"`
	ExpressionLength int `json:"expressionLength"` // characters between the braces
	MinBranches      int `json:"minBranches"`      // per parallel step
	MaxBranches      int `json:"maxBranches"`

	// Of an execution.
	Steps              int `json:"steps"`
	CallDepth          int `json:"callDepth"`
	MemoryBytes        int `json:"memoryBytes"` // all variables together
	StringBytes        int `json:"stringBytes"`
	ArgumentBytes      int `json:"argumentBytes"`
	Concurrency        int `json:"concurrency"`   // running branches and iterations
	ParallelDepth      int `json:"parallelDepth"` // nested parallel steps
	UncaughtExceptions int `json:"uncaughtExceptions"`
	ExecutionSeconds   int `json:"executionSeconds"`

	// Of single calls.
	HTTPResponseBytes       int `json:"httpResponseBytes"`
	HTTPTimeout             int `json:"httpTimeout"` // the default
	HTTPMaxTimeout          int `json:"httpMaxTimeout"`
	ConnectorTimeout        int `json:"connectorTimeout"` // the default, and the most for calls that do not wait
	ConnectorMaxWaitTimeout int `json:"connectorMaxWaitTimeout"`
	CallbackTimeout         int `json:"callbackTimeout"` // the default
	MaxSleep                int `json:"maxSleep"`
}

//go:embed limits.json
var limitsJSON []byte

// DefaultLimits returns the limits of the service as of the date in
// limits.json.
func DefaultLimits() Limits {
	var data struct{ Limits Limits }
	if err := json.Unmarshal(limitsJSON, &data); err != nil {
		panic(fmt.Sprintf("workflow: embedded limits.json: %v", err)) // a test reads it
	}
	return data.Limits
}
