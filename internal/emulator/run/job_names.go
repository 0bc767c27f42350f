package run

import (
	"strings"

	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/lazyregexp"
)

var jobID = lazyregexp.New(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// jobName is the resource name of a job, or of an execution or task of one,
// with the project's id.
type jobName struct {
	serviceName // its id is the job's
	execution   string
	task        string
}

func (n jobName) job() string { return n.parent() + "/jobs/" + n.id }

func (n jobName) String() string {
	s := n.job()
	if n.execution != "" {
		s += "/executions/" + n.execution
	}
	if n.task != "" {
		s += "/tasks/" + n.task
	}
	return s
}

// notFound is the error about whatever n names.
func (n jobName) notFound() error {
	kind, id := "JOB", n.id
	switch {
	case n.task != "":
		kind, id = "TASK", n.task
	case n.execution != "":
		kind, id = "EXECUTION", n.execution
	}
	return status.Errorf(codes.NotFound, "Resource '%s' of kind '%s' in region '%s' in project '%s' does not exist.", id, kind, n.location, n.project)
}

// parseJob reads projects/P/locations/L/jobs/J and, with depth 1 or 2, what is
// below it: /executions/E and /tasks/T. "-" stands for any in a list's parent.
func (s *Service) parseJob(name string, depth int) (jobName, error) {
	collections := []string{"jobs", "executions", "tasks"}[:depth+1]
	f := strings.Split(name, "/")
	ok := len(f) == 4+2*len(collections)
	for i, c := range collections {
		ok = ok && f[4+2*i] == c && f[5+2*i] != ""
	}
	if !ok {
		form := "projects/PROJECT/locations/LOCATION"
		for _, c := range collections {
			form += "/" + c + "/" + strings.ToUpper(strings.TrimSuffix(c, "s"))
		}
		return jobName{}, status.Errorf(codes.InvalidArgument, "Invalid name %q: want %s.", name, form)
	}
	at, err := s.parseParent(strings.Join(f[:4], "/"))
	n := jobName{serviceName: at}
	for i, id := range []*string{&n.id, &n.execution, &n.task}[:len(collections)] {
		*id = f[5+2*i]
	}
	return n, err
}

// stored reads the name of a stored job, execution or task.
func (s *Service) stored(name string) jobName {
	n, _ := s.parseJob(name, (strings.Count(name, "/")-5)/2) // only valid names are stored
	return n
}

// resource is the monitored resource of a job.
func (n jobName) resource() *monitoredres.MonitoredResource {
	return &monitoredres.MonitoredResource{
		Type:   "cloud_run_job",
		Labels: map[string]string{"project_id": n.project, "location": n.location, "job_name": n.id},
	}
}
