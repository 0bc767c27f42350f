package serving

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadLocal(t *testing.T) {
	data, err := os.ReadFile("testdata/classifier.json")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, body := range map[string][]byte{
		"b/m/model.json": data, "b/m/other.json": nil, "b/one/any.json": data, "b/none/x.txt": nil,
		"b/two/a.json": data, "b/two/b.json": data, "b/bad/model.json": []byte("{}"),
	} {
		name = filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, body, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for uri, want := range map[string]string{
		"gs://b/m":                            "",
		"gs://b/m/":                           "",
		"gs://b/m/model.json":                 "",
		"gs://b/one":                          "",
		filepath.Join(root, "b/m"):            "",
		filepath.Join(root, "b/one/any.json"): "",
		"gs://b/two":                          "the folder has 2 .json files and no model.json",
		"gs://b/none":                         "the folder has 0 .json files and no model.json; it has x.txt",
		"gs://b/bad":                          "is this a model file of XGBoost?",
		"gs://b/absent":                       "no such file",
		"gs://other/m":                        "no mount and no client for Cloud Storage",
		"gs://b":                              "want gs://BUCKET/OBJECT",
		"gs://b/../../etc/passwd":             "want gs://BUCKET/OBJECT",
	} {
		p, err := Loader{Mount: root}.Load(t.Context(), uri)
		if want == "" && (err != nil || len(p.Info().Features) != 2) {
			t.Errorf("%s: %v", uri, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", uri, err, want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLoadFromStorage(t *testing.T) {
	data, err := os.ReadFile("testdata/classifier.json")
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	client := func(context.Context) (*http.Client, error) {
		return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.String())
			answer := func(code int, body []byte) *http.Response {
				return &http.Response{StatusCode: code, Status: http.StatusText(code), Body: io.NopCloser(bytes.NewReader(body))}
			}
			switch r.URL.EscapedPath() {
			case "/storage/v1/b/b/o/a%2Fmodel%2Fmodel.json", "/storage/v1/b/b/o/v1.2%2Fmodel.json", "/storage/v1/b/b/o/file":
				return answer(200, data), nil
			case "/storage/v1/b/b/o/secret.json":
				return answer(403, []byte(`{"error":{"message":"trainer does not have storage.objects.get access"}}`)), nil
			}
			return answer(404, nil), nil
		})}, nil
	}
	l := Loader{Mount: t.TempDir(), Client: client}
	for uri, want := range map[string]string{
		"gs://b/a/model":     "",
		"gs://b/v1.2/":       "",
		"gs://b/file":        "",
		"gs://b/absent":      "no object absent/model.json or absent in bucket b",
		"gs://b/secret.json": "does not have storage.objects.get access",
	} {
		if _, err := l.Load(t.Context(), uri); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", uri, err, want)
		}
	}
	if len(asked) == 0 || !strings.HasPrefix(asked[0], "https://storage.googleapis.com/storage/v1/b/b/o/") || !strings.HasSuffix(asked[0], "?alt=media") {
		t.Errorf("asked %q", asked)
	}
}

func TestGolden(t *testing.T) {
	rows, err := ReadGolden(strings.NewReader("{\"instance\":[1],\"prediction\":2}\n\n{\"instance\":{\"a\":null},\"prediction\":{\"p\":[1,\"x\"]}}\n"))
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v %v", rows, err)
	}
	for text, want := range map[string]string{
		"x":                "line 1: want a golden row",
		`{"instance":[1]}`: "line 1: want {",
		"{\"instance\":[1],\"prediction\":2}\nspecies,size": "line 2: want a golden row",
	} {
		if _, err := ReadGolden(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, tt := range []struct {
		want, got string
		most      float64
		err       string
	}{
		{`{"label":"a","p":[0.5,1]}`, `{"p":[0.25,1],"label":"a"}`, 0.25, ""},
		{`null`, `null`, 0, ""},
		{`{"label":"a"}`, `{"label":"b"}`, 0, `.label: want a, got b`},
		{`[1,2]`, `[1]`, 0, "want [1 2], got [1]"},
		{`{"p":1}`, `{"q":1}`, 0, ".p: want 1, got <nil>"},
		{`1`, `"1"`, 0, "want 1, got 1"},
		{`"a"`, `{"a":1}`, 0, "want a, got map"},
	} {
		d, err := Difference([]byte(tt.want), []byte(tt.got))
		if d != tt.most || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s and %s: %v %v", tt.want, tt.got, d, err)
		}
	}
}
