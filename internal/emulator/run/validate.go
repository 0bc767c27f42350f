package run

import (
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/kakehi/kakehi/internal/lazyregexp"
)

const (
	latest     = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
	byRevision = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
)

// reservedPrefixes may not begin the key of a label or annotation in v2.
var reservedPrefixes = []string{"run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev"}

// reservedEnv is set by Cloud Run itself.
var reservedEnv = []string{"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"}

// validate checks a service with its defaults filled in.
func (s *Service) validate(n serviceName, svc *runpb.Service) error {
	v := &violations{}
	if len(svc.Description) > 512 {
		v.add("service.description", "longer than 512 characters")
	}
	checkKeys(v, "service.labels", svc.Labels)
	checkKeys(v, "service.annotations", svc.Annotations)
	if svc.IapEnabled {
		v.lacks("service.iap_enabled", "Identity-Aware Proxy is")
	}
	if svc.MultiRegionSettings != nil {
		v.lacks("service.multi_region_settings", "multi-region services are")
	}
	if svc.BuildConfig != nil {
		v.lacks("service.build_config", "building from source is")
	}
	if svc.Scaling.GetScalingMode() == runpb.ServiceScaling_MANUAL {
		v.lacks("service.scaling.scaling_mode", "manual scaling is")
	}
	if m := svc.Scaling.GetMaxInstanceCount(); m != 0 && m < svc.Scaling.GetMinInstanceCount() {
		v.add("service.scaling.max_instance_count", "must not be less than min_instance_count")
	}
	if svc.Template == nil {
		v.add("service.template", "required")
	} else {
		checkTemplate(v, n, svc.Template)
	}
	s.checkTraffic(v, n, svc.Traffic)
	return v.err()
}

func checkKeys(v *violations, field string, m map[string]string) {
	const maxTotal = 256 << 10 // Kubernetes' bound on annotations
	total := 0
	for _, key := range sortedKeys(m) {
		total += len(key) + len(m[key])
		if reserved(key) {
			v.add(field, "key %q is in a reserved namespace; use a prefix of your own", key)
		}
	}
	if total > maxTotal {
		v.add(field, "%d bytes in all, must not be more than %d", total, maxTotal)
	}
}

func reserved(key string) bool {
	prefix, _, _ := strings.Cut(key, "/")
	return slices.Contains(reservedPrefixes, prefix)
}

func checkTemplate(v *violations, n serviceName, t *runpb.RevisionTemplate) {
	const at = "service.template"
	checkKeys(v, at+".labels", t.Labels)
	checkKeys(v, at+".annotations", t.Annotations)
	if r := t.Revision; r != "" && (!strings.HasPrefix(r, n.id+"-") || !label63.MatchString(r)) {
		v.add(at+".revision", "revision name %q must begin with %q, hold lowercase letters, digits and hyphens, end with a letter or digit, and be at most 63 characters long", r, n.id+"-")
	}
	if d := t.Timeout.AsDuration(); d <= 0 || d.Seconds() > 3600 {
		v.add(at+".timeout", "must be more than 0 and at most 3600 s")
	}
	if c := t.MaxInstanceRequestConcurrency; c < 1 || c > 1000 {
		v.add(at+".max_instance_request_concurrency", "must be between 1 and 1000")
	}
	if sc := t.Scaling; sc.MinInstanceCount < 0 || sc.MaxInstanceCount < 1 || sc.MaxInstanceCount < sc.MinInstanceCount {
		v.add(at+".scaling", "want 0 ≤ min_instance_count ≤ max_instance_count and max_instance_count ≥ 1")
	}
	if t.ServiceMesh != nil {
		v.lacks(at+".service_mesh", "service mesh is")
	}
	mounts := checkVolumes(v, at+".volumes", t.Volumes)
	switch len(t.Containers) {
	case 0:
		v.add(at+".containers", "one container is required")
	case 1:
		checkContainer(v, at+".containers[0]", t.Containers[0], mounts)
	default:
		v.lacks(at+".containers[1]", "more than one container is")
	}
}

// checkVolumes returns the bucket of each Cloud Storage volume by its name.
func checkVolumes(v *violations, at string, volumes []*runpb.Volume) map[string]string {
	buckets := map[string]string{}
	for i, vol := range volumes {
		if g := vol.GetGcs(); g != nil {
			buckets[vol.Name] = g.Bucket
			continue
		}
		v.lacks(fmt.Sprintf("%s[%d]", at, i), "a volume that is not of Cloud Storage is")
	}
	return buckets
}

func checkContainer(v *violations, at string, c *runpb.Container, buckets map[string]string) {
	checkProgram(v, at, c, buckets, reservedEnv)
	if c.ReadinessProbe != nil {
		v.lacks(at+".readiness_probe", "a readiness probe is")
	}
	if len(c.Ports) > 1 {
		v.add(at+".ports", "at most one port")
	}
	if p := c.Ports[0]; p.Name == "h2c" {
		v.lacks(at+".ports[0].name", "HTTP/2 to the container is")
	} else if p.Name != "http1" {
		v.add(at+".ports[0].name", "must be http1 or h2c")
	}
	if p := c.Ports[0].ContainerPort; p < 1 || p > 65535 {
		v.add(at+".ports[0].container_port", "must be between 1 and 65535")
	}
	checkProbe(v, at+".startup_probe", c.StartupProbe, c.Ports[0].ContainerPort, 240)
	checkProbe(v, at+".liveness_probe", c.LivenessProbe, c.Ports[0].ContainerPort, 3600)
}

// checkProgram checks what the containers of services and jobs have in common.
func checkProgram(v *violations, at string, c *runpb.Container, buckets map[string]string, reserved []string) {
	if c.Image == "" {
		v.add(at+".image", "required")
	}
	if c.SourceCode != nil {
		v.lacks(at+".source_code", "deploying from source is")
	}
	if c.WorkingDir != "" {
		v.lacks(at+".working_dir", "a working directory is")
	}
	for i, m := range c.VolumeMounts {
		if bucket, ok := buckets[m.Name]; !ok {
			v.add(fmt.Sprintf("%s.volume_mounts[%d]", at, i), "there is no volume %q", m.Name)
		} else if m.MountPath != "/gcs/"+bucket {
			v.lacks(fmt.Sprintf("%s.volume_mounts[%d].mount_path", at, i), "a path other than /gcs/"+bucket+" is")
		}
	}
	checkLimits(v, at+".resources.limits", c.Resources.GetLimits())
	checkEnv(v, at+".env", c.Env, reserved)
}

// limitForms are the quantities that Cloud Run limits, as Kubernetes writes
// them, with an example each.
var limitForms = map[string]struct {
	form    *lazyregexp.Regexp
	example string
}{
	"cpu":            {lazyregexp.New(`^([0-9]+m|[0-9]*\.?[0-9]+)$`), "1, 0.5 or 500m"},
	"memory":         {lazyregexp.New(`^[0-9]*\.?[0-9]+(k|[KMGT]i?)?$`), "512Mi or 2Gi"},
	"nvidia.com/gpu": {lazyregexp.New(`^[0-9]+$`), "1"},
}

func checkLimits(v *violations, at string, limits map[string]string) {
	for _, name := range sortedKeys(limits) {
		limit, known := limitForms[name]
		switch q := limits[name]; {
		case !known:
			v.add(at, "%q is not cpu, memory or nvidia.com/gpu", name)
		case !limit.form.MatchString(q) || strings.Trim(q, "0.mkKMGTi") == "":
			v.add(at, "%s %q is not a quantity such as %s", name, q, limit.example)
		}
	}
}

func checkEnv(v *violations, at string, env []*runpb.EnvVar, reserved []string) {
	seen := map[string]bool{}
	for i, e := range env {
		field := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case e.Name == "" || strings.ContainsAny(e.Name, "=\x00"):
			v.add(field+".name", "%q is no name of an environment variable", e.Name)
		case slices.Contains(reserved, e.Name):
			v.add(field+".name", "%s is reserved; Cloud Run sets it", e.Name)
		case seen[e.Name]:
			v.add(field+".name", "%s is given twice", e.Name)
		}
		seen[e.Name] = true
		if e.GetValueSource() != nil {
			v.lacks(field+".value_source", "a value from Secret Manager is")
		}
		if len(e.GetValue()) > 32768 {
			v.add(field+".value", "longer than 32768 bytes")
		}
	}
}

func checkProbe(v *violations, at string, p *runpb.Probe, port, most int32) {
	if p == nil {
		return
	}
	if p.InitialDelaySeconds < 0 || p.InitialDelaySeconds > most {
		v.add(at+".initial_delay_seconds", "must be between 0 and %d", most)
	}
	if p.PeriodSeconds < 1 || p.PeriodSeconds > most {
		v.add(at+".period_seconds", "must be between 1 and %d", most)
	}
	if p.TimeoutSeconds < 1 || p.TimeoutSeconds > p.PeriodSeconds {
		v.add(at+".timeout_seconds", "must be between 1 and period_seconds")
	}
	if p.FailureThreshold < 1 {
		v.add(at+".failure_threshold", "must be at least 1")
	}
	switch {
	case p.GetGrpc() != nil:
		v.lacks(at+".grpc", "a gRPC probe is")
	case p.GetHttpGet() != nil && p.GetHttpGet().Port != port, p.GetTcpSocket() != nil && p.GetTcpSocket().Port != port:
		v.lacks(at+".port", "a port other than the container's is")
	case p.ProbeType == nil:
		v.add(at, "one of http_get, tcp_socket and grpc is required")
	}
}

// checkTraffic checks the form of the targets; whether their revisions exist is
// found when the service is reconciled, as in the cloud.
func (s *Service) checkTraffic(v *violations, n serviceName, targets []*runpb.TrafficTarget) {
	sum, tags := int32(0), map[string]bool{}
	for i, t := range targets {
		at := fmt.Sprintf("service.traffic[%d]", i)
		if t.Percent < 0 || t.Percent > 100 {
			v.add(at+".percent", "%d is not between 0 and 100", t.Percent)
		}
		sum += t.Percent
		switch {
		case t.Type == byRevision && t.Revision == "":
			v.add(at+".revision", "required for %v", byRevision)
		case t.Type == latest && t.Revision != "":
			v.add(at+".revision", "must be empty for %v", latest)
		case strings.Contains(t.Revision, "/"):
			v.add(at+".revision", "want the revision's short name, not %q", t.Revision)
		}
		if t.Tag == "" {
			continue
		}
		if !tagID.MatchString(t.Tag) || strings.Contains(t.Tag, "---") {
			v.add(at+".tag", "%q must hold lowercase letters, digits and hyphens, and begin and end with a letter or digit", t.Tag)
		}
		if tags[t.Tag] {
			v.add(at+".tag", "tag %q is given twice", t.Tag)
		}
		tags[t.Tag] = true
		if label := t.Tag + "---" + n.id + "-" + s.Number; len(label) > 63 {
			v.add(at+".tag", "the host %q of its URL is longer than the 63 characters of a DNS label: shorten the tag or the service's name", label)
		}
	}
	if sum != 100 {
		v.add("service.traffic", "the percentages sum to %d, must sum to 100", sum)
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
