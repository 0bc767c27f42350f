package run

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// toKnative makes the v1 form of a service.
func (s *Service) toKnative(svc *runpb.Service) kService {
	n, _ := s.parseService(svc.Name) // only valid names are stored
	k := kService{
		APIVersion: knativeVersion, Kind: "Service",
		Metadata: kMeta{
			Name: n.id, Namespace: s.Number, UID: svc.Uid, ResourceVersion: svc.Etag, Generation: svc.Generation,
			SelfLink:          "/apis/" + knativeVersion + "/namespaces/" + s.Number + "/services/" + n.id,
			CreationTimestamp: rfc3339(svc.CreateTime),
			Labels:            with(svc.Labels, locationLabel, n.location),
			Annotations:       serviceAnnotations(svc),
		},
		Spec:   kServiceSpec{Template: templateToKnative(svc.Template)},
		Status: s.statusToKnative(svc),
	}
	for _, t := range svc.Traffic {
		k.Spec.Traffic = append(k.Spec.Traffic, kTraffic{RevisionName: t.Revision, LatestRevision: t.Type == latest, Percent: t.Percent, Tag: t.Tag})
	}
	return k
}

func (s *Service) statusToKnative(svc *runpb.Service) *kStatus {
	st := &kStatus{
		// In v1 a failed generation is an observed one.
		ObservedGeneration:        svc.Generation,
		LatestReadyRevisionName:   lastSegment(svc.LatestReadyRevision),
		LatestCreatedRevisionName: lastSegment(svc.LatestCreatedRevision),
		URL:                       svc.Uri,
		Address:                   &kAddress{URL: svc.Uri},
	}
	if svc.Reconciling {
		st.ObservedGeneration--
	}
	for _, c := range append([]*runpb.Condition{svc.TerminalCondition}, svc.Conditions...) {
		st.Conditions = append(st.Conditions, conditionToKnative(c))
	}
	for _, t := range svc.TrafficStatuses {
		st.Traffic = append(st.Traffic, kTraffic{RevisionName: t.Revision, LatestRevision: t.Type == latest, Percent: t.Percent, Tag: t.Tag, URL: t.Uri})
	}
	return st
}

func conditionToKnative(c *runpb.Condition) kCondition {
	k := kCondition{Type: c.GetType(), Status: "Unknown", Message: c.GetMessage(), LastTransitionTime: rfc3339(c.GetLastTransitionTime())}
	switch c.GetState() {
	case runpb.Condition_CONDITION_SUCCEEDED:
		k.Status = "True"
	case runpb.Condition_CONDITION_FAILED:
		k.Status, k.Reason = "False", "RevisionFailed"
		switch {
		case c.GetRevisionReason() == runpb.Condition_HEALTH_CHECK_CONTAINER_ERROR:
			k.Reason = "HealthCheckContainerError"
		case c.GetExecutionReason() == runpb.Condition_NON_ZERO_EXIT_CODE:
			k.Reason = "NonZeroExitCode"
		case c.GetExecutionReason() == runpb.Condition_CANCELLED:
			k.Reason = "Cancelled"
		}
	}
	return k
}

// serviceAnnotations are the user's and those that stand for fields of v2.
func serviceAnnotations(svc *runpb.Service) map[string]string {
	a := maps.Clone(svc.Annotations)
	if a == nil {
		a = map[string]string{}
	}
	set := func(key, value string) {
		if value != "" {
			a[key] = value
		}
	}
	set(annClient, svc.Client)
	set(annClientVersion, svc.ClientVersion)
	set(annDescription, svc.Description)
	set(annCreator, svc.Creator)
	set(annModifier, svc.LastModifier)
	ingress := ingressAll
	switch svc.Ingress {
	case runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_ONLY:
		ingress = ingressInternal
	case runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER:
		ingress = ingressLoadBalancer
	}
	set(annIngress, ingress)
	set(annIngressStatus, ingress)
	set(annInvokerDisabled, trueOrEmpty(svc.InvokerIamDisabled))
	set(annURLDisabled, trueOrEmpty(svc.DefaultUriDisabled))
	set(annServiceMin, numberOrEmpty(svc.Scaling.GetMinInstanceCount()))
	set(annServiceMax, numberOrEmpty(svc.Scaling.GetMaxInstanceCount()))
	set(annURLs, jsonList(svc.Urls))
	if len(svc.CustomAudiences) > 0 {
		set(annAudiences, jsonList(svc.CustomAudiences))
	}
	return a
}

func templateToKnative(t *runpb.RevisionTemplate) kTemplate {
	return kTemplate{
		Metadata: kMeta{Name: t.Revision, Labels: t.Labels, Annotations: revisionAnnotations(t.Annotations, t.Scaling, t.Containers, t.ExecutionEnvironment, t.SessionAffinity, t.HealthCheckDisabled)},
		Spec: kRevisionSpec{
			ContainerConcurrency: t.MaxInstanceRequestConcurrency, TimeoutSeconds: int32(t.Timeout.GetSeconds()),
			ServiceAccountName: t.ServiceAccount, Containers: containersToKnative(t.Containers),
			Volumes: volumesToKnative(t.Volumes), NodeSelector: selectorToKnative(t.NodeSelector),
		},
	}
}

func revisionAnnotations(own map[string]string, scaling *runpb.RevisionScaling, containers []*runpb.Container, env runpb.ExecutionEnvironment, affinity, unchecked bool) map[string]string {
	a := with(own, annMax, strconv.Itoa(int(scaling.GetMaxInstanceCount())))
	if n := scaling.GetMinInstanceCount(); n > 0 {
		a[annMin] = strconv.Itoa(int(n))
	}
	if len(containers) > 0 {
		r := containers[0].GetResources()
		if !r.GetCpuIdle() {
			a[annThrottling] = "false"
		}
		if r.GetStartupCpuBoost() {
			a[annBoost] = "true"
		}
	}
	if gen, ok := strings.CutPrefix(env.String(), "EXECUTION_ENVIRONMENT_GEN"); ok {
		a[annEnvironment] = "gen" + gen
	}
	if affinity {
		a[annAffinity] = "true"
	}
	if unchecked {
		a[annHealthDisabled] = "true"
	}
	return a
}

func containersToKnative(list []*runpb.Container) []kContainer {
	var out []kContainer
	for _, c := range list {
		k := kContainer{
			Name: c.Name, Image: c.Image, Command: c.Command, Args: c.Args,
			Resources:    &kResources{Limits: c.Resources.GetLimits()},
			StartupProbe: probeToKnative(c.StartupProbe), LivenessProbe: probeToKnative(c.LivenessProbe),
		}
		for _, p := range c.Ports {
			k.Ports = append(k.Ports, kPort{Name: p.Name, ContainerPort: p.ContainerPort})
		}
		for _, e := range c.Env {
			k.Env = append(k.Env, kEnv{Name: e.Name, Value: e.GetValue()})
		}
		for _, m := range c.VolumeMounts {
			k.VolumeMounts = append(k.VolumeMounts, kMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath})
		}
		out = append(out, k)
	}
	return out
}

func probeToKnative(p *runpb.Probe) *kProbe {
	if p == nil {
		return nil
	}
	k := &kProbe{
		InitialDelaySeconds: p.InitialDelaySeconds, TimeoutSeconds: p.TimeoutSeconds,
		PeriodSeconds: p.PeriodSeconds, FailureThreshold: p.FailureThreshold,
	}
	if g := p.GetHttpGet(); g != nil {
		k.HTTPGet = &kHTTPGet{Path: g.Path, Port: g.Port}
		for _, h := range g.HttpHeaders {
			k.HTTPGet.HTTPHeaders = append(k.HTTPGet.HTTPHeaders, kHeader{Name: h.Name, Value: h.Value})
		}
	}
	if t := p.GetTcpSocket(); t != nil {
		k.TCPSocket = &kTCPSocket{Port: t.Port}
	}
	return k
}

func volumesToKnative(list []*runpb.Volume) []kVolume {
	var out []kVolume
	for _, v := range list {
		if g := v.GetGcs(); g != nil {
			out = append(out, kVolume{Name: v.Name, CSI: &kCSI{
				Driver: gcsDriver, ReadOnly: g.ReadOnly, VolumeAttributes: map[string]string{"bucketName": g.Bucket},
			}})
		}
	}
	return out
}

func selectorToKnative(n *runpb.NodeSelector) map[string]string {
	if n == nil {
		return nil
	}
	return map[string]string{runPrefix + "accelerator": n.Accelerator}
}

// revisionToKnative makes the v1 form of a revision.
func (s *Service) revisionToKnative(rev *runpb.Revision) kRevision {
	n, id, _ := s.parseRevision(rev.Name) // only valid names are stored
	labels := with(rev.Labels, serviceLabel, n.id)
	labels["serving.knative.dev/configuration"], labels["serving.knative.dev/route"] = n.id, n.id
	labels[locationLabel] = n.location
	k := kRevision{
		APIVersion: knativeVersion, Kind: "Revision",
		Metadata: kMeta{
			Name: id, Namespace: s.Number, UID: rev.Uid, ResourceVersion: rev.Etag, Generation: rev.Generation,
			SelfLink:          "/apis/" + knativeVersion + "/namespaces/" + s.Number + "/revisions/" + id,
			CreationTimestamp: rfc3339(rev.CreateTime), Labels: labels,
			Annotations: with(revisionAnnotations(rev.Annotations, rev.Scaling, rev.Containers, rev.ExecutionEnvironment, rev.SessionAffinity, false), annCreator, rev.Creator),
		},
		Spec: kRevisionSpec{
			ContainerConcurrency: rev.MaxInstanceRequestConcurrency, TimeoutSeconds: int32(rev.Timeout.GetSeconds()),
			ServiceAccountName: rev.ServiceAccount, Containers: containersToKnative(rev.Containers),
			Volumes: volumesToKnative(rev.Volumes), NodeSelector: selectorToKnative(rev.NodeSelector),
		},
		Status: kRevisionStatus{ObservedGeneration: rev.ObservedGeneration, ServiceName: n.id, ImageDigest: rev.Containers[0].Image, LogURL: rev.LogUri},
	}
	for _, c := range rev.Conditions {
		k.Status.Conditions = append(k.Status.Conditions, conditionToKnative(c))
	}
	k.Status.Conditions = append(k.Status.Conditions, s.activeCondition(rev))
	return k
}

// activeCondition says whether the revision gets traffic; gcloud shows it.
func (s *Service) activeCondition(rev *runpb.Revision) kCondition {
	n, id, _ := s.parseRevision(rev.Name)
	active := kCondition{Type: "Active", Status: "False", Reason: "Retired", LastTransitionTime: rfc3339(rev.UpdateTime), Severity: "Info"}
	if rt := s.routes.get(n); rt != nil && rt.reaches(id) {
		active.Status, active.Reason = "True", ""
	}
	return active
}

// reaches says whether requests can get to a revision, by percent or tag.
func (r *route) reaches(revision string) bool {
	for _, tagged := range r.tags {
		if tagged == revision {
			return true
		}
	}
	return slices.ContainsFunc(r.targets, func(t target) bool { return t.revision == revision })
}

func with(m map[string]string, key, value string) map[string]string {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	out[key] = value
	return out
}

func rfc3339(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}

func trueOrEmpty(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func numberOrEmpty(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

func jsonList(list []string) string {
	data, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(data)
}
