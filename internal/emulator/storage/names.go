package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Object names become file names component by component, and back. Most names
// stand as they are, so that a job which writes /gcs/BUCKET/a/b writes the
// object a/b. What a file system cannot hold is escaped with "%", and so is "%",
// but for the file 100% that a job wrote:
//
//	""          %00         (as in a//b, or a trailing slash)
//	"." ".."    %2E %2E%2E
//	"%41"       %2541       (a literal that reads like an escape)
//	> 200 bytes pieces, each but the last a folder that ends in %+
//	a folder beside an object of the same name     name%d
//	an object beside a folder of the same name     name%f
const (
	emptyComponent = "%00"
	folderMark     = "%d"
	fileMark       = "%f"
	pieceMark      = "%+"
	maxComponent   = 200 // bytes, escaped; leaves room for marks under the usual 255
	maxName        = 1024
)

// checkName refuses what Cloud Storage refuses as an object name.
func checkName(name string) error {
	switch {
	case name == "":
		return invalid("Required parameter: name")
	case len(name) > maxName:
		return invalid("The object name is %d bytes long; Cloud Storage takes at most %d.", len(name), maxName)
	case !utf8.ValidString(name):
		return invalid("The object name is not valid UTF-8.")
	case strings.ContainsAny(name, "\r\n\x00"):
		return invalid("Disallowed unicode characters present in object name '%s'", strings.Map(printable, name))
	case name == "." || name == "..":
		return invalid("Objects cannot be named '.' or '..'.")
	}
	return nil
}

func printable(r rune) rune {
	if r < ' ' {
		return '?'
	}
	return r
}

// components escapes the parts of an object name.
func components(name string) []string {
	var out []string
	for _, part := range strings.Split(name, "/") {
		for cut := fitting(part); cut < len(part); cut = fitting(part) {
			out = append(out, escape(part[:cut])+pieceMark)
			part = part[cut:]
		}
		out = append(out, escape(part))
	}
	return out
}

// fitting is how many bytes of a part stay within maxComponent once escaped.
func fitting(part string) int {
	size := 0
	for i, c := range part {
		if size += utf8.RuneLen(c); c == '%' {
			size += len("25")
		}
		if size > maxComponent {
			return i
		}
	}
	return len(part)
}

func escape(part string) string {
	switch part {
	case "":
		return emptyComponent
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	return strings.ReplaceAll(part, "%", "%25")
}

// unescape gives the part of an object name that a file or folder stands for,
// and whether the next one continues it. Names that no object made, such as a%b
// written by a job, stand for themselves.
func unescape(file string, dir bool) (part string, continued bool) {
	if dir {
		file, continued = strings.CutSuffix(file, pieceMark)
		if !continued {
			file = strings.TrimSuffix(file, folderMark)
		}
	} else {
		file = strings.TrimSuffix(file, fileMark)
	}
	if file != emptyComponent {
		part = strings.NewReplacer("%2E", ".", "%25", "%").Replace(file)
	}
	if escape(part) != file {
		part = file
	}
	return part, continued
}

// locate finds the file of an object in a bucket's folder, whether or not it
// exists; for a new object it avoids what is there under the same name.
func locate(bucketDir, name string) (string, error) {
	dir := bucketDir
	parts := components(name)
	for _, part := range parts[:len(parts)-1] {
		next, err := pick(dir, part, folderMark, true)
		if err != nil {
			return "", err
		}
		dir = next
	}
	return pick(dir, parts[len(parts)-1], fileMark, false)
}

// pick returns the path of a component: the plain name unless something of the
// other kind has it, or what a job wrote under the name as it is.
func pick(dir, part, mark string, wantDir bool) (string, error) {
	plain := filepath.Join(dir, part)
	info, err := os.Lstat(plain)
	switch {
	case err == nil && info.IsDir() == wantDir:
		return plain, nil
	case err == nil:
		return plain + mark, nil
	case !notThere(err):
		return "", fmt.Errorf("look up %s: %w", plain, err)
	}
	if _, err := os.Lstat(plain + mark); err == nil {
		return plain + mark, nil
	}
	if part, continued := unescape(part, false); !continued && part != "." && filepath.IsLocal(part) {
		literal := filepath.Join(dir, part)
		if info, err := os.Lstat(literal); err == nil && info.IsDir() == wantDir {
			return literal, nil
		}
	}
	return plain, nil
}

// walk calls f for each object in a bucket's folder whose name may begin with
// prefix; the order is not that of the names.
func walk(bucketDir, prefix string, f func(name string)) error {
	return walkDir(bucketDir, "", prefix, f)
}

func walkDir(dir, above, prefix string, f func(name string)) error {
	entries, err := os.ReadDir(dir)
	if notThere(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		part, continued := unescape(e.Name(), e.IsDir())
		name := above + part
		switch {
		case e.IsDir():
			if !continued {
				name += "/"
			}
			if strings.HasPrefix(name, prefix) || strings.HasPrefix(prefix, name) {
				if err := walkDir(filepath.Join(dir, e.Name()), name, prefix, f); err != nil {
					return err
				}
			}
		case e.Type().IsRegular() && strings.HasPrefix(name, prefix):
			f(name)
		}
	}
	return nil
}
