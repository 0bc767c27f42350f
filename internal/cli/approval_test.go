package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const gate = `
pipeline: gate
tasks:
  ask: {approve: Go?, out: {by: string}}
outputs: {by: $ask.by}
`

// A person can answer with the very line that run prints.
func TestRunIsApproved(t *testing.T) {
	for answer, want := range map[string]struct {
		code         int
		stdout, talk string
	}{
		`{"by": "ann"}`: {exitOK, "by\tann\n", "SUCCEEDED"},
		`{"approved": false, "reason": "not on Friday"}`: {exitRunFailed, "", "task ask: not on Friday"},
	} {
		args := []string{"run", write(t, "gate.yaml", gate), "--data-dir", t.TempDir()}
		reader, writer := io.Pipe()
		var out, talk bytes.Buffer
		ended := make(chan int, 1)
		go func() {
			ended <- Main(context.Background(), args, Streams{Out: &out, Err: writer})
			writer.Close()
		}()
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			talk.WriteString(lines.Text() + "\n")
			if m := regexp.MustCompile(`approve: curl -d '.*' (http://127\.0\.0\.1:\S+)$`).FindStringSubmatch(lines.Text()); m != nil {
				resp, err := http.Post(m[1], "application/x-www-form-urlencoded", strings.NewReader(answer)) // as curl -d does
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("the callback answered %s", resp.Status)
				}
			}
		}
		if code := <-ended; code != want.code || out.String() != want.stdout || !strings.Contains(talk.String(), want.talk) {
			t.Errorf("%s: exit code %d, output %q\n%s", answer, code, out.String(), talk.String())
		}
	}
}
