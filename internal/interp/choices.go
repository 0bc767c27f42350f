package interp

// Behaviour of the service that its documentation leaves open is decided here,
// once. None of this is a fact.
//
//   - Reading a variable that the source assigns somewhere, but that was not
//     assigned on the way taken, gives null, as a sample of Google's relies on
//     (callback-event-sample). A variable of a loop body is fresh in each
//     iteration.
//   - An argument that is given as null is null; the default is for one that is
//     not given.
//   - An arm of a switch that ends without a jump goes on at the next of the
//     switch step, as any step does.
//   - and, or evaluate their right operand only when it matters.
//   - Integer arithmetic that overflows raises ValueError: a wrong number must
//     not travel on.
//   - % takes the sign of the divisor, also for doubles, so that
//     x == y*(x//y) + x%y holds with the floor of //.
//   - Strings compare with < and > by code point; booleans, null, lists and maps
//     do not. Values of different types are unequal, which is not an error.
//   - Reading or assigning a part of null or a scalar raises TypeError.
//   - Assigning to m.a.b where m.a does not exist raises KeyError. The service
//     may create what is missing; a definition that does not rely on it runs on
//     both.
//   - raise takes a string or a map; anything else is a TypeError.
//   - The list of a loop does not count as memory beside the variable it comes
//     from. A string that is too long ends the execution.
//   - An error in a retry policy, or a predicate that fails or gives no boolean,
//     ends the retries: the original error goes on. The policy is evaluated at
//     each error, and a predicate is not asked once max_retries is reached.
//   - A branch cannot return. One that waits for a parallel step of its own gives
//     its place among the running branches of the execution away, not that among
//     those of its step.
//   - The id of a branch in UnhandledBranchError is its number, from 0.
//   - HTTP redirects are followed as Go's client does.
//   - A cancelled execution has cancelMessage as the payload of its error.
//   - Steps are counted like the entries of the step history, which is what makes
//     the examples of the page on best practices come out (try + call = 3, with
//     a retry 6): try counts one for the block and one for each attempt; retry
//     and except count one each time they run; a switch counts one for all its
//     conditions. A next beside another action belongs to that step; a step or
//     an arm with nothing but next is a jump and counts one; one that only groups
//     steps counts none. Functions in expressions count one each, but for the
//     expression helpers.
const (
	cancelMessage = "Execution cancelled"
	// maxRangeLength is far beyond what the step limit lets run.
	maxRangeLength = 1 << 40
	// maxBranchErrors is the size, in bytes of memory, from which the list of
	// branches in UnhandledBranchError is truncated.
	maxBranchErrors = 64 << 10
)
