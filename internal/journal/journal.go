// Package journal keeps the journal of one execution in a file of its own:
// what was run, what the outside answered, and how it ended.
//
// The file is lines of JSON: a header, the entries of package interp in order,
// and the end. The last member of each line, crc, is the CRC-32C of everything
// before it in the file: a line that was changed, lost or added is found where
// it stands.
package journal

import (
	"encoding/json"
	"fmt"
	"hash/crc32"

	"github.com/kakehi/kakehi/internal/interp"
)

// Version is that of the format.
const Version = 1

// Header says what is run.
type Header struct {
	Journal  int               `json:"journal"`  // the version of the format
	Workflow string            `json:"workflow"` // the name of the file
	Source   string            `json:"source"`
	Argument json.RawMessage   `json:"argument"`
	Env      map[string]string `json:"env,omitempty"` // what sys.get_env reads
	// Stubbed names functions that only the stubs of the run knew.
	Stubbed []string `json:"stubbed,omitempty"`
}

// File is a journal that was read.
type File struct {
	Header
	Entries []interp.Entry
	// End is how the execution ended, as its writer put it; nil if the journal
	// stops before.
	End json.RawMessage
}

// end is the last line.
type end struct {
	End json.RawMessage `json:"end"`
}

// sum is the checksum after another line.
func sum(before uint32, line []byte) uint32 {
	return crc32.Update(before, crc32.MakeTable(crc32.Castagnoli), line)
}

const crcBegins = `,"crc":"`

// ending is what stands in the place of the closing brace of a line.
func ending(crc uint32) string { return fmt.Sprintf(crcBegins+`%08x"}`, crc) }
