package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestBoardPlainLines(t *testing.T) {
	var out bytes.Buffer
	b := newBoard(&out, terminal{}, []string{"validate", "train"})
	clock := time.Unix(0, 0)
	b.now = func() time.Time { return clock }
	b.set("validate", stateRunning, "")
	clock = clock.Add(80 * time.Millisecond)
	b.set("validate", stateSucceeded, "")
	b.set("train", stateRunning, "job 12")
	b.set("train", stateRunning, "job 12") // no news, no line
	clock = clock.Add(2400 * time.Millisecond)
	b.set("train", stateFailed, "exit code 1")
	b.set("release", stateSkipped, "")
	b.close()
	want := "  ▸ validate  running      0ms\n" +
		"  ✓ validate  ok          80ms\n" +
		"  ▸ train     running      0ms  job 12\n" +
		"  ✗ train     FAILED      2.4s  exit code 1\n" +
		"  – release   skipped\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBoardRedrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	b := &board{w: &out, term: terminal{live: true}, now: time.Now, stop: make(chan struct{})}
	b.row("a")
	b.row("b")
	b.draw()
	b.erase()
	if got := out.String(); !bytes.HasSuffix([]byte(got), []byte("\x1b[2A\x1b[J")) {
		t.Errorf("two rows drawn and erased gave %q", got)
	}
}

func TestBoardCutsLinesToTheTerminal(t *testing.T) {
	b := &board{term: terminal{live: true, columns: func() int { return 60 }}, now: time.Now}
	r := b.row("release")
	r.state, r.note = stateRunning, strings.Repeat("long ", 30)
	if got := b.line(r); utf8.RuneCountInString(got) > 59 || !strings.HasSuffix(got, "…") {
		t.Errorf("%d columns: %q", utf8.RuneCountInString(got), got)
	}
	r.note = "short"
	if got := b.line(r); !strings.HasSuffix(got, "short") {
		t.Errorf("got %q", got)
	}
}

func TestPlainError(t *testing.T) {
	err := fmt.Errorf("read service x: %w", status.Error(codes.NotFound, "no such thing"))
	if got, want := plainError(err), "read service x: no such thing"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ms", 999 * time.Millisecond: "999ms", 1500 * time.Millisecond: "1.5s", 192 * time.Second: "3m12s",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
