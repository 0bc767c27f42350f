package value

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFromJSON(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{` 1 `, `1`},
		{`-0`, `0`},
		{`1.0`, `1.0`},
		{`1e2`, `100.0`},
		{`9223372036854775807`, `9223372036854775807`},
		{`9223372036854775808`, `9223372036854776000.0`},
		{`1e21`, `1e+21`},
		{`"\u00e9\ud83d\ude00\n\/"`, `"é😀\n/"`},
		{`"\ud800x"`, `"�x"`},
		{`{"b":1,"a":{},"b":2}`, `{"b":2,"a":{}}`},
		{`[ ]`, `[]`},
		{"[1,\t2\n]", `[1,2]`},
		{`null`, `null`},
	} {
		v, err := FromJSON([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := string(MustJSON(v)); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
	for _, text := range []string{
		``, ` `, `nul`, `truex`, `1 2`, `01`, `-`, `1.`, `.5`, `1e`, `1e999`, `-1e999`, `NaN`, `Infinity`, `+1`,
		`"`, `"\x"`, `"\u12"`, `"\ud83d\u12"`, "\"\xff\"", "\"\x01\"", `[1,]`, `[1 2]`, `[`, `[1`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`,
		strings.Repeat("[", MaxDepth+2), strings.Repeat(`{"a":`, 100000),
	} {
		if v, err := FromJSON([]byte(text)); err == nil || !IsSyntaxError(err) {
			t.Errorf("%.20q gave %v, %v", text, v, err)
		}
	}
}

func TestToJSONErrors(t *testing.T) {
	deep := Value(Null{})
	for range MaxDepth + 2 {
		deep = NewList(deep)
	}
	for _, v := range []Value{Bytes("x"), Func("f"), Double(math.NaN()), Double(math.Inf(1)), NewList(Bytes("")), deep} {
		if text, err := ToJSON(v); err == nil {
			t.Errorf("%s has the JSON form %s", Type(v), text)
		}
	}
	if _, err := AppendJSON(nil, NewList(String(strings.Repeat("x", 100)), Null{}), Style{MaxBytes: 50}); err == nil {
		t.Error("MaxBytes did not stop the encoder")
	}
}

func TestIndent(t *testing.T) {
	v, _ := FromJSON([]byte(`{"a":[1,{}],"b":[]}`))
	got, err := AppendJSON(nil, v, Style{Prefix: "> ", Indent: "  "})
	if want := "{\n>   \"a\": [\n>     1,\n>     {}\n>   ],\n>   \"b\": []\n> }"; err != nil || string(got) != want {
		t.Errorf("got\n%s (%v), want\n%s", got, err, want)
	}
}

func TestFormatDouble(t *testing.T) {
	for d, want := range map[float64]string{
		4: "4.0", 0.1: "0.1", -2.5: "-2.5", 0: "0.0", 1e20: "100000000000000000000.0", 1e21: "1e+21", 1e-7: "1e-07", math.Inf(1): "+Inf",
	} {
		if got := FormatDouble(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// FuzzJSON compares the decoder with that of the standard library, and what is
// decoded with what comes back after encoding.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x\u00e9",null,true]}`, `[1e5,-0.0,123456789012345678901]`, `"\ud83d\ude00"`, `[[[]]]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := FromJSON(text)
		if err != nil {
			if json.Valid(text) && utf8.Valid(text) && !strings.Contains(err.Error(), "nested") && !strings.Contains(err.Error(), "range") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		var other any
		if err := json.Unmarshal(text, &other); err != nil {
			t.Fatalf("%q was accepted: %v", text, err)
		}
		out := MustJSON(v)
		again, err := FromJSON(out)
		if err != nil || !Equal(v, again) || v.Size() != measure(v) {
			t.Fatalf("%q became %q: %v", text, out, err)
		}
		var back any
		if err := json.Unmarshal(out, &back); err != nil || !reflect.DeepEqual(other, back) {
			t.Fatalf("%q became %q: %v", text, out, err)
		}
	})
}
