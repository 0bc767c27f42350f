package run

import (
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	defaultPort        = 8080
	defaultTimeout     = 300 * time.Second
	defaultConcurrency = 80
	defaultMax         = 100
	// The default start-up probe: one try to connect, for 240 s.
	defaultStartup = 240
)

// setDefaults fills in what the cloud fills in
// (google.cloud.run.v2, comments of Service and RevisionTemplate).
func (s *Service) setDefaults(svc *runpb.Service) {
	if svc.Ingress == runpb.IngressTraffic_INGRESS_TRAFFIC_UNSPECIFIED {
		svc.Ingress = runpb.IngressTraffic_INGRESS_TRAFFIC_ALL
	}
	if svc.LaunchStage == api.LaunchStage_LAUNCH_STAGE_UNSPECIFIED {
		svc.LaunchStage = api.LaunchStage_GA
	}
	if len(svc.Traffic) == 0 {
		svc.Traffic = []*runpb.TrafficTarget{{Type: latest, Percent: 100}}
	}
	for _, t := range svc.Traffic {
		// What the cloud makes of a target without a type is not documented; that
		// the revision decides is a choice.
		if t.Type == runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED {
			t.Type = latest
			if t.Revision != "" {
				t.Type = byRevision
			}
		}
	}
	if svc.Template != nil {
		s.setTemplateDefaults(svc.Template)
	}
}

func (s *Service) setTemplateDefaults(t *runpb.RevisionTemplate) {
	if t.ServiceAccount == "" {
		t.ServiceAccount = s.Number + "-compute@developer.gserviceaccount.com"
	}
	if t.Timeout == nil {
		t.Timeout = durationpb.New(defaultTimeout)
	}
	if t.Scaling == nil {
		t.Scaling = &runpb.RevisionScaling{}
	}
	if t.Scaling.MaxInstanceCount == 0 {
		t.Scaling.MaxInstanceCount = max(defaultMax, t.Scaling.MinInstanceCount)
	}
	for _, c := range t.Containers {
		setContainerDefaults(c)
	}
	if t.MaxInstanceRequestConcurrency == 0 {
		t.MaxInstanceRequestConcurrency = defaultConcurrency
		if len(t.Containers) > 0 && belowOneCPU(t.Containers[0].Resources.Limits["cpu"]) {
			t.MaxInstanceRequestConcurrency = 1
		}
	}
}

func setContainerDefaults(c *runpb.Container) {
	if len(c.Ports) == 0 {
		c.Ports = []*runpb.ContainerPort{{}}
	}
	if p := c.Ports[0]; p.Name == "" {
		p.Name = "http1"
	}
	if p := c.Ports[0]; p.ContainerPort == 0 {
		p.ContainerPort = defaultPort
	}
	if c.Resources == nil {
		c.Resources = &runpb.ResourceRequirements{CpuIdle: true}
	}
	setResourceDefaults(c)
	if c.StartupProbe == nil {
		c.StartupProbe = &runpb.Probe{
			TimeoutSeconds: defaultStartup, PeriodSeconds: defaultStartup, FailureThreshold: 1,
			ProbeType: &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{}},
		}
	}
	for _, p := range []*runpb.Probe{c.StartupProbe, c.LivenessProbe} {
		setProbeDefaults(p, c.Ports[0].ContainerPort)
	}
}

func setResourceDefaults(c *runpb.Container) {
	if c.Resources == nil {
		c.Resources = &runpb.ResourceRequirements{}
	}
	if c.Resources.Limits == nil {
		c.Resources.Limits = map[string]string{}
	}
	for name, limit := range map[string]string{"cpu": "1000m", "memory": "512Mi"} {
		if c.Resources.Limits[name] == "" {
			c.Resources.Limits[name] = limit
		}
	}
}

func setProbeDefaults(p *runpb.Probe, port int32) {
	if p == nil {
		return
	}
	for field, value := range map[*int32]int32{&p.TimeoutSeconds: 1, &p.PeriodSeconds: 10, &p.FailureThreshold: 3} {
		if *field == 0 {
			*field = value
		}
	}
	if h := p.GetHttpGet(); h != nil {
		if h.Path == "" {
			h.Path = "/"
		}
		if h.Port == 0 {
			h.Port = port
		}
	}
	if t := p.GetTcpSocket(); t != nil && t.Port == 0 {
		t.Port = port
	}
}

// belowOneCPU reads a limit such as "0.5" or "500m".
func belowOneCPU(limit string) bool {
	digits, milli := strings.CutSuffix(limit, "m")
	n, err := strconv.ParseFloat(digits, 64)
	if milli {
		n /= 1000
	}
	return err == nil && n < 1
}
