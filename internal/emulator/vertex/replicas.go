package vertex

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

// member is the place of a replica in the cluster.
type member struct {
	pool, index int
	addr        string // 127.0.0.1:PORT
}

func (m member) id() string { return fmt.Sprintf("workerpool%d-%d", m.pool, m.index) }

// replicas prepares all replicas of the job, the primary one first.
func (j *job) replicas() ([]*replica, error) {
	spec := j.message().JobSpec
	members, openPort, err := cluster(spec)
	if err != nil {
		return nil, err
	}
	account := strings.TrimPrefix(spec.ServiceAccount, "serviceAccount:")
	if account == "" {
		account = j.s.DefaultServiceAccount
	}
	reach, err := j.s.ProcessEnv(account)
	if err != nil {
		return nil, fmt.Errorf("environment of service account %s: %w", account, err)
	}
	var all []*replica
	for _, m := range members {
		container := spec.WorkerPoolSpecs[m.pool].GetContainerSpec()
		if container == nil {
			return nil, fmt.Errorf("worker pool %d has a python_package_spec: the embedded cloud runs containers only, so build an image of it and give a container_spec", m.pool)
		}
		vars := newVariables(reach)
		vars.add(j.serviceEnv(spec)...)
		vars.add("CLUSTER_SPEC="+clusterSpec(members, m, openPort, container.Args),
			"HOSTNAME=cmle-training-"+m.id())
		if len(members) > 1 {
			vars.add("TF_CONFIG=" + tfConfig(members, m, container.Args))
		}
		vars.addEnv(container.Env)
		all = append(all, &replica{
			job: j, id: m.id(), primary: m.pool == 0, output: newOutput(j, m.id()),
			spec: runtime.Spec{
				Name: j.name.id + "-" + m.id(), Image: container.ImageUri,
				Command: vars.expandAll(container.Command), Args: vars.expandAll(container.Args), Env: vars.list,
			},
		})
	}
	return all, nil
}

// serviceEnv is what the service tells each container.
//
// Source: cloud.google.com/vertex-ai/docs/training/code-requirements#environment-variables.
func (j *job) serviceEnv(spec *pb.CustomJobSpec) []string {
	env := []string{"CLOUD_ML_PROJECT_ID=" + j.s.Number, "CLOUD_ML_JOB_ID=" + j.name.id}
	if base := spec.GetBaseOutputDirectory().GetOutputUriPrefix(); base != "" {
		base = strings.TrimSuffix(base, "/")
		env = append(env, "AIP_MODEL_DIR="+base+"/model/", "AIP_CHECKPOINT_DIR="+base+"/checkpoints/", "AIP_TENSORBOARD_LOG_DIR="+base+"/logs/")
	}
	if spec.Tensorboard != "" {
		env = append(env, "AIP_TENSORBOARD_RESOURCE_NAME="+spec.Tensorboard,
			"AIP_TENSORBOARD_API_URI="+j.name.region+"-aiplatform.googleapis.com")
	}
	return env
}

// cluster gives each replica an address of its own on this machine, and one
// more port for the container's use.
func cluster(spec *pb.CustomJobSpec) (members []member, openPort int, err error) {
	const most = 64 // processes of one machine
	for i, pool := range spec.WorkerPoolSpecs {
		if emptyPool(pool) {
			continue
		}
		if pool.ReplicaCount > most-int64(len(members)) {
			return nil, 0, fmt.Errorf("the job has more than the %d replicas that the embedded cloud runs of one job: worker pool %d has %d", most, i, pool.ReplicaCount)
		}
		for n := range int(pool.ReplicaCount) {
			members = append(members, member{pool: i, index: n})
		}
	}
	ports, err := freePorts(len(members) + 1)
	if err != nil {
		return nil, 0, err
	}
	for i := range members {
		members[i].addr = fmt.Sprintf("127.0.0.1:%d", ports[i])
	}
	return members, ports[len(members)], nil
}

// freePorts finds ports that nobody listens on. They are held together, so that
// they differ, and given up before the containers take them.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// clusterSpec is CLUSTER_SPEC. Its job is a JSON text, as seen in real jobs.
//
// Source: cloud.google.com/vertex-ai/docs/training/distributed-training#cluster-variables.
func clusterSpec(members []member, self member, openPort int, args []string) string {
	addresses := map[string][]string{}
	for _, m := range members {
		pool := fmt.Sprintf("workerpool%d", m.pool)
		addresses[pool] = append(addresses[pool], m.addr)
	}
	return mustJSON(map[string]any{
		"cluster":     addresses,
		"environment": "cloud",
		"task":        map[string]any{"type": fmt.Sprintf("workerpool%d", self.pool), "index": self.index},
		"job":         jobText(args),
		"open_ports":  []int{openPort},
	})
}

// tfConfig is TF_CONFIG: evaluators see the cluster but are not listed in it.
func tfConfig(members []member, self member, args []string) string {
	types := [maxPools]string{"chief", "worker", "ps", "evaluator"}
	addresses := map[string][]string{}
	for _, m := range members {
		if types[m.pool] != "evaluator" {
			addresses[types[m.pool]] = append(addresses[types[m.pool]], m.addr)
		}
	}
	return mustJSON(map[string]any{
		"cluster":     addresses,
		"environment": "cloud",
		"task":        map[string]any{"type": types[self.pool], "index": self.index},
		"job":         jobText(args),
	})
}

func jobText(args []string) string {
	return mustJSON(map[string]any{"python_module": "", "package_uris": []string{}, "job_args": append([]string{}, args...)})
}

// mustJSON encodes maps of plain values, which cannot fail.
func mustJSON(v map[string]any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}
