package compile_test

import (
	"os"
	"strings"
	"testing"
)

// An archive is a txtar file: text, then files that each begin with a line
// "-- NAME --".
type archive struct {
	comment string
	files   []archiveFile
}

type archiveFile struct{ name, text string }

func readArchive(t *testing.T, name string) *archive {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parseArchive(src)
}

func parseArchive(src []byte) *archive {
	a := &archive{}
	at := &a.comment
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok {
			if name, ok := strings.CutSuffix(strings.TrimSpace(rest), " --"); ok {
				a.files = append(a.files, archiveFile{name: name})
				at = &a.files[len(a.files)-1].text
				continue
			}
		}
		*at += line
	}
	return a
}

// file returns a file's text, "" when there is none.
func (a *archive) file(name string) string {
	for _, f := range a.files {
		if f.name == name {
			return f.text
		}
	}
	return ""
}

// with returns the text of an archive in which the files of sections, in that
// order, replace those of the same names. Empty ones are left out.
func (a *archive) with(sections []string, texts map[string]string) string {
	var b strings.Builder
	b.WriteString(a.comment)
	write := func(name, text string) { b.WriteString("-- " + name + " --\n" + text) }
	for _, f := range a.files {
		if _, replaced := texts[f.name]; !replaced {
			write(f.name, f.text)
		}
	}
	for _, name := range sections {
		if texts[name] != "" {
			write(name, texts[name])
		}
	}
	return b.String()
}
