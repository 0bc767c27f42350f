package runtime

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

// output carries a process's stdout and stderr to two writers.
type output struct {
	write [2]*os.File // nil: discarded
	read  [2]*os.File
	done  sync.WaitGroup
}

func newOutput(stdout, stderr io.Writer) (*output, error) {
	o := &output{}
	for i, w := range []io.Writer{stdout, stderr} {
		if w == nil {
			continue
		}
		r, pipe, err := os.Pipe()
		if err != nil {
			o.closeWriters()
			o.drain()
			return nil, err
		}
		o.read[i], o.write[i] = r, pipe
		o.done.Go(func() { copyAll(w, r) })
	}
	return o, nil
}

// writers are the ends that the child inherits.
func (o *output) writers() (stdout, stderr io.Writer) {
	if o.write[0] != nil {
		stdout = o.write[0]
	}
	if o.write[1] != nil {
		stderr = o.write[1]
	}
	return stdout, stderr
}

func (o *output) closeWriters() {
	for _, f := range o.write {
		if f != nil {
			_ = f.Close()
		}
	}
}

// drain waits until all was copied. A process that left the group may hold the
// pipe open for ever; it is not waited for.
func (o *output) drain() {
	const patience = time.Second
	for _, f := range o.read {
		if f != nil {
			_ = f.SetReadDeadline(time.Now().Add(patience))
		}
	}
	o.done.Wait()
	for _, f := range o.read {
		if f != nil {
			_ = f.Close()
		}
	}
}

// copyAll reads to the end even if w fails, lest the process block on a full
// pipe.
func copyAll(w io.Writer, r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			_, _ = w.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// maxLine is the longest line that Lines keeps whole: a Cloud Logging entry
// holds 256 KB, and JSON may escape each byte.
const maxLine = 64 << 10

// Lines is a writer that calls a function for each line, without its end. A
// line longer than 64 KiB arrives in pieces.
type Lines struct {
	mu   sync.Mutex
	emit func(line string)
	part []byte
}

// NewLines returns a Lines that calls emit, one call at a time.
func NewLines(emit func(line string)) *Lines { return &Lines{emit: emit} }

func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := len(p)
	for len(p) > 0 {
		piece, rest, whole := bytes.Cut(p, []byte("\n"))
		if room := maxLine - len(l.part); len(piece) > room {
			piece, rest, whole = p[:room], p[room:], true
		}
		l.part = append(l.part, piece...)
		if whole {
			l.flush()
		}
		p = rest
	}
	return total, nil
}

// Close hands over a last line that has no end.
func (l *Lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.flush()
	}
	return nil
}

func (l *Lines) flush() {
	l.emit(string(bytes.TrimSuffix(l.part, []byte("\r"))))
	l.part = l.part[:0]
}

// Tail keeps the last lines that were added to it.
type Tail struct {
	mu    sync.Mutex
	lines []string
	next  int
}

// NewTail returns a Tail of n lines.
func NewTail(n int) *Tail { return &Tail{lines: make([]string, 0, n)} }

// Add adds a line.
func (t *Tail) Add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < cap(t.lines) {
		t.lines = append(t.lines, line)
		return
	}
	t.lines[t.next] = line
	t.next = (t.next + 1) % len(t.lines)
}

// Lines returns what is kept, oldest first.
func (t *Tail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(append([]string{}, t.lines[t.next:]...), t.lines[:t.next]...)
}
