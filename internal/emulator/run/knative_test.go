//go:build unix

package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
)

// knativeServer serves the v1 API to the developer.
func knativeServer(t *testing.T, c *cloud) *httptest.Server {
	t.Helper()
	api := c.run.Knative()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r.WithContext(iam.WithPrincipal(r.Context(), iam.Principal{Member: iam.Developer})))
	}))
	t.Cleanup(server.Close)
	return server
}

// knativeDo sends a request and reads the JSON answer into out.
func knativeDo(t *testing.T, method, url string, in, out any) int {
	t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, &body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%s %s: %v: %s", method, url, err, data)
	}
	return res.StatusCode
}

func TestKnative(t *testing.T) {
	c := newCloud(t, nil)
	base := knativeServer(t, c).URL
	services := base + "/apis/serving.knative.dev/v1/namespaces/" + project + "/services"
	in := kService{APIVersion: knativeVersion, Kind: "Service",
		Metadata: kMeta{Name: "s", Annotations: map[string]string{"run.googleapis.com/client-name": "gcloud", "run.googleapis.com/invoker-iam-disabled": "true"}},
		Spec: kServiceSpec{Template: kTemplate{
			Metadata: kMeta{Annotations: map[string]string{"autoscaling.knative.dev/maxScale": "3"}},
			Spec:     kRevisionSpec{Containers: []kContainer{{Image: image, Env: []kEnv{{Name: "MODE", Value: "ok"}}}}},
		}}}
	var svc kService
	if code := knativeDo(t, "POST", services, in, &svc); code != 200 {
		t.Fatal(code)
	}
	eventually(t, "the service is ready", func() bool {
		knativeDo(t, "GET", services+"/s", nil, &svc)
		return svc.Status.Conditions[0].Status == "True" && svc.Status.ObservedGeneration == 1
	})
	v2 := c.get("s")
	if v2.Client != "gcloud" || v2.Template.Scaling.MaxInstanceCount != 3 || len(v2.Annotations) != 0 {
		t.Errorf("as v2: %v", v2)
	}
	if diff := cmp.Diff([]kTraffic{{LatestRevision: true, Percent: 100}}, svc.Spec.Traffic); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	c.ask(svc.Status.URL)

	stale := svc
	svc.Spec.Traffic = []kTraffic{{RevisionName: svc.Status.LatestReadyRevisionName, Percent: 100, Tag: "a"}}
	var next kService
	if code := knativeDo(t, "PUT", services+"/s", svc, &next); code != 200 {
		t.Fatal(code)
	}
	eventually(t, "the tag has a URL", func() bool {
		knativeDo(t, "GET", services+"/s", nil, &next)
		return len(next.Status.Traffic) == 1 && next.Status.Traffic[0].URL == "https://a---s-123456789012.us-central1.run.app"
	})
	if next.Status.LatestCreatedRevisionName != svc.Status.LatestCreatedRevisionName {
		t.Error("a change of traffic made a revision")
	}
	var failure struct {
		Error struct {
			Code            int
			Message, Status string
		}
	}
	if code := knativeDo(t, "PUT", services+"/s", stale, &failure); code != 409 || failure.Error.Status != "ABORTED" {
		t.Errorf("stale: %d %+v", code, failure)
	}
	if code := knativeDo(t, "GET", services+"/none", nil, &failure); code != 404 || failure.Error.Status != "NOT_FOUND" {
		t.Errorf("none: %d %+v", code, failure)
	}
	if code := knativeDo(t, "POST", services, map[string]any{"metadata": map[string]any{"name": "x"}, "specs": 1}, &failure); code != 400 || !strings.Contains(failure.Error.Message, `"specs"`) {
		t.Errorf("unknown field: %d %+v", code, failure)
	}
	in.Metadata.Name, in.Spec.Template.Metadata.Annotations = "y", map[string]string{"run.googleapis.com/cloudsql-instances": "p:r:i"}
	if code := knativeDo(t, "POST", services, in, &failure); code != 501 || !strings.Contains(failure.Error.Message, "cloudsql-instances") {
		t.Errorf("Cloud SQL: %d %+v", code, failure)
	}

	var revisions kRevisionList
	selector := "?labelSelector=" + url.QueryEscape("serving.knative.dev/service = s")
	if code := knativeDo(t, "GET", strings.Replace(services, "/services", "/revisions", 1)+selector, nil, &revisions); code != 200 || len(revisions.Items) != 1 {
		t.Errorf("revisions: %d %v", code, revisions)
	}
	var answer map[string]any
	if code := knativeDo(t, "DELETE", services+"/s", nil, &answer); code != 200 {
		t.Errorf("delete: %d %v", code, answer)
	}
}

// What v1 can state survives the way there and back.
func TestKnativeRoundTrip(t *testing.T) {
	c := newCloud(t, nil)
	svc := newSpec("ok", "A=b")
	svc.Description, svc.Client, svc.ClientVersion = "d", "gcloud", "528"
	svc.Labels, svc.Annotations = map[string]string{"l": "m"}, map[string]string{"kakehi.dev/rollout": "{}"}
	svc.Ingress = runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_ONLY
	svc.CustomAudiences = []string{"https://a"}
	svc.Scaling = &runpb.ServiceScaling{MinInstanceCount: 1, MaxInstanceCount: 4}
	tmpl := svc.Template
	tmpl.Labels, tmpl.Annotations = map[string]string{"client.knative.dev/nonce": "x"}, map[string]string{"e.com/a": "b"}
	tmpl.Scaling = &runpb.RevisionScaling{MinInstanceCount: 1, MaxInstanceCount: 2}
	tmpl.SessionAffinity, tmpl.Timeout = true, durationpb.New(defaultTimeout)
	tmpl.ExecutionEnvironment = runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN2
	tmpl.Volumes = []*runpb.Volume{{Name: "v", VolumeType: &runpb.Volume_Gcs{Gcs: &runpb.GCSVolumeSource{Bucket: "b", ReadOnly: true}}}}
	container := tmpl.Containers[0]
	container.VolumeMounts = []*runpb.VolumeMount{{Name: "v", MountPath: "/gcs/b"}}
	container.Args = []string{"-x"}
	container.Resources = &runpb.ResourceRequirements{Limits: map[string]string{"cpu": "2"}, StartupCpuBoost: true}
	container.LivenessProbe = &runpb.Probe{ProbeType: &runpb.Probe_HttpGet{HttpGet: &runpb.HTTPGetAction{Path: "/h", HttpHeaders: []*runpb.HTTPHeader{{Name: "a", Value: "b"}}}}}
	n := serviceName{project, "us-central1", "s"}
	c.run.setDefaults(svc)
	if err := c.run.validate(n, svc); err != nil {
		t.Fatal(err)
	}
	stored := proto.CloneOf(svc)
	stored.Name = n.String()
	data, err := json.Marshal(c.run.toKnative(stored))
	if err != nil {
		t.Fatal(err)
	}
	var k kService
	if err := json.Unmarshal(data, &k); err != nil {
		t.Fatal(err)
	}
	back, err := k.toService(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.run.setDefaults(back)
	if diff := cmp.Diff(svc, back, protocmp.Transform()); diff != "" {
		t.Errorf("(-there +back):\n%s", diff)
	}
}

// Google's own command line, if it is here.
func TestGcloud(t *testing.T) {
	c := newCloud(t, nil)
	gcloud := gcloudFor(t, c)
	const region = " --region=us-central1"
	deploy := func(greeting, flags string) {
		t.Helper()
		gcloud(fmt.Sprintf("run deploy s --image=%s --set-env-vars=MODE=ok,GREETING=%s --allow-unauthenticated %s", image, greeting, flags) + region)
	}
	deploy("one", "")
	const uri = "https://s-123456789012.us-central1.run.app"
	if r := c.ask(uri); r.Greeting != "one" {
		t.Errorf("reply %+v", r)
	}
	deploy("two", "--no-traffic --tag=candidate")
	first := c.ask(uri)
	if first.Greeting != "one" || c.ask("https://candidate---s-123456789012.us-central1.run.app").Greeting != "two" {
		t.Errorf("after a deployment without traffic: %+v", first)
	}
	gcloud("run services update-traffic s --to-tags=candidate=25" + region)
	want := []target{{first.Revision, 75}, {lastSegment(c.get("s").LatestReadyRevision), 25}}
	if diff := cmp.Diff(want, c.run.routes.get(serviceName{project, "us-central1", "s"}).targets, cmp.AllowUnexported(target{})); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if got := gcloud("run revisions list --service=s --format=value(metadata.name)" + region); len(strings.Fields(got)) != 2 {
		t.Errorf("revisions %q", got)
	}
	if got := gcloud("run services list --format=value(metadata.name)"); got != "s" {
		t.Errorf("services %q", got)
	}
	gcloud("run services delete s" + region)
}
