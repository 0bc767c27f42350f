package interp

// Behaviour of the service that its documentation leaves open is decided in
// internal/conformance/testdata/choices.txtar, with a test for each choice, and
// listed in docs/CONFORMANCE.md. None of it is a fact. These are the figures.
const (
	// cancelMessage is the payload of the error of a cancelled execution.
	cancelMessage = "Execution cancelled"
	// maxRangeLength is far beyond what the step limit lets run.
	maxRangeLength = 1 << 40
	// maxBranchErrors is the size, in bytes of memory, from which the list of
	// branches in UnhandledBranchError is truncated.
	maxBranchErrors = 64 << 10
)
