package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
)

// Read reads the journal file name. The error is a [diag.List] if the file is
// damaged: the place is that of the first line that is not as it was written.
func Read(name string) (*File, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, src)
}

// Line is the line of the file on which entry number seq stands.
func Line(seq int64) int { return int(seq) + 1 }

// Parse reads the text of a journal; name is for messages.
func Parse(name string, src []byte) (*File, error) {
	r := reader{name: name, file: &File{}}
	for n := 1; len(src) > 0; n++ {
		line, rest, whole := bytes.Cut(src, []byte("\n"))
		if err := r.line(n, line, whole); err != nil {
			return nil, err
		}
		src = rest
	}
	if r.file.Journal == 0 {
		return nil, r.damaged(1, 1, "the file is empty", "write one with: kakehi exec --journal FILE WORKFLOW")
	}
	return r.file, nil
}

type reader struct {
	name string
	file *File
	crc  uint32
}

func (r *reader) damaged(line, col int, message, hint string) error {
	return diag.List{{Pos: diag.Pos{File: r.name, Line: line, Col: col}, Code: "journal", Message: message, Hint: hint}}
}

// line reads line n; whole says that a line break follows.
func (r *reader) line(n int, line []byte, whole bool) error {
	if n == 1 && !bytes.HasPrefix(line, []byte(`{"journal":`)) {
		return r.damaged(1, 1, `this is no journal: it does not begin with {"journal":`, "write one with: kakehi exec --journal FILE WORKFLOW")
	}
	i := len(line) - len(ending(0))
	if i < 1 || !bytes.HasPrefix(line[i:], []byte(crcBegins)) {
		if !whole {
			return r.damaged(n, len(line)+1, "the file ends in the middle of a line: it was cut off, or its writer stopped", "")
		}
		return r.damaged(n, len(line)+1, "the line has no checksum at its end: it was changed or damaged after it was written", "")
	}
	data := append(line[:i:i], '}')
	r.crc = sum(r.crc, data)
	switch {
	case string(line[i:]) != ending(r.crc):
		return r.damaged(n, i+2, fmt.Sprintf("the checksum should be %08x: this line was changed or damaged after it was written, or one before it is missing", r.crc), "")
	case !whole:
		return r.damaged(n, len(line)+1, "the file ends without a line break: it was cut off, or its writer stopped", "")
	case r.file.End != nil:
		return r.damaged(n, 1, "something follows the end of the execution", "")
	}
	if err := r.content(n, data); err != nil {
		return r.damaged(n, 1, err.Error(), "")
	}
	return nil
}

// content takes a line whose checksum holds.
func (r *reader) content(n int, data []byte) error {
	switch {
	case n == 1:
		if err := json.Unmarshal(data, &r.file.Header); err != nil {
			return fmt.Errorf("the header is malformed: %w", err)
		}
		if v := r.file.Journal; v != Version {
			return fmt.Errorf("the journal has version %d of the format, and this program reads version %d", v, Version)
		}
	case bytes.HasPrefix(data, []byte(`{"end":`)):
		var e end
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("the end is malformed: %w", err)
		}
		r.file.End = e.End
	default:
		r.file.Entries = append(r.file.Entries, interp.Entry{Seq: int64(n - 1), Data: data})
	}
	return nil
}
