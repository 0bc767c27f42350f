package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kakehi/kakehi/"

// banned lists, for each folder, the folders that nothing in it may import:
// the seams of ARCHITECTURE.md. A folder stands for all below it.
var banned = map[string][]string{
	"internal/diag":         {"internal", "functions", "cmd"},
	"internal/value":        {"internal", "functions", "cmd"},
	"internal/expr":         {"internal/workflow", "internal/pipeline", "internal/interp", "internal/compile", "internal/emulator"},
	"internal/workflow":     {"internal/pipeline", "internal/interp", "internal/compile", "internal/emulator"},
	"internal/lint":         {"internal/pipeline", "internal/interp", "internal/stdlib", "internal/compile", "internal/emulator"},
	"internal/pipeline":     {"internal/workflow", "internal/interp", "internal/compile", "internal/emulator"},
	"internal/spec":         {"internal/workflow", "internal/interp", "internal/compile", "internal/emulator"},
	"internal/kfp":          {"internal/workflow", "internal/interp", "internal/stdlib", "internal/compile", "internal/emulator", "internal/spec", "internal/cli"},
	"internal/compile":      {"internal/interp", "internal/stdlib", "internal/emulator", "internal/spec", "internal/kfp"},
	"internal/interp":       {"internal/compile", "internal/stdlib", "internal/pipeline", "internal/spec", "internal/kfp", "internal/emulator", "internal/stub", "internal/journal"},
	"internal/stdlib":       {"internal/compile", "internal/pipeline", "internal/spec", "internal/kfp", "internal/emulator", "internal/stub"},
	"internal/form":         {"internal/interp", "internal/compile", "internal/pipeline", "internal/spec", "internal/kfp", "internal/emulator"},
	"internal/stub":         {"internal/compile", "internal/pipeline", "internal/spec", "internal/kfp", "internal/emulator", "internal/cli"},
	"internal/journal":      {"internal/compile", "internal/pipeline", "internal/spec", "internal/kfp", "internal/emulator", "internal/cli"},
	"internal/workflowtest": {"internal/compile", "internal/pipeline", "internal/spec", "internal/kfp", "internal/emulator", "internal/cli"},
	"internal/discovery":    {"internal/stdlib", "internal/interp", "internal/workflow", "internal/emulator", "internal/value"},
	"internal/emulator":     {"internal/compile", "internal/pipeline", "internal/spec", "internal/kfp", "internal/cli", "functions"},
	"internal/serving":      {"internal/emulator", "internal/gcp", "internal/interp"},
	"internal/rollout":      {"internal/emulator", "internal/gcp", "internal/interp"},
	"internal/executor":     {"internal/emulator", "internal/gcp", "internal/interp"},
	"functions":             {"internal/emulator", "internal/gcp", "internal/cli", "internal/compile"},
	"cmd/functions":         {"internal/emulator", "internal/gcp", "internal/cli"},
	"cmd/modelserver":       {"internal/emulator", "internal/gcp", "internal/cli", "functions"},
}

// yamlReaders are the only packages that may import a YAML library: the owners
// of a surface syntax, and the command line for -o yaml.
var yamlReaders = []string{"internal/workflow", "internal/spec", "internal/kfp/source", "internal/cli"}

// TestImports reads the files in this process, so that the test cache sees
// them: the output of a `go list` subprocess would be cached wrongly.
func TestImports(t *testing.T) {
	root := os.DirFS("..")
	files := 0
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		checkFile(t, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("read only %d Go files: is the test run from its own folder?", files)
	}
}

func checkFile(t *testing.T, name string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name), nil, parser.ImportsOnly)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	folder := path.Dir(name)
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(imported, "/yaml") && !underAny(folder, yamlReaders) {
			t.Errorf("%s imports %s: only %s may", name, imported, strings.Join(yamlReaders, ", "))
		}
		target, ours := strings.CutPrefix(imported, module)
		if !ours {
			continue
		}
		for _, owner := range sortedKeys(banned) {
			if under(folder, owner) && underAny(target, banned[owner]) && !under(target, owner) && !allowedLeaf(owner, target) {
				t.Errorf("%s imports %s: %s may not import %v", name, target, owner, banned[owner])
			}
		}
	}
}

// allowedLeaf lets the innermost packages, which are banned from "internal" as
// a whole, use what is a leaf itself.
func allowedLeaf(owner, target string) bool {
	return owner != "internal/diag" && target == "internal/diag"
}

func under(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

func underAny(folder string, parents []string) bool {
	for _, p := range parents {
		if under(folder, p) {
			return true
		}
	}
	return false
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
