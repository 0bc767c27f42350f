package vertex

import (
	"fmt"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"strings"
	"unicode/utf8"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/protobuf/proto"
)

// The limits of the API.
//
// Source: field documentation of google.cloud.aiplatform.v1 CustomJob,
// WorkerPoolSpec, DiskSpec and Model.
const (
	maxDisplayName = 128 // characters
	maxLabels      = 64
	maxLabel       = 64 // characters
	maxPools       = 4
	maxEnv         = 100
	maxPackages    = 100
	minDiskGB      = 100
	maxDiskGB      = 64000
)

var (
	labelText = lazyregexp.New(`^[\p{Ll}\p{Lo}\p{N}_-]*$`)
	// envName is what a process can be given: docs of the services ask for C
	// identifiers.
	envName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
	network = lazyregexp.New(`^projects/[0-9]+/global/networks/[a-z0-9-]+$`)
)

func checkJob(j *pb.CustomJob) violations {
	var v violations
	if j == nil {
		v.add("custom_job", "Required field is not set.")
		return v
	}
	checkDisplayName(&v, "custom_job.display_name", j.DisplayName)
	checkLabels(&v, "custom_job.labels", j.Labels)
	if j.JobSpec == nil {
		v.add("custom_job.job_spec", "Required field is not set.")
		return v
	}
	checkSpec(&v, "custom_job.job_spec", j.JobSpec)
	return v
}

func checkDisplayName(v *violations, field, s string) {
	switch {
	case s == "":
		v.add(field, "Required field is not set.")
	case utf8.RuneCountInString(s) > maxDisplayName:
		v.add(field, "must have at most %d characters.", maxDisplayName)
	}
}

func checkLabels(v *violations, field string, labels map[string]string) {
	if len(labels) > maxLabels {
		v.add(field, "has %d entries; the limit is %d.", len(labels), maxLabels)
	}
	for _, key := range sortedKeys(labels) {
		for _, s := range []string{key, labels[key]} {
			if utf8.RuneCountInString(s) > maxLabel || !labelText.MatchString(s) {
				v.add(field, "%q=%q must have at most %d lowercase letters, digits, underscores and dashes each.", key, labels[key], maxLabel)
				break
			}
		}
	}
}

func checkSpec(v *violations, field string, s *pb.CustomJobSpec) {
	if n := len(s.WorkerPoolSpecs); n == 0 || n > maxPools {
		v.add(field+".worker_pool_specs", "must have 1 to %d entries; got %d.", maxPools, n)
	}
	for i, pool := range s.WorkerPoolSpecs {
		at := fmt.Sprintf("%s.worker_pool_specs[%d]", field, i)
		if i > 0 && emptyPool(pool) {
			continue
		}
		checkPool(v, at, i, pool, s.PersistentResourceId != "")
	}
	if t := s.Scheduling.GetTimeout(); t != nil && (t.CheckValid() != nil || t.AsDuration() <= 0) {
		v.add(field+".scheduling.timeout", "must be greater than 0.")
	}
	if dir := s.GetBaseOutputDirectory(); dir != nil && !bucketURI(dir.OutputUriPrefix) {
		v.add(field+".base_output_directory.output_uri_prefix", "%q is not a Cloud Storage prefix gs://BUCKET/…", dir.OutputUriPrefix)
	}
	if s.Network != "" {
		if s.PscInterfaceConfig != nil {
			v.add(field+".network", "cannot be set together with psc_interface_config.")
		}
		if !network.MatchString(s.Network) {
			v.add(field+".network", "%q is not projects/{project number}/global/networks/{name}.", s.Network)
		}
	}
	if s.Tensorboard != "" && s.ServiceAccount == "" {
		v.add(field+".service_account", "Required when tensorboard is set.")
	}
}

// emptyPool says that a pool is left out, as {} in a list of pools does.
func emptyPool(p *pb.WorkerPoolSpec) bool { return p == nil || proto.Size(p) == 0 }

func bucketURI(uri string) bool {
	rest, ok := strings.CutPrefix(uri, "gs://")
	return ok && rest != "" && rest[0] != '/'
}

func checkPool(v *violations, field string, index int, p *pb.WorkerPoolSpec, persistent bool) {
	switch {
	case index == 0 && p.GetReplicaCount() != 1:
		v.add(field+".replica_count", "must be 1 in the first worker pool; got %d.", p.GetReplicaCount())
	case p.GetReplicaCount() < 1:
		v.add(field+".replica_count", "must be at least 1; got %d.", p.GetReplicaCount())
	}
	checkMachine(v, field+".machine_spec", p.GetMachineSpec(), persistent)
	if d := p.GetDiskSpec(); d != nil {
		if n := d.BootDiskSizeGb; n != 0 && (n < minDiskGB || n > maxDiskGB) {
			v.add(field+".disk_spec.boot_disk_size_gb", "must be between %d and %d; got %d.", minDiskGB, maxDiskGB, n)
		}
	}
	switch task := p.GetTask().(type) {
	case nil:
		v.add(field, "One of container_spec and python_package_spec must be set.")
	case *pb.WorkerPoolSpec_ContainerSpec:
		field += ".container_spec"
		if task.ContainerSpec.GetImageUri() == "" {
			v.add(field+".image_uri", "Required field is not set.")
		}
		checkEnv(v, field+".env", task.ContainerSpec.GetEnv())
	case *pb.WorkerPoolSpec_PythonPackageSpec:
		checkPython(v, field+".python_package_spec", task.PythonPackageSpec)
	}
}

func checkMachine(v *violations, field string, m *pb.MachineSpec, persistent bool) {
	if m.GetMachineType() == "" && !persistent {
		v.add(field+".machine_type", "Required field is not set.")
	}
	accelerator := m.GetAcceleratorType() != pb.AcceleratorType_ACCELERATOR_TYPE_UNSPECIFIED
	switch n := m.GetAcceleratorCount(); {
	case n < 0:
		v.add(field+".accelerator_count", "must not be negative; got %d.", n)
	case accelerator && n == 0:
		v.add(field+".accelerator_count", "must be set with accelerator_type.")
	case !accelerator && n > 0:
		v.add(field+".accelerator_type", "must be set with accelerator_count.")
	}
}

func checkEnv(v *violations, field string, env []*pb.EnvVar) {
	if len(env) > maxEnv {
		v.add(field, "has %d entries; the limit is %d.", len(env), maxEnv)
	}
	seen := map[string]bool{}
	for i, e := range env {
		switch {
		case !envName.MatchString(e.GetName()):
			v.add(fmt.Sprintf("%s[%d].name", field, i), "%q is not a C identifier.", e.GetName())
		case seen[e.Name]:
			v.add(fmt.Sprintf("%s[%d].name", field, i), "%q is set twice.", e.Name)
		}
		seen[e.GetName()] = true
	}
}

func checkPython(v *violations, field string, s *pb.PythonPackageSpec) {
	if s.GetExecutorImageUri() == "" {
		v.add(field+".executor_image_uri", "Required field is not set.")
	}
	if n := len(s.GetPackageUris()); n == 0 || n > maxPackages {
		v.add(field+".package_uris", "must have 1 to %d entries; got %d.", maxPackages, n)
	}
	if s.GetPythonModule() == "" {
		v.add(field+".python_module", "Required field is not set.")
	}
	checkEnv(v, field+".env", s.GetEnv())
}
