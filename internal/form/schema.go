package form

import "encoding/json"

// Schema is a JSON Schema of draft 2020-12.
type Schema map[string]any

// Any is any value.
func Any() Schema { return Schema{} }

// Text is a text, or a number that stands for one.
func Text() Schema { return Schema{"type": []string{"string", "integer"}} }

// Seconds is a duration.
func Seconds() Schema { return Schema{"type": []string{"number", "string"}} }

// Word is one of the words.
func Word(words ...string) Schema { return Schema{"enum": words} }

// Int is an integer from least on.
func Int(least int64) Schema { return Schema{"type": "integer", "minimum": least} }

// ListOf is a list.
func ListOf(items Schema) Schema { return Schema{"type": "array", "items": items} }

// MapOf is a map with any keys.
func MapOf(values Schema) Schema { return Schema{"type": "object", "additionalProperties": values} }

// Schema is the object's own.
func (o Object[T]) Schema() Schema {
	properties := Schema{}
	var required []string
	for _, f := range o.Fields {
		property := Schema{"description": f.Doc}
		for k, v := range f.Schema {
			property[k] = v
		}
		properties[f.Key] = property
		if f.Required {
			required = append(required, f.Key)
		}
	}
	s := Schema{"type": "object", "description": o.Doc, "properties": properties, "additionalProperties": o.Lax}
	if required != nil {
		s["required"] = required
	}
	return s
}

// Document is the text of s as the schema of a whole file.
func (s Schema) Document(title string) []byte {
	root := Schema{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
	for k, v := range s {
		root[k] = v
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps, lists and texts marshal
	}
	return append(text, '\n')
}
