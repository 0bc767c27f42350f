package spec

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// dump writes what is set in a pipeline, one field a line, each with its place
// as line:col.
func dump(p *pipeline.Pipeline) string {
	var b strings.Builder
	dumpStruct(&b, "", reflect.ValueOf(p).Elem())
	return b.String()
}

func dumpStruct(b *strings.Builder, indent string, v reflect.Value) {
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		if f.IsZero() || name == "At" || name == "Where" {
			continue
		}
		fmt.Fprintf(b, "%s%s:", indent, name)
		dumpValue(b, indent+"  ", f)
	}
}

func place(p diag.Pos) string { return fmt.Sprintf("@%d:%d", p.Line, p.Col) }

func dumpValue(b *strings.Builder, indent string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case *pipeline.Lit:
		fmt.Fprintf(b, " %#v %s\n", x.V, place(x.At))
		return
	case *pipeline.Expr:
		fmt.Fprintf(b, " ${%s} %s\n", expr.String(x.X), exprPlaces(x.X))
		return
	case expr.Expr:
		fmt.Fprintf(b, " ${%s} %s\n", expr.String(x), exprPlaces(x))
		return
	case time.Duration:
		fmt.Fprintf(b, " %s\n", x)
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			fmt.Fprintln(b, " nil")
			return
		}
		if v.Kind() == reflect.Interface {
			fmt.Fprintf(b, " %T", v.Interface())
			v = v.Elem()
		}
		if at := v.Elem().FieldByName("At"); at.IsValid() {
			fmt.Fprintf(b, " %s", place(at.Interface().(diag.Pos)))
		}
		fmt.Fprintln(b)
		dumpStruct(b, indent, v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Pointer && v.Type().Elem().Kind() != reflect.Interface {
			fmt.Fprintf(b, " %v\n", v.Interface())
			return
		}
		fmt.Fprintln(b)
		for i := range v.Len() {
			fmt.Fprintf(b, "%s-", indent)
			dumpValue(b, indent+"  ", v.Index(i))
		}
	default:
		fmt.Fprintf(b, " %v\n", v.Interface())
	}
}

// exprPlaces lists where the names of x are.
func exprPlaces(x expr.Expr) string {
	places := []string{place(x.Pos())}
	expr.Walk(x, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Ident:
			places = append(places, x.Name+place(x.At))
		case *expr.Member:
			places = append(places, x.Name+place(x.At))
		case *expr.Call:
			places = append(places, x.Func+place(x.At))
		}
		return true
	})
	return strings.Join(places, " ")
}
