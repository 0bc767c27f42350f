package kfp

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

var podMessage = message[Pod]{"a pod", []field[Pod]{
	{name: "secretAsVolume", read: func(r *reader, n *source.Node, p *Pod) {
		p.SecretVolumes = items(r, n, &secretVolumeMessage, func(at diag.Pos) *ConfigVolume { return &ConfigVolume{At: at} })
	}},
	{name: "secretAsEnv", read: func(r *reader, n *source.Node, p *Pod) {
		p.SecretEnv = items(r, n, &secretEnvMessage, func(at diag.Pos) *ConfigEnv { return &ConfigEnv{At: at} })
	}},
	{name: "configMapAsVolume", read: func(r *reader, n *source.Node, p *Pod) {
		p.ConfigVolumes = items(r, n, &configVolumeMessage, func(at diag.Pos) *ConfigVolume { return &ConfigVolume{At: at} })
	}},
	{name: "configMapAsEnv", read: func(r *reader, n *source.Node, p *Pod) {
		p.ConfigEnv = items(r, n, &configEnvMessage, func(at diag.Pos) *ConfigEnv { return &ConfigEnv{At: at} })
	}},
	{name: "fieldPathAsEnv", read: func(r *reader, n *source.Node, p *Pod) {
		p.FieldEnv = items(r, n, &fieldEnvMessage, func(at diag.Pos) *FieldEnv { return &FieldEnv{At: at} })
	}},
	{name: "pvcMount", read: func(r *reader, n *source.Node, p *Pod) {
		p.Claims = items(r, n, &claimMountMessage, func(at diag.Pos) *ClaimMount { return &ClaimMount{At: at} })
	}},
	{name: "genericEphemeralVolume", read: func(r *reader, n *source.Node, p *Pod) {
		p.Ephemeral = items(r, n, &ephemeralMessage, func(at diag.Pos) *EphemeralVolume { return &EphemeralVolume{At: at} })
	}},
	{name: "emptyDirMounts", read: func(r *reader, n *source.Node, p *Pod) {
		p.EmptyDirs = items(r, n, &emptyDirMessage, func(at diag.Pos) *EmptyDir { return &EmptyDir{At: at} })
	}},
	{name: "enabledSharedMemory", read: func(r *reader, n *source.Node, p *Pod) {
		p.SharedMemory = &SharedMemory{At: n.Pos()}
		sharedMemoryMessage.read(r, n, p.SharedMemory)
	}},
	{name: "nodeSelector", read: func(r *reader, n *source.Node, p *Pod) {
		p.NodeSelector = &NodeSelector{At: n.Pos()}
		nodeSelectorMessage.read(r, n, p.NodeSelector)
	}},
	{name: "nodeAffinity", read: func(r *reader, n *source.Node, p *Pod) {
		p.NodeAffinity = items(r, n, &nodeAffinityMessage, func(at diag.Pos) *NodeAffinity { return &NodeAffinity{At: at} })
	}},
	{name: "podAffinity", read: func(r *reader, n *source.Node, p *Pod) {
		p.PodAffinity = items(r, n, &podAffinityMessage, func(at diag.Pos) *PodAffinity { return &PodAffinity{At: at} })
	}},
	{name: "tolerations", read: func(r *reader, n *source.Node, p *Pod) {
		p.Tolerations = items(r, n, &tolerationMessage, func(at diag.Pos) *Toleration { return &Toleration{At: at} })
	}},
	{name: "podMetadata", read: func(r *reader, n *source.Node, p *Pod) { p.Metadata = r.podMetadata(n) }},
	{name: "imagePullSecret", read: func(r *reader, n *source.Node, p *Pod) {
		p.PullSecrets = items(r, n, &pullSecretMessage, func(at diag.Pos) *PullSecret { return &PullSecret{At: at} })
	}},
	{name: "imagePullPolicy", read: func(r *reader, n *source.Node, p *Pod) { p.PullPolicy = r.str(n) }},
	{name: "activeDeadlineSeconds", read: func(r *reader, n *source.Node, p *Pod) { p.ActiveDeadline = r.count(n) }},
	{name: "securityContext", read: func(r *reader, n *source.Node, p *Pod) {
		p.SecurityContext = &SecurityContext{At: n.Pos(), User: -1, Group: -1}
		securityMessage.read(r, n, p.SecurityContext)
	}},
	{name: "initContainers", read: func(r *reader, n *source.Node, p *Pod) {
		p.InitContainers = items(r, n, &initContainerMessage, func(at diag.Pos) *InitContainer { return &InitContainer{At: at} })
	}},
	{name: "podResourceClaims", read: func(r *reader, n *source.Node, p *Pod) {
		p.ResourceClaims = items(r, n, &resourceClaimMessage, func(at diag.Pos) *ResourceClaim { return &ResourceClaim{At: at} })
	}},
}}

var fieldEnvMessage = message[FieldEnv]{"fieldPathAsEnv", []field[FieldEnv]{
	{name: "name", read: func(r *reader, n *source.Node, e *FieldEnv) { e.Name = r.str(n) }},
	{name: "fieldPath", read: func(r *reader, n *source.Node, e *FieldEnv) { e.Path = r.str(n) }},
}}

var claimMountMessage = message[ClaimMount]{"pvcMount", []field[ClaimMount]{
	{name: "pvcNameParameter", read: func(r *reader, n *source.Node, m *ClaimMount) { m.Name = r.source(n) }},
	{name: "taskOutputParameter", oneof: "old", read: func(r *reader, n *source.Node, m *ClaimMount) {
		if m.Name == nil {
			m.Name = r.taskOutput(n, &taskParameterMessage)
		}
	}},
	{name: "constant", oneof: "old", read: func(r *reader, n *source.Node, m *ClaimMount) { r.oldName(n, &m.Name) }},
	{name: "componentInputParameter", oneof: "old", read: func(r *reader, n *source.Node, m *ClaimMount) {
		if m.Name == nil {
			m.Name = &ComponentInput{At: n.Pos(), Name: r.name(n)}
		}
	}},
	{name: "mountPath", read: func(r *reader, n *source.Node, m *ClaimMount) { m.MountPath = r.str(n) }},
	{name: "subPath", read: func(r *reader, n *source.Node, m *ClaimMount) { m.SubPath = r.str(n) }},
}}

var ephemeralMessage = message[EphemeralVolume]{"genericEphemeralVolume", []field[EphemeralVolume]{
	{name: "volumeName", read: func(r *reader, n *source.Node, v *EphemeralVolume) { v.Name = r.str(n) }},
	{name: "mountPath", read: func(r *reader, n *source.Node, v *EphemeralVolume) { v.MountPath = r.str(n) }},
	{name: "accessModes", read: func(r *reader, n *source.Node, v *EphemeralVolume) { v.AccessModes = r.strings(n) }},
	{name: "size", read: func(r *reader, n *source.Node, v *EphemeralVolume) { v.Size = r.str(n) }},
	{name: "defaultStorageClass", read: func(r *reader, n *source.Node, v *EphemeralVolume) { v.DefaultClass = r.boolean(n) }},
	{name: "storageClassName", read: func(r *reader, n *source.Node, v *EphemeralVolume) { v.StorageClass = r.str(n) }},
	{name: "metadata", read: func(r *reader, n *source.Node, v *EphemeralVolume) { v.Metadata = r.podMetadata(n) }},
}}

var emptyDirMessage = message[EmptyDir]{"emptyDirMounts", []field[EmptyDir]{
	{name: "volumeName", read: func(r *reader, n *source.Node, d *EmptyDir) { d.Name = r.str(n) }},
	{name: "mountPath", read: func(r *reader, n *source.Node, d *EmptyDir) { d.MountPath = r.str(n) }},
	{name: "medium", read: func(r *reader, n *source.Node, d *EmptyDir) { d.Medium = r.str(n) }},
	{name: "sizeLimit", read: func(r *reader, n *source.Node, d *EmptyDir) { d.SizeLimit = r.str(n) }},
}}

var sharedMemoryMessage = message[SharedMemory]{"enabledSharedMemory", []field[SharedMemory]{
	{name: "volumeName", read: func(r *reader, n *source.Node, m *SharedMemory) { m.Name = r.str(n) }},
	{name: "size", read: func(r *reader, n *source.Node, m *SharedMemory) { m.Size = r.str(n) }},
}}

var nodeSelectorMessage = message[NodeSelector]{"nodeSelector", []field[NodeSelector]{
	{name: "labels", read: func(r *reader, n *source.Node, s *NodeSelector) { s.Labels = r.labels(n) }},
	{name: "nodeSelectorJson", read: func(r *reader, n *source.Node, s *NodeSelector) { s.JSON = r.source(n) }},
}}

var nodeAffinityMessage = message[NodeAffinity]{"nodeAffinity", []field[NodeAffinity]{
	{name: "matchExpressions", read: func(r *reader, n *source.Node, a *NodeAffinity) { a.Expressions = r.requirements(n) }},
	{name: "matchFields", read: func(r *reader, n *source.Node, a *NodeAffinity) { a.Fields = r.requirements(n) }},
	{name: "weight", read: func(r *reader, n *source.Node, a *NodeAffinity) { a.Weight = r.count(n) }},
	{name: "nodeAffinityJson", read: func(r *reader, n *source.Node, a *NodeAffinity) { a.JSON = r.source(n) }},
}}

var podAffinityMessage = message[PodAffinity]{"podAffinity", []field[PodAffinity]{
	{name: "matchPodExpressions", read: func(r *reader, n *source.Node, a *PodAffinity) { a.Expressions = r.requirements(n) }},
	{name: "matchPodLabels", read: func(r *reader, n *source.Node, a *PodAffinity) { a.Labels = r.labels(n) }},
	{name: "topologyKey", read: func(r *reader, n *source.Node, a *PodAffinity) { a.TopologyKey = r.str(n) }},
	{name: "namespaces", read: func(r *reader, n *source.Node, a *PodAffinity) { a.Namespaces = r.strings(n) }},
	{name: "matchNamespaceExpressions", read: func(r *reader, n *source.Node, a *PodAffinity) { a.NamespaceExpressions = r.requirements(n) }},
	{name: "matchNamespaceLabels", read: func(r *reader, n *source.Node, a *PodAffinity) { a.NamespaceLabels = r.labels(n) }},
	{name: "weight", read: func(r *reader, n *source.Node, a *PodAffinity) { a.Weight = r.count(n) }},
	{name: "anti", read: func(r *reader, n *source.Node, a *PodAffinity) { a.Anti = r.boolean(n) }},
}}

var requirementMessage = message[Requirement]{"a requirement", []field[Requirement]{
	{name: "key", read: func(r *reader, n *source.Node, q *Requirement) { q.Key = r.str(n) }},
	{name: "operator", read: func(r *reader, n *source.Node, q *Requirement) { q.Operator = r.str(n) }},
	{name: "values", read: func(r *reader, n *source.Node, q *Requirement) { q.Values = r.strings(n) }},
}}

var tolerationMessage = message[Toleration]{"a toleration", []field[Toleration]{
	{name: "key", read: func(r *reader, n *source.Node, t *Toleration) { t.Key = r.str(n) }},
	{name: "operator", read: func(r *reader, n *source.Node, t *Toleration) { t.Operator = r.str(n) }},
	{name: "value", read: func(r *reader, n *source.Node, t *Toleration) { t.Value = r.str(n) }},
	{name: "effect", read: func(r *reader, n *source.Node, t *Toleration) { t.Effect = r.str(n) }},
	{name: "tolerationSeconds", read: func(r *reader, n *source.Node, t *Toleration) { t.Seconds = r.count(n) }},
	{name: "tolerationJson", read: func(r *reader, n *source.Node, t *Toleration) { t.JSON = r.source(n) }},
}}

var podMetadataMessage = message[PodMetadata]{"podMetadata", []field[PodMetadata]{
	{name: "labels", read: func(r *reader, n *source.Node, m *PodMetadata) { m.Labels = r.labels(n) }},
	{name: "annotations", read: func(r *reader, n *source.Node, m *PodMetadata) { m.Annotations = r.labels(n) }},
}}

var pullSecretMessage = message[PullSecret]{"imagePullSecret", []field[PullSecret]{
	{name: "secretName", read: func(r *reader, n *source.Node, s *PullSecret) { r.oldName(n, &s.Name) }},
	{name: "secretNameParameter", read: func(r *reader, n *source.Node, s *PullSecret) { s.Name = r.source(n) }},
}}

var securityMessage = message[SecurityContext]{"securityContext", []field[SecurityContext]{
	{name: "runAsUser", read: func(r *reader, n *source.Node, c *SecurityContext) { c.User = r.count(n) }},
	{name: "runAsGroup", read: func(r *reader, n *source.Node, c *SecurityContext) { c.Group = r.count(n) }},
	{name: "runAsNonRoot", read: func(r *reader, n *source.Node, c *SecurityContext) { c.RunAsNonRoot = r.boolean(n) }},
}}

var initContainerMessage = message[InitContainer]{"an init container", []field[InitContainer]{
	{name: "name", read: func(r *reader, n *source.Node, c *InitContainer) { c.Name = r.str(n) }},
	{name: "image", read: func(r *reader, n *source.Node, c *InitContainer) { c.Image = r.str(n) }},
	{name: "command", read: func(r *reader, n *source.Node, c *InitContainer) { c.Command = r.strings(n) }},
	{name: "args", read: func(r *reader, n *source.Node, c *InitContainer) { c.Args = r.strings(n) }},
	{name: "env", read: func(r *reader, n *source.Node, c *InitContainer) { c.Env = r.pairs(n, "name", "value") }},
	{name: "volumeMounts", read: func(r *reader, n *source.Node, c *InitContainer) { c.Mounts = r.pairs(n, "volumeName", "mountPath") }},
	{name: "restartPolicy", read: func(r *reader, n *source.Node, c *InitContainer) { c.RestartPolicy = r.str(n) }},
	{name: "resources", read: func(r *reader, n *source.Node, c *InitContainer) { initResourcesMessage.read(r, n, c) }},
}}

var initResourcesMessage = message[InitContainer]{"resources", []field[InitContainer]{
	{name: "requests", read: func(r *reader, n *source.Node, c *InitContainer) { c.Requests = r.labels(n) }},
	{name: "limits", read: func(r *reader, n *source.Node, c *InitContainer) { c.Limits = r.labels(n) }},
}}

var resourceClaimMessage = message[ResourceClaim]{"a resource claim", []field[ResourceClaim]{
	{name: "resourceClaimTemplateName", read: func(r *reader, n *source.Node, c *ResourceClaim) { c.Template = r.str(n) }},
	{name: "resourceClaimJson", read: func(r *reader, n *source.Node, c *ResourceClaim) { c.JSON = r.source(n) }},
}}

// The name of a secret, a config map or a claim was a text or one of its kinds of
// reference once, and is a parameter now; compilers write both.
var (
	secretVolumeMessage = configVolumeTable("secretAsVolume", "secretName")
	configVolumeMessage = configVolumeTable("configMapAsVolume", "configMapName")
	secretEnvMessage    = configEnvTable("secretAsEnv", "secretName", "secretKey")
	configEnvMessage    = configEnvTable("configMapAsEnv", "configMapName", "configMapKey")
)

func configVolumeTable(name, key string) message[ConfigVolume] {
	return message[ConfigVolume]{name, []field[ConfigVolume]{
		{name: key, read: func(r *reader, n *source.Node, v *ConfigVolume) { r.oldName(n, &v.Name) }},
		{name: key + "Parameter", read: func(r *reader, n *source.Node, v *ConfigVolume) { v.Name = r.source(n) }},
		{name: "mountPath", read: func(r *reader, n *source.Node, v *ConfigVolume) { v.MountPath = r.str(n) }},
		{name: "optional", read: func(r *reader, n *source.Node, v *ConfigVolume) { v.Optional = r.boolean(n) }},
	}}
}

func configEnvTable(name, key, item string) message[ConfigEnv] {
	keys := message[KeyEnv]{"keyToEnv", []field[KeyEnv]{
		{name: item, read: func(r *reader, n *source.Node, k *KeyEnv) { k.Key = r.str(n) }},
		{name: "envVar", read: func(r *reader, n *source.Node, k *KeyEnv) { k.Env = r.str(n) }},
	}}
	return message[ConfigEnv]{name, []field[ConfigEnv]{
		{name: key, read: func(r *reader, n *source.Node, e *ConfigEnv) { r.oldName(n, &e.Name) }},
		{name: key + "Parameter", read: func(r *reader, n *source.Node, e *ConfigEnv) { e.Name = r.source(n) }},
		{name: "keyToEnv", read: func(r *reader, n *source.Node, e *ConfigEnv) {
			e.Keys = items(r, n, &keys, func(at diag.Pos) *KeyEnv { return &KeyEnv{At: at} })
		}},
		{name: "optional", read: func(r *reader, n *source.Node, e *ConfigEnv) { e.Optional = r.boolean(n) }},
	}}
}

// oldName reads a name in its deprecated form, unless the current one is there.
func (r *reader) oldName(n *source.Node, name *Source) {
	if *name == nil && r.str(n) != "" {
		*name = r.constantText(n)
	}
}

func (r *reader) podMetadata(n *source.Node) *PodMetadata {
	m := &PodMetadata{At: n.Pos()}
	podMetadataMessage.read(r, n, m)
	return m
}

func (r *reader) requirements(n *source.Node) []*Requirement {
	return items(r, n, &requirementMessage, func(at diag.Pos) *Requirement { return &Requirement{At: at} })
}

// pairs reads a list of maps of two texts, such as those of name and value.
func (r *reader) pairs(n *source.Node, name, value string) []*Field {
	m := message[Field]{"an item", []field[Field]{
		{name: name, read: func(r *reader, n *source.Node, f *Field) { f.Name = r.str(n) }},
		{name: value, read: func(r *reader, n *source.Node, f *Field) { f.Value = r.text(n) }},
	}}
	return items(r, n, &m, func(at diag.Pos) *Field { return &Field{At: at, Value: &Text{At: at}} })
}
