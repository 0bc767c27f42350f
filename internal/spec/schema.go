package spec

import (
	"encoding/json"

	"github.com/kakehi/kakehi/internal/pipeline"
)

// A schema is a JSON Schema of draft 2020-12.
type schema map[string]any

func ref(name string) schema      { return schema{"$ref": "#/$defs/" + name} }
func stringSchema() schema        { return schema{"type": "string"} }
func someText() schema            { return schema{"type": "string", "minLength": 1} }
func urlSchema() schema           { return pattern(`^https?://|^\$`) }
func boolSchema() schema          { return schema{"type": "boolean"} }
func numberSchema() schema        { return schema{"type": "number"} }
func intSchema(least int) schema  { return schema{"type": "integer", "minimum": least} }
func pattern(p string) schema     { return schema{"type": "string", "pattern": p} }
func enum(words ...string) schema { return schema{"enum": words} }
func listOf(s schema) schema      { return schema{"type": "array", "items": s} }
func either(ss ...schema) schema  { return schema{"anyOf": ss} }
func oneOrMore(s schema) schema   { return either(s, listOf(s)) }
func anyMap() schema {
	return schema{"type": []string{"object", "null"}, "additionalProperties": ref("value")}
}

// mapOf is a map whose keys have a pattern.
func mapOf(keys string, values schema) schema {
	return schema{"type": []string{"object", "null"}, "propertyNames": schema{"pattern": keys}, "additionalProperties": values}
}

// nonEmpty is a list or a map with at least one item.
func nonEmpty(s schema) schema {
	if s["type"] == "array" {
		s["minItems"] = 1
	} else {
		s["type"], s["minProperties"] = "object", 1
	}
	return s
}

func required(keys []string) []schema {
	var ss []schema
	for _, k := range keys {
		ss = append(ss, schema{"required": []string{k}})
	}
	return ss
}

func oneRequired(keys ...string) schema { return schema{"oneOf": required(keys)} }
func anyRequired(keys ...string) schema { return schema{"anyOf": required(keys)} }

// schema is the object's definition.
func (o object[T]) schema() schema {
	properties := schema{}
	var needed []string
	for _, f := range o.fields {
		property := schema{"description": f.doc}
		for k, v := range f.schema {
			property[k] = v
		}
		properties[f.key] = property
		if f.required {
			needed = append(needed, f.key)
		}
	}
	s := schema{"type": "object", "description": o.doc, "properties": properties, "additionalProperties": false}
	if needed != nil {
		s["required"] = needed
	}
	for k, v := range o.extra {
		s[k] = v
	}
	return s
}

// Schema returns the JSON Schema (draft 2020-12) of a spec, for editors.
func Schema() []byte {
	root := pipelineObject().schema()
	root["required"] = []string{"pipeline", "tasks"}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Kakehi pipeline"
	root["$defs"] = schema{
		"type":     enumTypes(),
		"value":    schema{"description": "Any value. $name.path is a reference, ${…} an expression, $$ a dollar."},
		"duration": pattern(durationPattern),
		"param":    either(paramObject().schema(), schema{"type": []string{"string", "number", "boolean", "array"}}),
		"pipeline": pipelineObject().schema(),
		"task":     taskObject().schema(),
		"foreach":  foreachObject().schema(),
		"retry":    retryObject().schema(),
		"http":     httpObject().schema(),
		"job":      jobObject().schema(),
		"disk":     diskObject().schema(),
		"serve":    serveObject().schema(),
		"rollout":  rolloutObject().schema(),
		"slo":      sloObject().schema(),
		"trigger":  triggerObject().schema(),
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps, lists and strings marshal
	}
	return append(out, '\n')
}

func enumTypes() schema {
	var names []string
	for _, t := range pipeline.Types() {
		names = append(names, string(t))
	}
	return enum(names...)
}
