package vertex

import (
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// name is projects/P/locations/L, or a resource of a collection in it.
type name struct {
	region     string
	collection string // customJobs or models; "" for the location
	id         string
}

var locationID = lazyregexp.New(`^[a-z0-9-]{1,40}$`)

// parseLocation reads projects/P/locations/L; P is the id or the number of the
// emulated project.
func (c *core) parseLocation(text string) (name, error) {
	return c.parse(text, "")
}

// parse reads the name of a location, or of a resource of a collection in one.
func (c *core) parse(text, collection string) (name, error) {
	parts := strings.Split(text, "/")
	want := 6
	if collection == "" {
		want = 4
	}
	if len(parts) != want || parts[0] != "projects" || parts[2] != "locations" || !locationID.MatchString(parts[3]) ||
		want == 6 && (parts[4] != collection || parts[5] == "") {
		return name{}, invalidName(text, collection)
	}
	if parts[1] != c.Project && parts[1] != c.Number {
		return name{}, status.Errorf(codes.PermissionDenied, "Permission denied on resource project %s: this emulator serves %s.", parts[1], c.Project)
	}
	n := name{region: parts[3]}
	if want == 6 {
		n.collection, n.id = collection, parts[5]
	}
	return n, nil
}

func invalidName(text, collection string) error {
	form := "projects/{project}/locations/{location}"
	if collection != "" {
		form += "/" + collection + "/{id}"
	}
	return status.Errorf(codes.InvalidArgument, "Invalid resource name %q: expected %s.", text, form)
}

// resource is the name for permission checks: by the project's id.
func (c *core) resource(n name) string { return n.format(c.Project) }

// full is the name in answers, which have the project's number, as Vertex AI's
// do.
func (c *core) full(n name) string { return n.format(c.Number) }

func (n name) format(project string) string {
	s := "projects/" + project + "/locations/" + n.region
	if n.collection != "" {
		s += "/" + n.collection + "/" + n.id
	}
	return s
}

// key is where the resource is stored.
func (n name) key() string { return n.region + "/" + n.id }
