package compile

import (
	"slices"

	"github.com/kakehi/kakehi/internal/pipeline"
)

// Requirements are what must exist before a pipeline can run. Lists are sorted
// and hold each thing once.
type Requirements struct {
	// Functions are functions of functions/ that must be deployed to Cloud
	// Run, as services named by [ServiceOf]. Those that the runtime itself
	// calls (probe, rollout) are among them.
	Functions []string
	// Images are the references for which IMAGES must have an entry: ko:// ones
	// must be built; others may be there, pinned to a digest. "functions" and
	// "modelserver" are not among them.
	Images []string
	// ModelServer says that IMAGES needs an entry "modelserver".
	ModelServer bool
	// Services are the Cloud Run services that the pipeline deploys.
	Services []string
	// Jobs says that the pipeline starts CustomJobs.
	Jobs bool
	// Inputs are parameters, of sub-pipelines too, whose default is an artifact
	// that must exist if it is not given.
	Inputs []*pipeline.Param

	seen map[*pipeline.Pipeline]bool
}

// Requires lists what p and its sub-pipelines need.
func Requires(p *pipeline.Pipeline) Requirements {
	r := Requirements{seen: map[*pipeline.Pipeline]bool{}}
	r.addPipeline(p)
	for _, list := range []*[]string{&r.Functions, &r.Images, &r.Services} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	r.seen = nil
	return r
}

func (r *Requirements) addPipeline(p *pipeline.Pipeline) {
	if r.seen[p] {
		return
	}
	r.seen[p] = true
	for _, param := range p.Params {
		if param.Type.IsArtifact() && param.Default != nil {
			r.Inputs = append(r.Inputs, param)
		}
	}
	for _, t := range slices.Concat(p.Tasks, p.OnExit) {
		switch k := t.Kind.(type) {
		case *pipeline.Function:
			r.Functions = append(r.Functions, k.Name)
		case *pipeline.Job:
			r.Jobs = true
			r.addImages(k)
		case *pipeline.Serve:
			r.addServe(k)
		case *pipeline.Rollout:
			r.Functions = append(r.Functions, "rollout")
		case *pipeline.Sub:
			r.addPipeline(k.Pipeline)
		}
	}
}

func (r *Requirements) addServe(k *pipeline.Serve) {
	r.Services = append(r.Services, k.Service)
	r.Functions = append(r.Functions, "probe")
	if k.Rollout != nil {
		r.Functions = append(r.Functions, "rollout")
	}
	if k.Image == "" {
		r.ModelServer = true
	} else {
		r.Images = append(r.Images, k.Image)
	}
}

// addImages adds the images of a job in either form.
func (r *Requirements) addImages(k *pipeline.Job) {
	if k.Image != "" {
		r.Images = append(r.Images, k.Image)
	}
	pools, _ := child(k.Spec, "workerPoolSpecs").(*pipeline.Items)
	if pools == nil {
		return
	}
	for _, pool := range pools.Items {
		if l, ok := child(child(pool, "containerSpec"), "imageUri").(*pipeline.Lit); ok {
			if s, ok := l.V.(string); ok {
				r.Images = append(r.Images, s)
			}
		}
	}
}

// child returns the value of a field, or nil.
func child(v pipeline.Value, name string) pipeline.Value {
	if m, ok := v.(*pipeline.Fields); ok {
		for _, f := range m.Fields {
			if f.Name == name {
				return f.Value
			}
		}
	}
	return nil
}
