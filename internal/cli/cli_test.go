package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kakehi runs a command in this process.
func kakehi(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	code = Main(context.Background(), args, Streams{Out: &out, Err: &talk})
	return code, out.String(), talk.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestLostOutputIsAFailure(t *testing.T) {
	flow := write(t, "flow.yaml", "- done: {return: 1}\n")
	for _, args := range [][]string{{"schema"}, {"env"}, {"version"}, {"exec", flow}} {
		var talk bytes.Buffer
		code := Main(context.Background(), args, Streams{Out: fullDisk{}, Err: &talk})
		if code != exitFailure || !strings.Contains(talk.String(), "no space left") {
			t.Errorf("%v: exit code %d, %q", args, code, talk.String())
		}
	}
}

// What only the compiled workflow breaks is laid on the spec.
func TestLimitsAreLaidOnTheSpec(t *testing.T) {
	var spec strings.Builder
	spec.WriteString("pipeline: large\ntasks:\n")
	for i := range 150 {
		fmt.Fprintf(&spec, "  t%d: {function: f, in: {x: 1}, out: {y: int}}\n", i)
	}
	code, out, talk := kakehi(t, "compile", write(t, "large.yaml", spec.String()))
	if code != exitCheckFailed || out != "" {
		t.Errorf("exit code %d, %d bytes of output", code, len(out))
	}
	for _, want := range []string{"large.yaml:1:11: error: the compiled workflow: the source is ", "the limit is 131072", "| pipeline: large", "= run tasks that are alike with foreach"} {
		if !strings.Contains(talk, want) {
			t.Errorf("%q is not in\n%s", want, talk)
		}
	}
}

func TestLargeFilesAreDiagnostics(t *testing.T) {
	for size, want := range map[int]string{maxSource + 1: "the file is larger than 10 MiB", 2 << 20: "bytes"} {
		file := write(t, "large.yaml", "pipeline: p\ntasks:\n"+strings.Repeat("#", size))
		for _, command := range []string{"check", "compile", "run"} {
			code, _, talk := kakehi(t, command, file)
			if code != exitCheckFailed || !strings.Contains(talk, file+":1:1: error: ") || !strings.Contains(talk, want) {
				t.Errorf("%s of %d bytes: exit code %d\n%s", command, size, code, talk[:min(len(talk), 500)])
			}
		}
	}
}

// An interrupted run has not ended: its journal could go on.
func TestExecIsInterrupted(t *testing.T) {
	flow := write(t, "flow.yaml", "- sleep: {call: sys.sleep, args: {seconds: 3600}}\n")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	var out, talk bytes.Buffer
	code := Main(ctx, []string{"exec", flow}, Streams{Out: &out, Err: &talk})
	if code != exitInterrupted || !strings.Contains(out.String(), `"state": "ACTIVE"`) {
		t.Errorf("exit code %d\n%s%s", code, out.String(), talk.String())
	}
}
