package peerlab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rules says which of our own packages each one may import; a name covers what
// is below it. The picture is in ARCHITECTURE.md. cmd and e2e may import all.
var rules = map[string][]string{
	"trace":              {},
	"guard":              {},
	"static":             {},
	"signaling/envelope": {},
	"signaling":          {"signaling/envelope", "trace", "guard"},
	"turnsrv":            {"trace", "guard"},
	"nat":                {"trace", "guard"},
	"peer":               {"signaling/envelope", "trace", "guard"},
	"web":                {"signaling", "turnsrv", "nat", "peer", "trace", "static"},
}

// third says which packages may use a dependency that is easy to let leak;
// tests may use what they like.
var third = map[string][]string{
	"github.com/gorilla/websocket": {"signaling", "e2e"},
	"github.com/pion/turn/v2":      {"turnsrv", "peer", "e2e"},
	"github.com/pion/webrtc/v3":    {"peer", "cmd/peer", "e2e"},
	"github.com/huin/goupnp":       {"nat"},
	"github.com/a-h/templ":         {"web"},
	"github.com/chromedp/chromedp": {"e2e"},
	"github.com/alecthomas/kong":   {"cmd"},
}

func TestImportsFollowTheLayering(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "peerlab/")
		if strings.HasPrefix(name, "cmd/") || under(name, "e2e") || name == "peerlab" {
			continue
		}
		allowed, known := rules[name]
		if !known {
			t.Errorf("package %s has no row in the import rules", name)
		}
		for _, imported := range p.Imports {
			own, isOwn := strings.CutPrefix(imported, "peerlab/")
			if isOwn && own != name && !slices.ContainsFunc(allowed, func(a string) bool { return under(own, a) }) {
				t.Errorf("%s imports %s, which the layering forbids", name, own)
			}
		}
	}
}

func TestDependenciesStayWhereTheyBelong(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "peerlab/")
		for module, homes := range third {
			uses := slices.ContainsFunc(p.Imports, func(i string) bool { return under(i, module) })
			home := slices.ContainsFunc(homes, func(h string) bool { return under(name, h) })
			if uses && !home {
				t.Errorf("%s imports %s, which belongs in %s only", name, module, strings.Join(homes, ", "))
			}
		}
	}
}

func under(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("reading what go list printed: %v", err)
		}
		all = append(all, p)
	}
}
