package cli

import (
	"bytes"
	"fmt"
	"slices"
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

// What a job printed does not steer the terminal.
func TestBoardIsNotSteered(t *testing.T) {
	var out bytes.Buffer
	b := newBoard(&out, terminal{}, []string{"train"})
	b.set("train", stateFailed, "epoch 1\r\x1b[2Jepoch 2\nlast\u202e")
	if got, want := out.String(), "  ✗ train  FAILED            epoch 1[2Jepoch 2 last\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
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
	b := &board{term: terminal{live: true, size: func() (int, int) { return 60, 24 }}, now: time.Now}
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

func TestBoardCutsNamesToTheTerminal(t *testing.T) {
	b := &board{term: terminal{live: true, size: func() (int, int) { return 40, 24 }}, now: time.Now}
	r := b.row("outer[0]/" + strings.Repeat("long_", 12))
	r.state, r.note = stateRunning, "note"
	if got := b.line(r); utf8.RuneCountInString(got) > 39 || !strings.Contains(got, "…") {
		t.Errorf("%d columns: %q", utf8.RuneCountInString(got), got)
	}
}

// Parts stand below their task, iterations by their number, and what is in one
// iteration in the order in which it came.
func TestBoardIsATree(t *testing.T) {
	b := newBoard(&bytes.Buffer{}, terminal{}, []string{"tune", "last"})
	for _, name := range []string{"tune[10]/train", "tune[2]/train", "tune[2]/check", "tune[10]/check", "tune[0]/train", "new", "last/b", "last/a"} {
		b.set(name, stateRunning, "")
	}
	var got []string
	for _, r := range b.rows {
		got = append(got, r.name)
	}
	want := []string{"tune", "tune[0]/train", "tune[2]/train", "tune[2]/check", "tune[10]/train", "tune[10]/check", "last", "last/b", "last/a", "new"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if line := b.line(b.rows[1]); !strings.HasPrefix(line, "  ▸   tune[0]/train") {
		t.Errorf("not indented: %q", line)
	}
}

// A board that is taller than the terminal shows what runs, and counts the rest.
func TestBoardFitsTheTerminal(t *testing.T) {
	var out bytes.Buffer
	b := &board{w: &out, term: terminal{live: true, size: func() (int, int) { return 80, 8 }}, now: time.Now, stop: make(chan struct{})}
	for i := range 20 {
		b.set(fmt.Sprintf("t%d", i), stateSucceeded, "")
	}
	for _, name := range []string{"t15", "t18"} {
		b.rows[b.index(name)].state = stateRunning
	}
	b.rows[b.index("t19")].state = stateWaiting
	b.draw()
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != 6 || b.drawn != 6 {
		t.Fatalf("%d lines, %d to erase:\n%s", len(lines), b.drawn, out.String())
	}
	for i, want := range []string{"t0 ", "t1 ", "t15", "t18", "t19", "… and 15 ok"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	out.Reset()
	b.close()
	if n := strings.Count(out.String(), "\n"); n != 20 {
		t.Errorf("the last drawing has %d lines, want all 20", n)
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
