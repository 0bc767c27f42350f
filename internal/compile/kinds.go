package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// function calls a function of Cloud Run.
func (b *body) function(t *pipeline.Task, k *pipeline.Function, at path, result string, v *values) *workflow.Step {
	args := fields{
		{"run", node(ref(b.run))},
		{"task", node(at.expr())},
		{"service", lit(ServiceOf(k.Name))},
		{"inputs", b.inputs(t, v)},
		{"outputs", outputTypes(t)},
		{"cache", cacheKey(t, k.Name)},
	}
	if t.Timeout > 0 {
		args = append(args, field{"timeout", lit(seconds(t.Timeout))})
	}
	return call("", "run_function", args, result)
}

// inputs tells a task's artifacts from its parameters.
func (b *body) inputs(t *pipeline.Task, v *values) workflow.Node {
	artifacts, parameters := fields{}, fields{}
	for _, in := range t.In {
		if b.valueShape(in.Value).isArtifact() {
			artifacts = append(artifacts, field{in.Name, v.node(in.Value)})
		} else {
			parameters = append(parameters, field{in.Name, v.node(in.Value)})
		}
	}
	inputs := fields{}
	if len(artifacts) > 0 {
		inputs = append(inputs, field{"artifacts", artifacts.node()})
	}
	if len(parameters) > 0 {
		inputs = append(inputs, field{"parameters", parameters.node()})
	}
	return inputs.node()
}

func outputTypes(t *pipeline.Task) workflow.Node {
	types := fields{}
	for _, o := range t.Out {
		types = append(types, field{o.Name, lit(string(o.Type))})
	}
	return types.node()
}

// cacheKey is the digest of what a task is in the spec, inputs and container
// aside, which are only known when it runs; nil for a task that is not cached.
func cacheKey(t *pipeline.Task, what string) workflow.Node {
	if !t.Cache {
		return nil
	}
	same := []string{what}
	for _, o := range t.Out {
		same = append(same, o.Name, string(o.Type))
	}
	text, err := json.Marshal(same)
	if err != nil {
		panic(err) // strings marshal
	}
	sum := sha256.Sum256(text)
	return lit(hex.EncodeToString(sum[:8]))
}

// http sends a request; the outputs are fields of the answer.
func (b *body) http(t *pipeline.Task, k *pipeline.HTTP, at path, result string, v *values) *workflow.Step {
	function, method := "http.request", lit(k.Method)
	switch k.Method {
	case "GET", "POST", "PUT", "PATCH", "DELETE":
		function, method = "http."+strings.ToLower(k.Method), nil
	}
	args := fields{
		{"method", method},
		{"url", v.node(k.URL)},
		{"auth", auth(k, v)},
		{"headers", v.fields(k.Headers)},
		{"query", v.fields(k.Query)},
		{"body", v.node(k.Body)},
	}
	if t.Timeout > 0 {
		args = append(args, field{"timeout", lit(seconds(t.Timeout))})
	}
	task, e := node(at.expr()), b.errorName()
	answer := b.names.unique(t.Name + "_answer")
	state := func(name, state string, more ...field) *workflow.Step {
		return call(b.names.unique(t.Name+"_"+name), "log_task", append(fields{{"task", task}, {"state", lit(state)}}, more...), "")
	}
	return &workflow.Step{Do: &workflow.Try{
		Body: &workflow.Step{Do: &workflow.Steps{Steps: []*workflow.Step{
			state("running", "RUNNING"),
			call(b.names.unique(t.Name+"_request"), function, args, answer),
			call(b.names.unique(t.Name+"_fields"), "field_outputs", fields{
				{"body", node(ref(answer, "body"))},
				{"outputs", outputTypes(t)},
			}, result),
			state("succeeded", "SUCCEEDED", field{"more", fields{{"outputs", node(ref(result))}}.node()}),
		}}},
		Except: &workflow.Except{As: e, Steps: []*workflow.Step{
			call(b.names.unique(t.Name+"_failed"), "fail_task", fields{{"task", task}, {"error", node(ref(e))}}, ""),
		}},
	}}
}

// auth is explicit. The audience of an OIDC token is the root of the URL,
// which Cloud Run expects, unless another is given.
func auth(k *pipeline.HTTP, v *values) workflow.Node {
	switch {
	case k.Auth == "":
		return nil
	case k.Auth != "OIDC":
		return fields{{"type", lit(k.Auth)}}.node()
	case k.Audience != nil:
		return fields{{"type", lit(k.Auth)}, {"audience", v.node(k.Audience)}}.node()
	}
	audience := rootURL(k.URL, v)
	return fields{{"type", lit(k.Auth)}, {"audience", audience}}.node()
}

func rootURL(value pipeline.Value, v *values) workflow.Node {
	switch value := value.(type) {
	case *pipeline.Lit:
		s, _ := value.V.(string)
		u, err := url.Parse(s)
		if err != nil {
			return &workflow.Lit{At: value.At, Value: s}
		}
		return &workflow.Lit{At: value.At, Value: u.Scheme + "://" + u.Host}
	case *pipeline.Expr:
		host := index(fn("text.split", value.X, quote("/")), &expr.Literal{Value: int64(2)})
		return v.exprNode(join("+", quote("https://"), host))
	}
	return nil
}

// approve waits for a person.
func (b *body) approve(t *pipeline.Task, k *pipeline.Approve, at path, result string, v *values) *workflow.Step {
	args := fields{
		{"task", node(at.expr())},
		{"message", v.text(k.Message)},
		{"outputs", outputTypes(t)},
	}
	if t.Timeout > 0 {
		args = append(args, field{"timeout", lit(seconds(t.Timeout))})
	}
	return call("", "await_approval", args, result)
}

// subPipeline runs another pipeline in a subworkflow.
func (b *body) subPipeline(t *pipeline.Task, k *pipeline.Sub, at path, result string, v *values, depth int) *workflow.Step {
	given := v.fields(t.In)
	if given == nil {
		given = fields{}.node()
	}
	return call("", b.sub(k.Pipeline, depth), fields{
		{"run", node(ref(b.run))},
		{"path", node(at.expr())},
		{"args", given},
	}, result)
}
