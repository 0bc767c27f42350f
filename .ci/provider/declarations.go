package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// declarations is the text of one resource's index.d.ts.
type declarations string

var (
	// A field is preceded by a comment that links to its name in HCL.
	field  = regexp.MustCompile(`(?s)#(\w+) \w+#\w+\}[^/]*?\*/\s*readonly (\w+)(\??): ([^;]+);`)
	getter = regexp.MustCompile(`(?m)^    get (\w+)\(\): (string|number|cdktf\.IResolvable|any)`)
	upper  = regexp.MustCompile(`[A-Z]`)
)

// resource builds the schema of the interface that ends in Config.
func (d declarations) resource() (*schema.Resource, error) {
	start := strings.Index(string(d), "Config extends cdktf.TerraformMetaArguments {")
	if start < 0 {
		return nil, fmt.Errorf("no configuration interface found")
	}
	fields := d.fields(d.body(start))
	for _, m := range getter.FindAllStringSubmatch(d.class(), -1) {
		name := snake(m[1])
		if _, known := fields[name]; known || strings.HasSuffix(name, "_input") || reserved[name] {
			continue
		}
		fields[name] = &schema.Schema{Type: schema.TypeString, Computed: true}
	}
	delete(fields, "id") // the SDK's own
	return &schema.Resource{Schema: fields}, nil
}

// reserved are getters of every resource that are no attributes.
var reserved = map[string]bool{"id": true, "fqn": true, "terraform_resource_type": true, "count": true, "provider": true}

// body returns the text between the braces that open after start.
func (d declarations) body(start int) string {
	text := string(d)[start:]
	text = text[strings.Index(text, "{\n")+1:]
	if end := strings.Index(text, "\n}"); end >= 0 {
		return text[:end]
	}
	return text
}

// class returns the body of the resource's class.
func (d declarations) class() string {
	if i := strings.Index(string(d), "extends cdktf.TerraformResource {"); i >= 0 {
		return d.body(i)
	}
	return ""
}

// fields reads the attributes and blocks of an interface's body.
func (d declarations) fields(body string) map[string]*schema.Schema {
	out := map[string]*schema.Schema{}
	for _, m := range field.FindAllStringSubmatch(body, -1) {
		name, optional, kind := m[1], m[3] == "?", m[4]
		if name == "timeouts" {
			continue // the SDK's own
		}
		s := d.typeOf(kind)
		if s == nil {
			continue
		}
		s.Required, s.Optional = !optional, optional
		if optional && s.Elem == nil {
			s.Computed = true // the declarations do not tell; harmless for validation
		}
		out[name] = s
	}
	return out
}

// typeOf maps a TypeScript type to a schema, or nil for one that HCL lacks.
func (d declarations) typeOf(kind string) *schema.Schema {
	kind = strings.TrimSpace(strings.ReplaceAll(kind, " | cdktf.IResolvable", ""))
	switch {
	case kind == "string":
		return &schema.Schema{Type: schema.TypeString}
	case kind == "number":
		return &schema.Schema{Type: schema.TypeFloat}
	case kind == "boolean":
		return &schema.Schema{Type: schema.TypeBool}
	case strings.HasPrefix(kind, "{"):
		return &schema.Schema{Type: schema.TypeMap, Elem: &schema.Schema{Type: schema.TypeString}}
	case kind == "string[]":
		return &schema.Schema{Type: schema.TypeList, Elem: &schema.Schema{Type: schema.TypeString}}
	case kind == "number[]":
		return &schema.Schema{Type: schema.TypeList, Elem: &schema.Schema{Type: schema.TypeFloat}}
	}
	list := strings.HasSuffix(kind, "[]")
	start := strings.Index(string(d), "export interface "+strings.TrimSuffix(kind, "[]")+" {")
	if start < 0 {
		return nil
	}
	s := &schema.Schema{Type: schema.TypeList, Elem: &schema.Resource{Schema: d.fields(d.body(start))}}
	if !list {
		s.MaxItems = 1
	}
	return s
}

func snake(name string) string {
	return strings.ToLower(upper.ReplaceAllStringFunc(name, func(s string) string { return "_" + s }))
}
