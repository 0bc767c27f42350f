package run

import (
	"crypto/sha256"
	"encoding/base32"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	serviceID = lazyregexp.New(`^[a-z]([-a-z0-9]{0,47}[a-z0-9])?$`)
	label63   = lazyregexp.New(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	tagID     = lazyregexp.New(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	locations = lazyregexp.New(`^[a-z]+(-[a-z0-9]+)+$`)
)

// serviceName is the resource name of a service, with the project's id.
type serviceName struct{ project, location, id string }

func (n serviceName) parent() string { return "projects/" + n.project + "/locations/" + n.location }
func (n serviceName) String() string { return n.parent() + "/services/" + n.id }

func (n serviceName) revision(id string) string { return n.String() + "/revisions/" + id }

func (n serviceName) notFound() error {
	return status.Errorf(codes.NotFound, "Resource '%s' of kind 'SERVICE' in region '%s' in project '%s' does not exist.", n.id, n.location, n.project)
}

// parseParent reads projects/P/locations/L; P may be the number.
func (s *Service) parseParent(parent string) (serviceName, error) {
	f := strings.Split(parent, "/")
	if len(f) != 4 || f[0] != "projects" || f[2] != "locations" || !locations.MatchString(f[3]) && f[3] != "-" {
		return serviceName{}, status.Errorf(codes.InvalidArgument, "Invalid parent %q: want projects/PROJECT/locations/LOCATION.", parent)
	}
	if f[1] != s.Project && f[1] != s.Number {
		return serviceName{}, status.Errorf(codes.PermissionDenied, "Permission denied on resource project %s: the embedded cloud holds project %s.", f[1], s.Project)
	}
	return serviceName{project: s.Project, location: f[3]}, nil
}

// parseService reads projects/P/locations/L/services/S.
func (s *Service) parseService(name string) (serviceName, error) {
	parent, id, ok := strings.Cut(name, "/services/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return serviceName{}, status.Errorf(codes.InvalidArgument, "Invalid service name %q: want projects/PROJECT/locations/LOCATION/services/SERVICE.", name)
	}
	n, err := s.parseParent(parent)
	n.id = id
	return n, err
}

// parseRevision reads projects/P/locations/L/services/S/revisions/R.
func (s *Service) parseRevision(name string) (serviceName, string, error) {
	service, id, ok := strings.Cut(name, "/revisions/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return serviceName{}, "", status.Errorf(codes.InvalidArgument, "Invalid revision name %q: want projects/PROJECT/locations/LOCATION/services/SERVICE/revisions/REVISION.", name)
	}
	n, err := s.parseService(service)
	return n, id, err
}

func lastSegment(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// endpoint is what the host of a URL names.
type endpoint struct{ location, service, tag string }

// regionCodes are the short forms of regions in a URL with a hash.
var regionCodes = map[string]string{
	"us-central1": "uc", "us-east1": "ue", "us-east4": "uk", "us-west1": "uw",
	"europe-west1": "ew", "europe-west4": "ez", "asia-east1": "de", "asia-northeast1": "an",
}

// url is the deterministic URL of a service or, with a tag, of one traffic
// target: cloud.google.com/run/docs/triggering/https-request.
func (s *Service) url(n serviceName, tag string) string {
	return "https://" + tagPrefix(tag) + n.id + "-" + s.Number + "." + n.location + ".run.app"
}

// hashURL is the older form, with a hash of the project and a code of the
// region; empty for a region whose code is not known here.
func (s *Service) hashURL(n serviceName, tag string) string {
	code := regionCodes[n.location]
	if code == "" {
		return ""
	}
	return "https://" + tagPrefix(tag) + n.id + "-" + s.projectHash() + "-" + code + ".a.run.app"
}

func tagPrefix(tag string) string {
	if tag == "" {
		return ""
	}
	return tag + "---"
}

func (s *Service) projectHash() string {
	sum := sha256.Sum256([]byte(s.Project))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:10])
}

// parseHost reads the host of either URL form.
func (s *Service) parseHost(host string) (endpoint, bool) {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	domain, ok := strings.CutSuffix(host, ".run.app")
	if !ok {
		return endpoint{}, false
	}
	label, location, ok := strings.Cut(domain, ".")
	if !ok {
		return endpoint{}, false
	}
	suffix := "-" + s.Number
	if location == "a" {
		code := label[strings.LastIndexByte(label, '-')+1:]
		suffix = "-" + s.projectHash() + "-" + code
		location = regionOf(code)
	}
	label, ok = strings.CutSuffix(label, suffix)
	if !ok || location == "" {
		return endpoint{}, false
	}
	e := endpoint{location: location, service: label}
	if tag, service, tagged := strings.Cut(label, "---"); tagged {
		e.tag, e.service = tag, service
	}
	return e, true
}

func regionOf(code string) string {
	for region, c := range regionCodes {
		if c == code {
			return region
		}
	}
	return ""
}
