package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/kakehi/kakehi/internal/interp"
)

// Writer writes a journal; it is the [interp.Journal] of one execution.
type Writer struct {
	file *os.File
	buf  *bufio.Writer
	crc  uint32
}

// Create begins the journal file name, which it truncates. Only its owner can
// read it: arguments and answers may hold secrets.
func Create(name string, h Header) (*Writer, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the journal: %w", err)
	}
	w := &Writer{file: f, buf: bufio.NewWriter(f)}
	h.Journal = Version
	line, err := json.Marshal(h)
	if err == nil {
		err = w.write(line)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write the journal: %w", err)
	}
	return w, nil
}

// write adds a line, which is a JSON object.
func (w *Writer) write(line []byte) error {
	w.crc = sum(w.crc, line)
	if _, err := w.buf.Write(line[:len(line)-1]); err != nil {
		return err
	}
	_, err := w.buf.WriteString(ending(w.crc) + "\n")
	return err
}

// Append implements [interp.Journal].
func (w *Writer) Append(e interp.Entry) error { return w.write(e.Data) }

// Sync implements [interp.Journal].
func (w *Writer) Sync() error {
	if err := w.buf.Flush(); err != nil {
		return err
	}
	return w.file.Sync()
}

// End writes how the execution ended, unless it goes on in another life, and
// makes the file complete on disk.
func (w *Writer) End(r *Result) error {
	var err error
	if r.State != interp.Active {
		err = w.end(r)
	}
	return errors.Join(err, w.Close())
}

func (w *Writer) end(r *Result) error {
	how, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line, err := json.Marshal(end{how})
	if err != nil {
		return err
	}
	return w.write(line)
}

// Close makes what was written complete on disk.
func (w *Writer) Close() error {
	err := w.Sync()
	if closing := w.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}
