//go:build unix

package run

import (
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func TestCreate(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("penguins", newSpec("ok", "GREETING=hi"))
	rev := lastSegment(svc.LatestReadyRevision)
	if !strings.HasPrefix(rev, "penguins-00001-") {
		t.Errorf("revision %q", rev)
	}
	want := &runpb.Service{
		Name: parent + "/services/penguins", Generation: 1, ObservedGeneration: 1,
		Uri: "https://penguins-123456789012.us-central1.run.app", Creator: "developer@localhost",
		LatestCreatedRevision: svc.LatestReadyRevision, LatestReadyRevision: svc.LatestReadyRevision,
		Traffic:         []*runpb.TrafficTarget{{Type: latest, Percent: 100}},
		TrafficStatuses: []*runpb.TrafficTargetStatus{{Type: latest, Revision: rev, Percent: 100}},
	}
	got := &runpb.Service{
		Name: svc.Name, Generation: svc.Generation, ObservedGeneration: svc.ObservedGeneration, Uri: svc.Uri, Creator: svc.Creator,
		LatestCreatedRevision: svc.LatestCreatedRevision, LatestReadyRevision: svc.LatestReadyRevision,
		Traffic: svc.Traffic, TrafficStatuses: svc.TrafficStatuses, Reconciling: svc.Reconciling,
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := svc.TerminalCondition; c.Type != ready || c.State != runpb.Condition_CONDITION_SUCCEEDED {
		t.Errorf("terminal condition %v", c)
	}
	tmpl := svc.Template
	if tmpl.Scaling.MaxInstanceCount != 100 || tmpl.MaxInstanceRequestConcurrency != 80 || tmpl.Timeout.Seconds != 300 ||
		tmpl.Containers[0].StartupProbe.TimeoutSeconds != 240 || tmpl.ServiceAccount != number+"-compute@developer.gserviceaccount.com" {
		t.Errorf("defaults: %v", tmpl)
	}
	r := c.ask(svc.Uri)
	if r.Service != "penguins" || r.Revision != rev || r.Greeting != "hi" || r.Host != "penguins-123456789012.us-central1.run.app" {
		t.Errorf("reply %+v", r)
	}
	if diff := cmp.Diff(svc, c.get("penguins"), protocmp.Transform()); diff != "" {
		t.Errorf("get (-created +got):\n%s", diff)
	}
}

// Every mistake is told at once, and nothing is created.
func TestCreateRefuses(t *testing.T) {
	c := newCloud(t, nil)
	change := func(f func(*runpb.Service)) *runpb.Service {
		svc := newSpec("ok")
		f(svc)
		return svc
	}
	target := func(percent int32, tag string) *runpb.TrafficTarget {
		return &runpb.TrafficTarget{Type: latest, Percent: percent, Tag: tag}
	}
	for _, x := range []struct {
		name, id string
		svc      *runpb.Service
		code     codes.Code
		want     []string
	}{
		{"id", "Penguins", newSpec("ok"), codes.InvalidArgument, []string{"Invalid service id"}},
		{"template", "s", &runpb.Service{}, codes.InvalidArgument, []string{"service.template: required"}},
		{"several", "s", change(func(s *runpb.Service) {
			s.Annotations = map[string]string{"run.googleapis.com/x": "y"}
			s.Template.Timeout = durationpb.New(-1)
			s.Template.Containers[0].Image = ""
			s.Template.Revision = "other-1"
		}), codes.InvalidArgument, []string{"reserved namespace", "timeout", "image: required", `must begin with "s-"`}},
		{"sum", "s", change(func(s *runpb.Service) { s.Traffic = []*runpb.TrafficTarget{target(99, "")} }),
			codes.InvalidArgument, []string{"sum to 99, must sum to 100"}},
		{"tags", "s", change(func(s *runpb.Service) {
			s.Traffic = []*runpb.TrafficTarget{target(50, "a"), target(50, "a"), target(0, "A!"), target(0, strings.Repeat("x", 60))}
		}), codes.InvalidArgument, []string{`tag "a" is given twice`, `"A!" must hold`, "63 characters of a DNS label"}},
		{"secret", "s", change(func(s *runpb.Service) {
			s.Template.Containers[0].Env = []*runpb.EnvVar{{Name: "KEY", Values: &runpb.EnvVar_ValueSource{ValueSource: &runpb.EnvVarSource{}}}}
		}), codes.Unimplemented, []string{"Secret Manager is not supported by the embedded Cloud Run"}},
		{"env", "s", change(func(s *runpb.Service) {
			s.Template.Containers[0].Env = []*runpb.EnvVar{{Name: "PORT"}, {Name: "A"}, {Name: "A"}, {Name: "B=C"}}
		}), codes.InvalidArgument, []string{"PORT is reserved", "A is given twice", `"B=C" is no name`}},
		{"sidecar", "s", change(func(s *runpb.Service) {
			s.Template.Containers = append(s.Template.Containers, &runpb.Container{Image: image})
		}), codes.Unimplemented, []string{"more than one container"}},
		{"concurrency", "s", change(func(s *runpb.Service) { s.Template.MaxInstanceRequestConcurrency = 1001 }),
			codes.InvalidArgument, []string{"between 1 and 1000"}},
		{"account", "s", change(func(s *runpb.Service) { s.Template.ServiceAccount = "ghost@kakehi-local.iam.gserviceaccount.com" }),
			codes.PermissionDenied, []string{"Permission 'iam.serviceAccounts.actAs' denied", "(or it may not exist)"}},
		{"limits", "s", change(func(s *runpb.Service) {
			s.Template.Containers[0].Resources = &runpb.ResourceRequirements{Limits: map[string]string{"cpu": "-3", "memory": "lots", "disk": "1Gi"}}
		}), codes.InvalidArgument, []string{`cpu "-3" is not a quantity such as 1`, `memory "lots" is not`, `"disk" is not cpu`}},
		{"no limit", "s", change(func(s *runpb.Service) {
			s.Template.Containers[0].Resources = &runpb.ResourceRequirements{Limits: map[string]string{"cpu": "0.0", "memory": "Mi"}}
		}), codes.InvalidArgument, []string{`cpu "0.0" is not`, `memory "Mi" is not`}},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := c.services.CreateService(t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: x.id, Service: x.svc})
			if status.Code(err) != x.code {
				t.Fatalf("%v, want %v", err, x.code)
			}
			for _, want := range x.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
	if _, err := c.services.ListServices(t.Context(), &runpb.ListServicesRequest{Parent: parent}).Next(); err != iterator.Done {
		t.Errorf("a service was created: %v", err)
	}
}

func TestValidateOnly(t *testing.T) {
	c := newCloud(t, nil)
	op, err := c.services.CreateService(t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: "s", Service: newSpec("ok"), ValidateOnly: true})
	if err != nil || !op.Done() {
		t.Fatal(op, err)
	}
	svc, err := op.Poll(t.Context())
	if err != nil || svc.Template.Timeout.GetSeconds() != 300 {
		t.Errorf("%v, %v", svc, err)
	}
	_, err = c.services.GetService(t.Context(), &runpb.GetServiceRequest{Name: parent + "/services/s"})
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "Resource 's' of kind 'SERVICE'") {
		t.Errorf("get: %v", err)
	}
}

func TestUpdate(t *testing.T) {
	c := newCloud(t, nil)
	first := c.create("s", newSpec("ok", "GREETING=one"))
	name := first.Name

	// Traffic and annotations alone make no revision.
	svc, err := c.update(&runpb.Service{Name: name, Annotations: map[string]string{"kakehi.dev/rollout": "{}"},
		Traffic: []*runpb.TrafficTarget{{Type: byRevision, Revision: lastSegment(first.LatestReadyRevision), Percent: 100, Tag: "stable"}}},
		"traffic", "annotations")
	if err != nil {
		t.Fatal(err)
	}
	if svc.LatestCreatedRevision != first.LatestCreatedRevision || svc.Generation != 2 || svc.Annotations["kakehi.dev/rollout"] != "{}" {
		t.Errorf("after a traffic patch: %v", svc)
	}
	if got := svc.TrafficStatuses[0].Uri; got != "https://stable---s-123456789012.us-central1.run.app" {
		t.Errorf("tag URL %q", got)
	}

	// A deployment with a name and no traffic.
	wanted := proto.CloneOf(svc)
	wanted.Template.Revision = "s-green"
	wanted.Template.Containers[0].Env[1].Values = &runpb.EnvVar_Value{Value: "two"}
	wanted.Traffic = append(wanted.Traffic, &runpb.TrafficTarget{Type: byRevision, Revision: "s-green", Tag: "candidate"})
	if svc, err = c.update(wanted); err != nil {
		t.Fatal(err)
	}
	if svc.LatestReadyRevision != name+"/revisions/s-green" {
		t.Errorf("latest ready %s", svc.LatestReadyRevision)
	}
	if got := c.ask(svc.Uri).Greeting; got != "one" {
		t.Errorf("the service answers %q", got)
	}
	if got := c.ask("https://candidate---s-123456789012.us-central1.run.app").Greeting; got != "two" {
		t.Errorf("the tag answers %q", got)
	}

	// The same name for another configuration.
	other := proto.CloneOf(svc)
	other.Template.Containers[0].Env[1].Values = &runpb.EnvVar_Value{Value: "three"}
	if _, err := c.update(other); status.Code(err) != codes.AlreadyExists || !strings.Contains(err.Error(), "Revision named 's-green' with different configuration already exists.") {
		t.Errorf("reused name: %v", err)
	}

	// A nested field; the rest of the template stays.
	svc, err = c.update(&runpb.Service{Name: name, Template: &runpb.RevisionTemplate{MaxInstanceRequestConcurrency: 7, Revision: "s-blue"}},
		"template.max_instance_request_concurrency", "template.revision")
	if err != nil || svc.Template.MaxInstanceRequestConcurrency != 7 || svc.Template.Containers[0].Env[1].GetValue() != "two" {
		t.Errorf("%v, %v", svc.GetTemplate(), err)
	}
	if _, err := c.update(&runpb.Service{Name: name}, "template.nothing"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("unknown field: %v", err)
	}

	var ids []string
	for rev, err := range c.revisions.ListRevisions(t.Context(), &runpb.ListRevisionsRequest{Parent: name}).All() {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, lastSegment(rev.Name))
	}
	if diff := cmp.Diff([]string{"s-blue", "s-green", lastSegment(first.LatestReadyRevision)}, ids); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

func TestEtag(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	change := &runpb.Service{Name: svc.Name, Etag: svc.Etag, Description: "one"}
	next, err := c.update(change, "description")
	if err != nil || next.Etag == svc.Etag {
		t.Fatal(next.GetEtag(), err)
	}
	if _, err := c.update(change, "description"); status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), "Conflict for resource 's'") {
		t.Errorf("stale etag: %v", err)
	}
	change.Etag = ""
	if _, err := c.update(change, "description"); err != nil {
		t.Errorf("no etag: %v", err)
	}
	if _, err := c.services.DeleteService(t.Context(), &runpb.DeleteServiceRequest{Name: svc.Name, Etag: svc.Etag}); status.Code(err) != codes.Aborted {
		t.Errorf("delete with a stale etag: %v", err)
	}
}

func TestAllowMissing(t *testing.T) {
	c := newCloud(t, nil)
	svc := newSpec("ok")
	svc.Name = parent + "/services/s"
	if _, err := c.update(svc); status.Code(err) != codes.NotFound {
		t.Errorf("update of nothing: %v", err)
	}
	op, err := c.services.UpdateService(t.Context(), &runpb.UpdateServiceRequest{Service: svc, AllowMissing: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := op.Wait(t.Context()); err != nil || got.Generation != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// A revision that does not start fails the operation with the log's end, and
// the last ready one keeps its traffic.
func TestFailedStart(t *testing.T) {
	c := newCloud(t, nil)
	stable := c.create("s", newSpec("ok"))
	bad := newSpec("exit")
	bad.Name = stable.Name
	_, err := c.update(bad)
	if status.Code(err) != codes.FailedPrecondition {
		t.Fatal(err)
	}
	for _, want := range []string{"is not ready and cannot serve traffic", "exited with code 3", "no model at gs://b/m"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	svc := c.get("s")
	if svc.LatestReadyRevision != stable.LatestReadyRevision || svc.ObservedGeneration != 1 || svc.Reconciling ||
		svc.TerminalCondition.GetRevisionReason() != runpb.Condition_HEALTH_CHECK_CONTAINER_ERROR {
		t.Errorf("service %v", svc)
	}
	if r := c.ask(svc.Uri); r.Revision != lastSegment(stable.LatestReadyRevision) {
		t.Errorf("%s answers", r.Revision)
	}
	traffic := &runpb.Service{Name: svc.Name, Traffic: []*runpb.TrafficTarget{{Type: byRevision, Revision: "s-none", Percent: 100}}}
	if _, err := c.update(traffic, "traffic"); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "'s-none' does not exist or is deleted") {
		t.Errorf("traffic to nothing: %v", err)
	}
	if r := c.ask(svc.Uri); r.Revision != lastSegment(stable.LatestReadyRevision) {
		t.Errorf("%s answers", r.Revision)
	}
	good := newSpec("ok", "GREETING=mended")
	good.Name = stable.Name
	if svc, err = c.update(good); err != nil || c.ask(svc.Uri).Greeting != "mended" {
		t.Errorf("%v, %v", svc, err)
	}
}

// Each condition of a service that never had a revision says why, for clients
// show one or another.
func TestFailedFirstStart(t *testing.T) {
	c := newCloud(t, nil)
	op, err := c.services.CreateService(t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: "s", Service: newSpec("exit")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(t.Context()); status.Code(err) != codes.FailedPrecondition {
		t.Fatal(err)
	}
	svc := c.get("s")
	for _, condition := range append(svc.Conditions, svc.TerminalCondition) {
		if !strings.Contains(condition.Message, "exited with code 3") {
			t.Errorf("%s: %q", condition.Type, condition.Message)
		}
	}
}

func TestStartupDeadline(t *testing.T) {
	c := newCloud(t, nil)
	svc := newSpec("deaf")
	svc.Template.Containers[0].StartupProbe = &runpb.Probe{PeriodSeconds: 1, FailureThreshold: 1, ProbeType: &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{}}}
	op, err := c.services.CreateService(t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: "s", Service: svc})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = op.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "not ready after 1s") {
		t.Error(err)
	}
	if code, _ := c.call("https://s-123456789012.us-central1.run.app"); code != 503 {
		t.Errorf("a service that never was ready answers %d", code)
	}
}

func TestDelete(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	pid := c.ask(svc.Uri).PID
	second := newSpec("ok", "GREETING=two")
	second.Name = svc.Name
	next, err := c.update(second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.revisions.DeleteRevision(t.Context(), &runpb.DeleteRevisionRequest{Name: next.LatestReadyRevision}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("delete the serving revision: %v", err)
	}
	op, err := c.revisions.DeleteRevision(t.Context(), &runpb.DeleteRevisionRequest{Name: svc.LatestReadyRevision})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("its instance still runs")
	}
	pid = c.ask(svc.Uri).PID
	gone, err := c.services.DeleteService(t.Context(), &runpb.DeleteServiceRequest{Name: svc.Name})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := gone.Wait(t.Context()); err != nil || got.DeleteTime == nil {
		t.Errorf("%v, %v", got, err)
	}
	if alive(pid) {
		t.Error("an instance still runs")
	}
	if code, _ := c.call(svc.Uri); code != 404 {
		t.Errorf("a deleted service answers %d", code)
	}
	c.create("s", newSpec("ok"))
}

func TestListPages(t *testing.T) {
	c := newCloud(t, func(o *Options) {})
	for _, id := range []string{"a", "b", "c"} {
		svc := newSpec("ok")
		svc.Template.HealthCheckDisabled = true
		c.create(id, svc)
	}
	var got []string
	it := c.services.ListServices(t.Context(), &runpb.ListServicesRequest{Parent: "projects/" + number + "/locations/-", PageSize: 2})
	for svc, err := range it.All() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, lastSegment(svc.Name))
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPermissions(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	steps := as(t.Context(), "serviceAccount:steps@kakehi-local.iam.gserviceaccount.com") // run.viewer
	if _, err := c.services.GetService(steps, &runpb.GetServiceRequest{Name: svc.Name}); err != nil {
		t.Errorf("get: %v", err)
	}
	_, err := c.services.UpdateService(steps, &runpb.UpdateServiceRequest{Service: svc})
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "run.services.update") {
		t.Errorf("update: %v", err)
	}
	policy := &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/run.developer", Members: []string{"serviceAccount:steps@kakehi-local.iam.gserviceaccount.com"}}}}
	if _, err := c.services.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: svc.Name, Policy: policy}); err != nil {
		t.Fatal(err)
	}
	got, err := c.services.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: svc.Name})
	if err != nil || len(got.Bindings) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	// Now it may update the service, but not act as its service account.
	svc.Template.Containers[0].Args = []string{"x"}
	_, err = c.services.UpdateService(steps, &runpb.UpdateServiceRequest{Service: svc})
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "iam.serviceAccounts.actAs") {
		t.Errorf("update: %v", err)
	}
	tested, err := c.services.TestIamPermissions(steps, &iampb.TestIamPermissionsRequest{Resource: svc.Name, Permissions: []string{"run.services.update", "run.services.setIamPolicy"}})
	if err != nil || len(tested.Permissions) != 1 || tested.Permissions[0] != "run.services.update" {
		t.Errorf("%v, %v", tested, err)
	}
}

// A restart keeps the state, with no instance started, and finishes what it
// interrupted.
func TestRestart(t *testing.T) {
	c := newCloud(t, nil)
	svc := c.create("s", newSpec("ok"))
	pid := c.ask(svc.Uri).PID
	second := newSpec("slow", "GREETING=two")
	second.Name = svc.Name
	op, err := c.services.UpdateService(t.Context(), &runpb.UpdateServiceRequest{Service: second})
	if err != nil {
		t.Fatal(err)
	}
	c.stop()
	if alive(pid) {
		t.Error("an instance outlived Close")
	}
	c = openCloud(t, c.dir, nil)
	got, err := c.services.UpdateServiceOperation(op.Name()).Wait(t.Context())
	if err != nil || got.Generation != 2 || got.Reconciling {
		t.Fatalf("the interrupted update: %v, %v", got, err)
	}
	if r := c.ask(svc.Uri); r.Greeting != "two" {
		t.Errorf("reply %+v", r)
	}
	c.stop()
	c = openCloud(t, c.dir, nil)
	if n := c.instances(got.LatestReadyRevision); n != 0 {
		t.Errorf("%d instances after a restart", n)
	}
	if r := c.ask(svc.Uri); r.Greeting != "two" {
		t.Errorf("reply %+v", r)
	}
}
