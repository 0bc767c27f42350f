package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Annotations that stand in v1 for fields of v2
// (cloud.google.com/run/docs/reference/yaml/v1).
const (
	runPrefix           = "run.googleapis.com/"
	annClient           = runPrefix + "client-name"
	annClientVersion    = runPrefix + "client-version"
	annDescription      = runPrefix + "description"
	annIngress          = runPrefix + "ingress"
	annIngressStatus    = runPrefix + "ingress-status"
	annLaunchStage      = runPrefix + "launch-stage"
	annInvokerDisabled  = runPrefix + "invoker-iam-disabled"
	annURLDisabled      = runPrefix + "default-url-disabled"
	annAudiences        = runPrefix + "custom-audiences"
	annServiceMin       = runPrefix + "minScale"
	annServiceMax       = runPrefix + "maxScale"
	annMin              = "autoscaling.knative.dev/minScale"
	annMax              = "autoscaling.knative.dev/maxScale"
	annThrottling       = runPrefix + "cpu-throttling"
	annBoost            = runPrefix + "startup-cpu-boost"
	annEnvironment      = runPrefix + "execution-environment"
	annAffinity         = runPrefix + "sessionAffinity"
	annHealthDisabled   = runPrefix + "health-check-disabled"
	annURLs             = runPrefix + "urls"
	annOperation        = runPrefix + "operation-id"
	annCreator          = "serving.knative.dev/creator"
	annModifier         = "serving.knative.dev/lastModifier"
	gcsDriver           = "gcsfuse.run.googleapis.com"
	ingressAll          = "all"
	ingressInternal     = "internal"
	ingressLoadBalancer = "internal-and-cloud-load-balancing"
)

// toService makes the v2 form. What v1 cannot state of a template is kept from
// old, if there is one.
func (k *kService) toService(old *runpb.Service) (*runpb.Service, error) {
	v := &violations{}
	svc := &runpb.Service{Labels: userKeys(k.Metadata.Labels)}
	a := annotations{v: v, at: "metadata.annotations", left: maps.Clone(k.Metadata.Annotations)}
	svc.Client, svc.ClientVersion = a.take(annClient), a.take(annClientVersion)
	svc.Description = a.take(annDescription)
	svc.Ingress = a.ingress()
	svc.LaunchStage = api.LaunchStage(api.LaunchStage_value[a.take(annLaunchStage)])
	svc.InvokerIamDisabled, svc.DefaultUriDisabled = a.flag(annInvokerDisabled), a.flag(annURLDisabled)
	if list := a.take(annAudiences); list != "" && json.Unmarshal([]byte(list), &svc.CustomAudiences) != nil {
		v.add(a.at, "%s must be a JSON array of strings", annAudiences)
	}
	if lo, hi := a.number(annServiceMin), a.number(annServiceMax); lo != 0 || hi != 0 {
		svc.Scaling = &runpb.ServiceScaling{MinInstanceCount: lo, MaxInstanceCount: hi}
	}
	svc.Annotations = a.rest(annIngressStatus, annURLs, annOperation, annCreator, annModifier)
	svc.Template = k.Spec.Template.toTemplate(v, old.GetTemplate())
	for _, t := range k.Spec.Traffic {
		target := &runpb.TrafficTarget{Type: byRevision, Revision: t.RevisionName, Percent: t.Percent, Tag: t.Tag}
		if t.LatestRevision {
			target.Type, target.Revision = latest, ""
		}
		svc.Traffic = append(svc.Traffic, target)
	}
	return svc, v.err()
}

func (k *kTemplate) toTemplate(v *violations, old *runpb.RevisionTemplate) *runpb.RevisionTemplate {
	t := &runpb.RevisionTemplate{}
	if old != nil {
		t = proto.CloneOf(old)
	}
	t.Revision, t.Labels = k.Metadata.Name, userKeys(k.Metadata.Labels)
	t.ServiceAccount, t.MaxInstanceRequestConcurrency = k.Spec.ServiceAccountName, k.Spec.ContainerConcurrency
	t.Timeout = nil
	if k.Spec.TimeoutSeconds != 0 {
		t.Timeout = durationpb.New(seconds(k.Spec.TimeoutSeconds))
	}
	a := annotations{v: v, at: "spec.template.metadata.annotations", left: maps.Clone(k.Metadata.Annotations)}
	t.Scaling = &runpb.RevisionScaling{MinInstanceCount: a.number(annMin), MaxInstanceCount: a.number(annMax)}
	t.SessionAffinity, t.HealthCheckDisabled = a.flag(annAffinity), a.flag(annHealthDisabled)
	t.ExecutionEnvironment = runpb.ExecutionEnvironment(runpb.ExecutionEnvironment_value["EXECUTION_ENVIRONMENT_"+strings.ToUpper(a.take(annEnvironment))])
	idle, boost := a.take(annThrottling) != "false", a.flag(annBoost)
	t.Annotations = a.rest(annClient, annClientVersion, annOperation, annCreator)
	t.Containers = nil
	for i, c := range k.Spec.Containers {
		t.Containers = append(t.Containers, c.toContainer(v, fmt.Sprintf("spec.template.spec.containers[%d]", i), idle, boost))
	}
	t.Volumes, t.NodeSelector = toVolumes(v, "spec.template.spec", k.Spec.Volumes), toSelector(k.Spec.NodeSelector)
	return t
}

func toVolumes(v *violations, at string, volumes []kVolume) (list []*runpb.Volume) {
	for i, vol := range volumes {
		if vol.CSI == nil || vol.CSI.Driver != gcsDriver {
			v.lacks(fmt.Sprintf("%s.volumes[%d]", at, i), "a volume that is not of Cloud Storage is")
			continue
		}
		bucket := &runpb.GCSVolumeSource{Bucket: vol.CSI.VolumeAttributes["bucketName"], ReadOnly: vol.CSI.ReadOnly}
		list = append(list, &runpb.Volume{Name: vol.Name, VolumeType: &runpb.Volume_Gcs{Gcs: bucket}})
	}
	return list
}

func toSelector(selector map[string]string) *runpb.NodeSelector {
	gpu := selector[runPrefix+"accelerator"]
	if gpu == "" {
		return nil
	}
	return &runpb.NodeSelector{Accelerator: gpu}
}

func (k *kContainer) toContainer(v *violations, at string, idle, boost bool) *runpb.Container {
	c := &runpb.Container{
		Name: k.Name, Image: k.Image, Command: k.Command, Args: k.Args, WorkingDir: k.WorkingDir,
		Resources:     &runpb.ResourceRequirements{CpuIdle: idle, StartupCpuBoost: boost},
		StartupProbe:  k.StartupProbe.toProbe(),
		LivenessProbe: k.LivenessProbe.toProbe(), ReadinessProbe: k.ReadinessProbe.toProbe(),
	}
	if k.Resources != nil {
		c.Resources.Limits = maps.Clone(k.Resources.Limits)
	}
	for _, p := range k.Ports {
		c.Ports = append(c.Ports, &runpb.ContainerPort{Name: p.Name, ContainerPort: p.ContainerPort})
	}
	for i, e := range k.Env {
		if e.ValueFrom != nil {
			v.lacks(fmt.Sprintf("%s.env[%d].valueFrom", at, i), "a value from Secret Manager is")
		}
		c.Env = append(c.Env, &runpb.EnvVar{Name: e.Name, Values: &runpb.EnvVar_Value{Value: e.Value}})
	}
	for _, m := range k.VolumeMounts {
		c.VolumeMounts = append(c.VolumeMounts, &runpb.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath})
	}
	return c
}

func (k *kProbe) toProbe() *runpb.Probe {
	if k == nil {
		return nil
	}
	p := &runpb.Probe{
		InitialDelaySeconds: k.InitialDelaySeconds, TimeoutSeconds: k.TimeoutSeconds,
		PeriodSeconds: k.PeriodSeconds, FailureThreshold: k.FailureThreshold,
	}
	switch {
	case k.HTTPGet != nil:
		get := &runpb.HTTPGetAction{Path: k.HTTPGet.Path, Port: k.HTTPGet.Port}
		for _, h := range k.HTTPGet.HTTPHeaders {
			get.HttpHeaders = append(get.HttpHeaders, &runpb.HTTPHeader{Name: h.Name, Value: h.Value})
		}
		p.ProbeType = &runpb.Probe_HttpGet{HttpGet: get}
	case k.TCPSocket != nil:
		p.ProbeType = &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{Port: k.TCPSocket.Port}}
	case k.GRPC != nil:
		p.ProbeType = &runpb.Probe_Grpc{Grpc: &runpb.GRPCAction{}}
	}
	return p
}

// annotations are taken one by one; the rest are the user's own, or of a
// feature that is not emulated.
type annotations struct {
	v    *violations
	at   string
	left map[string]string
}

func (a *annotations) take(key string) string {
	value := a.left[key]
	delete(a.left, key)
	return value
}

func (a *annotations) flag(key string) bool { return a.take(key) == "true" }

func (a *annotations) number(key string) int32 {
	text := a.take(key)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		a.v.add(a.at, "%s: %q is not a number of instances", key, text)
	}
	return int32(n)
}

func (a *annotations) ingress() runpb.IngressTraffic {
	switch value := a.take(annIngress); value {
	case "", ingressAll:
		return runpb.IngressTraffic_INGRESS_TRAFFIC_ALL
	case ingressInternal:
		return runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_ONLY
	case ingressLoadBalancer:
		return runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER
	default:
		a.v.add(a.at, "%s: %q is not %s, %s or %s", annIngress, value, ingressAll, ingressInternal, ingressLoadBalancer)
		return 0
	}
}

// rest returns the user's annotations. A reserved one that is neither known nor
// output only asks for what is not emulated.
func (a *annotations) rest(outputOnly ...string) map[string]string {
	for _, key := range sortedKeys(a.left) {
		if reserved(key) && !slices.Contains(outputOnly, key) {
			a.v.lacks(a.at, "annotation "+key+" is")
		}
	}
	return userKeys(a.left)
}

// userKeys returns the keys outside the reserved namespaces.
func userKeys(m map[string]string) map[string]string {
	var own map[string]string
	for k, v := range m {
		if !reserved(k) {
			if own == nil {
				own = map[string]string{}
			}
			own[k] = v
		}
	}
	return own
}
