// Package arch holds no code: its test asserts which package may import which,
// and that each says what it is.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dovetail-sdn/dovetail/"

// mayImport is the house: data goes one way down and one way up. A package that
// is not listed may not import any other of ours.
var mayImport = map[string][]string{
	"topology":       {},
	"topology/store": {"topology"},
	"openflow":       {},
	"pipeline":       {"topology", "openflow", "internal/packet"},
	"bgp":            {},
	"ofctrl":         {"openflow", "internal/strangers"},
	"ovsdb":          {"internal/strangers"},
	"controller":     {"topology", "topology/store", "openflow", "pipeline", "ofctrl", "ovsdb", "bgp", "internal/packet"},
	"rest":           {"topology", "topology/store"},
	"client":         {"topology"},
	"cmd":            {"*"},
	"integration":    {"*"},
	"internal":       {},
}

func TestImportsGoOneWay(t *testing.T) {
	for dir, files := range goFiles(t, false) {
		allowed := allowedFor(dir)
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range f.Imports {
				path, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), module)
				if ours && !slices.Contains(allowed, "*") && !slices.Contains(allowed, path) {
					t.Errorf("%s imports %s: %s may import only %v of ours", file, path, dir, allowed)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for dir, files := range goFiles(t, false) {
		documented := false
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || f.Doc != nil
		}
		if !documented {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// allowedFor finds the rule of a folder or of its nearest listed parent.
func allowedFor(dir string) []string {
	for d := dir; d != "."; d = filepath.Dir(d) {
		if rule, ok := mayImport[d]; ok {
			return rule
		}
	}
	return nil
}

// goFiles lists the Go files of each folder, relative to the module's root.
func goFiles(t *testing.T, tests bool) map[string][]string {
	t.Helper()
	if err := os.Chdir("../.."); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chdir("internal/arch") })
	dirs := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && strings.HasSuffix(path, "_test.go") == tests {
			dirs[filepath.Dir(path)] = append(dirs[filepath.Dir(path)], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}
