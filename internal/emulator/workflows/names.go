package workflows

import (
	"fmt"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// location is projects/P/locations/L.
type location struct{ region string }

// workflowName names a workflow of the emulated project.
type workflowName struct {
	location
	id string
}

// executionName names an execution.
type executionName struct {
	workflow workflowName
	id       string
}

var (
	workflowID = lazyregexp.New(`^[A-Za-z]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$`)
	plainID    = lazyregexp.New(`^[A-Za-z0-9_-]{1,64}$`)
)

// segments matches a resource name against pairs of a collection and an id,
// such as projects/P/locations/L, and returns the ids.
func segments(name string, collections ...string) ([]string, error) {
	parts := strings.Split(name, "/")
	ids := make([]string, len(collections))
	ok := len(parts) == 2*len(collections)
	for i, c := range collections {
		if !ok || parts[2*i] != c || parts[2*i+1] == "" {
			return nil, status.Errorf(codes.InvalidArgument, "resource name %q does not match %s", name, pattern(collections))
		}
		ids[i] = parts[2*i+1]
	}
	return ids, nil
}

func pattern(collections []string) string {
	var b strings.Builder
	for i, c := range collections {
		if i > 0 {
			b.WriteByte('/')
		}
		fmt.Fprintf(&b, "%s/{%s}", c, strings.TrimSuffix(c, "s"))
	}
	return b.String()
}

func (s *Service) parseLocation(name string) (location, error) {
	ids, err := segments(name, "projects", "locations")
	if err != nil {
		return location{}, err
	}
	return s.location(ids)
}

// location takes the project by id or by number.
func (s *Service) location(ids []string) (location, error) {
	if ids[0] != s.opts.Project && ids[0] != s.opts.Number {
		return location{}, status.Errorf(codes.PermissionDenied, "Permission denied on resource project %s: this emulator serves %s.", ids[0], s.opts.Project)
	}
	if !plainID.MatchString(ids[1]) {
		return location{}, status.Errorf(codes.InvalidArgument, "%q is not a location", ids[1])
	}
	return location{ids[1]}, nil
}

func (s *Service) parseWorkflow(name string) (workflowName, error) {
	ids, err := segments(name, "projects", "locations", "workflows")
	if err != nil {
		return workflowName{}, err
	}
	loc, err := s.location(ids)
	return workflowName{loc, ids[2]}, err
}

func (s *Service) parseExecution(name string) (executionName, error) {
	ids, err := segments(name, "projects", "locations", "workflows", "executions")
	if err != nil {
		return executionName{}, err
	}
	loc, err := s.location(ids)
	return executionName{workflowName{loc, ids[2]}, ids[3]}, err
}

func (s *Service) locationName(l location) string {
	return "projects/" + s.opts.Project + "/locations/" + l.region
}

func (s *Service) workflowName(w workflowName) string {
	return s.locationName(w.location) + "/workflows/" + w.id
}

// executionName holds the project's number, as the service's answers do.
func (s *Service) executionName(e executionName) string {
	return "projects/" + s.opts.Number + "/locations/" + e.workflow.region + "/workflows/" + e.workflow.id + "/executions/" + e.id
}

// key is where a workflow is stored.
func (w workflowName) key() string { return w.region + "/" + w.id }

// prefix is where the executions of a workflow are stored.
func (w workflowName) prefix() string { return w.key() + "/" }

func (e executionName) key() string { return e.workflow.prefix() + e.id }
