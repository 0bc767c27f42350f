package run

import "encoding/json"

const (
	knativeVersion = "serving.knative.dev/v1"
	serviceLabel   = "serving.knative.dev/service"
	locationLabel  = "cloud.googleapis.com/location"
)

// The types of the v1 API as JSON (cloud.google.com/run/docs/reference/rest/v1).

type kServiceList struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Metadata   struct{}   `json:"metadata"` // gcloud fails without it
	Items      []kService `json:"items"`
}

type kRevisionList struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Metadata   struct{}    `json:"metadata"`
	Items      []kRevision `json:"items"`
}

type kService struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   kMeta        `json:"metadata"`
	Spec       kServiceSpec `json:"spec"`
	Status     *kStatus     `json:"status,omitempty"` // output only
}

type kMeta struct {
	Name              string            `json:"name,omitempty"`
	Namespace         string            `json:"namespace,omitempty"`
	SelfLink          string            `json:"selfLink,omitempty"`
	UID               string            `json:"uid,omitempty"`
	ResourceVersion   string            `json:"resourceVersion,omitempty"`
	Generation        int64             `json:"generation,omitempty"`
	CreationTimestamp string            `json:"creationTimestamp,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
	OwnerReferences   []kOwner          `json:"ownerReferences,omitempty"`
}

type kOwner struct {
	APIVersion         string `json:"apiVersion"`
	Kind               string `json:"kind"`
	Name               string `json:"name"`
	UID                string `json:"uid"`
	Controller         bool   `json:"controller"`
	BlockOwnerDeletion bool   `json:"blockOwnerDeletion"`
}

type kServiceSpec struct {
	Template kTemplate  `json:"template"`
	Traffic  []kTraffic `json:"traffic,omitempty"`
}

type kTemplate struct {
	Metadata kMeta         `json:"metadata"`
	Spec     kRevisionSpec `json:"spec"`
}

type kRevisionSpec struct {
	ContainerConcurrency int32             `json:"containerConcurrency,omitempty"`
	TimeoutSeconds       int32             `json:"timeoutSeconds,omitempty"`
	ServiceAccountName   string            `json:"serviceAccountName,omitempty"`
	Containers           []kContainer      `json:"containers,omitempty"`
	Volumes              []kVolume         `json:"volumes,omitempty"`
	NodeSelector         map[string]string `json:"nodeSelector,omitempty"`
}

type kContainer struct {
	Name           string      `json:"name,omitempty"`
	Image          string      `json:"image"`
	Command        []string    `json:"command,omitempty"`
	Args           []string    `json:"args,omitempty"`
	Env            []kEnv      `json:"env,omitempty"`
	Resources      *kResources `json:"resources,omitempty"`
	Ports          []kPort     `json:"ports,omitempty"`
	VolumeMounts   []kMount    `json:"volumeMounts,omitempty"`
	WorkingDir     string      `json:"workingDir,omitempty"`
	StartupProbe   *kProbe     `json:"startupProbe,omitempty"`
	LivenessProbe  *kProbe     `json:"livenessProbe,omitempty"`
	ReadinessProbe *kProbe     `json:"readinessProbe,omitempty"`
}

type kEnv struct {
	Name      string          `json:"name"`
	Value     string          `json:"value,omitempty"`
	ValueFrom json.RawMessage `json:"valueFrom,omitempty"`
}

type kResources struct {
	Limits   map[string]string `json:"limits,omitempty"`
	Requests map[string]string `json:"requests,omitempty"` // Cloud Run ignores them
}

type kPort struct {
	Name          string `json:"name,omitempty"`
	ContainerPort int32  `json:"containerPort,omitempty"`
	Protocol      string `json:"protocol,omitempty"`
}

type kMount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	SubPath   string `json:"subPath,omitempty"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
}

// kVolume is a CSI volume of Cloud Storage; the others are not emulated.
type kVolume struct {
	Name     string          `json:"name"`
	CSI      *kCSI           `json:"csi,omitempty"`
	Secret   json.RawMessage `json:"secret,omitempty"`
	EmptyDir json.RawMessage `json:"emptyDir,omitempty"`
	NFS      json.RawMessage `json:"nfs,omitempty"`
}

type kCSI struct {
	Driver           string            `json:"driver"`
	ReadOnly         bool              `json:"readOnly,omitempty"`
	VolumeAttributes map[string]string `json:"volumeAttributes,omitempty"`
}

type kProbe struct {
	InitialDelaySeconds int32           `json:"initialDelaySeconds,omitempty"`
	TimeoutSeconds      int32           `json:"timeoutSeconds,omitempty"`
	PeriodSeconds       int32           `json:"periodSeconds,omitempty"`
	FailureThreshold    int32           `json:"failureThreshold,omitempty"`
	SuccessThreshold    int32           `json:"successThreshold,omitempty"`
	HTTPGet             *kHTTPGet       `json:"httpGet,omitempty"`
	TCPSocket           *kTCPSocket     `json:"tcpSocket,omitempty"`
	GRPC                json.RawMessage `json:"grpc,omitempty"`
}

type kHTTPGet struct {
	Path        string    `json:"path,omitempty"`
	Port        int32     `json:"port,omitempty"`
	HTTPHeaders []kHeader `json:"httpHeaders,omitempty"`
}

type kHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type kTCPSocket struct {
	Port int32 `json:"port,omitempty"`
}

type kTraffic struct {
	RevisionName   string `json:"revisionName,omitempty"`
	LatestRevision bool   `json:"latestRevision,omitempty"`
	Percent        int32  `json:"percent,omitempty"`
	Tag            string `json:"tag,omitempty"`
	URL            string `json:"url,omitempty"` // output only
}

type kStatus struct {
	ObservedGeneration        int64        `json:"observedGeneration,omitempty"`
	Conditions                []kCondition `json:"conditions,omitempty"`
	LatestReadyRevisionName   string       `json:"latestReadyRevisionName,omitempty"`
	LatestCreatedRevisionName string       `json:"latestCreatedRevisionName,omitempty"`
	Traffic                   []kTraffic   `json:"traffic,omitempty"`
	URL                       string       `json:"url,omitempty"`
	Address                   *kAddress    `json:"address,omitempty"`
}

type kAddress struct {
	URL string `json:"url"`
}

type kCondition struct {
	Type               string `json:"type"`
	Status             string `json:"status"` // True, False, Unknown
	Reason             string `json:"reason,omitempty"`
	Message            string `json:"message,omitempty"`
	LastTransitionTime string `json:"lastTransitionTime,omitempty"`
	Severity           string `json:"severity,omitempty"`
}

type kRevision struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   kMeta           `json:"metadata"`
	Spec       kRevisionSpec   `json:"spec"`
	Status     kRevisionStatus `json:"status"`
}

type kRevisionStatus struct {
	ObservedGeneration int64        `json:"observedGeneration,omitempty"`
	Conditions         []kCondition `json:"conditions,omitempty"`
	ImageDigest        string       `json:"imageDigest,omitempty"`
	LogURL             string       `json:"logUrl,omitempty"`
	ServiceName        string       `json:"serviceName,omitempty"`
}
