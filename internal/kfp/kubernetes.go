package kfp

import "github.com/kakehi/kakehi/internal/diag"

// Kubernetes is what the platforms document says for Kubernetes. What it says
// of an executor is with the executor; see [Pod].
type Kubernetes struct {
	At             diag.Pos
	Workspace      *Workspace
	TTLCompletion  int // seconds that resources are kept after a run; 0: not said
	TTLSuccess     int
	TTLFailure     int
	ActiveDeadline int // seconds that a run may take; 0: not said
}

// Workspace is a volume that the tasks of a run share.
type Workspace struct {
	At       diag.Pos
	Size     string
	PVCPatch *Struct // of the claim's specification
}

// Pod is how Kubernetes runs the pod of an executor.
type Pod struct {
	At              diag.Pos
	SecretVolumes   []*ConfigVolume
	SecretEnv       []*ConfigEnv
	ConfigVolumes   []*ConfigVolume // of config maps
	ConfigEnv       []*ConfigEnv
	FieldEnv        []*FieldEnv
	Claims          []*ClaimMount
	Ephemeral       []*EphemeralVolume
	EmptyDirs       []*EmptyDir
	SharedMemory    *SharedMemory
	NodeSelector    *NodeSelector
	NodeAffinity    []*NodeAffinity
	PodAffinity     []*PodAffinity
	Tolerations     []*Toleration
	Metadata        *PodMetadata
	PullSecrets     []*PullSecret
	PullPolicy      string
	ActiveDeadline  int // seconds that the pod may run; 0: not said
	SecurityContext *SecurityContext
	InitContainers  []*InitContainer
	ResourceClaims  []*ResourceClaim
}

// ConfigVolume mounts a secret or a config map.
type ConfigVolume struct {
	At        diag.Pos
	Name      Source
	MountPath string
	Optional  bool
}

// ConfigEnv sets environment variables from a secret or a config map.
type ConfigEnv struct {
	At       diag.Pos
	Name     Source
	Keys     []*KeyEnv
	Optional bool
}

// KeyEnv sets an environment variable from a key.
type KeyEnv struct {
	At       diag.Pos
	Key, Env string
}

// FieldEnv sets an environment variable from a field of the pod.
type FieldEnv struct {
	At         diag.Pos
	Name, Path string
}

// ClaimMount mounts a persistent volume claim.
type ClaimMount struct {
	At                 diag.Pos
	Name               Source
	MountPath, SubPath string
}

// EphemeralVolume mounts a volume that lives as long as the pod.
type EphemeralVolume struct {
	At              diag.Pos
	Name, MountPath string
	AccessModes     []string
	Size            string
	StorageClass    string // "": the default one
	DefaultClass    bool
	Metadata        *PodMetadata
}

// EmptyDir mounts an empty directory.
type EmptyDir struct {
	At                diag.Pos
	Name, MountPath   string
	Medium, SizeLimit string
}

// SharedMemory gives a pod more of it.
type SharedMemory struct {
	At         diag.Pos
	Name, Size string
}

// NodeSelector chooses nodes by labels: JSON if it is given, else Labels.
type NodeSelector struct {
	At     diag.Pos
	Labels []*Field
	JSON   Source
}

// NodeAffinity prefers or demands nodes: by JSON if it is given.
type NodeAffinity struct {
	At          diag.Pos
	Expressions []*Requirement
	Fields      []*Requirement
	Weight      int // 0: demanded
	JSON        Source
}

// PodAffinity prefers or demands to be near to other pods, or far from them.
type PodAffinity struct {
	At                   diag.Pos
	Expressions          []*Requirement
	Labels               []*Field
	TopologyKey          string
	Namespaces           []string
	NamespaceExpressions []*Requirement
	NamespaceLabels      []*Field
	Weight               int // 0: demanded
	Anti                 bool
}

// Requirement is a condition on a label or a field.
type Requirement struct {
	At            diag.Pos
	Key, Operator string
	Values        []string
}

// Toleration lets a pod run on a tainted node: JSON if it is given.
type Toleration struct {
	At                           diag.Pos
	Key, Operator, Value, Effect string
	Seconds                      int // 0: for ever
	JSON                         Source
}

// PodMetadata is labels and annotations.
type PodMetadata struct {
	At                  diag.Pos
	Labels, Annotations []*Field
}

// PullSecret is a secret to pull images with.
type PullSecret struct {
	At   diag.Pos
	Name Source
}

// SecurityContext is whom a container runs as; -1 where it is not said.
type SecurityContext struct {
	At           diag.Pos
	User, Group  int
	RunAsNonRoot bool
}

// InitContainer runs before the main container, or beside it.
type InitContainer struct {
	At            diag.Pos
	Name, Image   string
	Command, Args []string
	Env           []*Field
	Mounts        []*Field // a path for each volume
	RestartPolicy string
	Requests      []*Field
	Limits        []*Field
}

// ResourceClaim asks for a resource by a template: by JSON if it is given.
type ResourceClaim struct {
	At       diag.Pos
	Template string
	JSON     Source
}
