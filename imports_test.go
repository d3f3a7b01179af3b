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
// is below it, but lab is the contract alone, so that nobody can import a lab.
// The picture is in ARCHITECTURE.md. cmd and e2e may import all.
var rules = map[string][]string{
	"trace":              {},
	"guard":              {},
	"static":             {},
	"leaks":              {},
	"need":               {},
	"procnet":            {},
	"selfsigned":         {},
	"signaling/envelope": {},
	"signaling":          {"signaling/envelope", "trace", "guard"},
	"turnsrv":            {"trace", "guard"},
	"nat":                {"trace", "guard"},
	"peer":               {"signaling/envelope", "trace", "guard"},
	"netsim":             {},
	"dissect":            {},
	"tlsrecord":          {},
	"icesim":             {"turnsrv", "guard"},
	"igdsim":             {"nat"},
	"lab":                {"trace", "netsim", "guard"},
	"lab/lesson":         {"lab"},
	"lab/labtest":        {"lab", "lab/lesson", "trace", "leaks"},
	"lab/<slug>":         {"lab", "trace", "netsim", "procnet", "guard", "selfsigned", "icesim", "igdsim", "dissect", "tlsrecord", "signaling", "turnsrv", "nat", "peer"},
	"web":                {"signaling", "turnsrv", "nat", "peer", "trace", "static", "dissect", "lab", "lab/lesson"},
}

// rulesOf is the row for a package; a lab has the row of every lab.
func rulesOf(name string) (allowed []string, known bool) {
	if allowed, known = rules[name]; !known && strings.HasPrefix(name, "lab/") {
		return rules["lab/<slug>"], true
	}
	return allowed, known
}

// allows tells whether a name in a row covers a package.
func allows(row, imported string) bool {
	return imported == row || row != "lab" && under(imported, row)
}

// third says which packages may use a dependency that is easy to let leak;
// tests may use what they like.
var third = map[string][]string{
	"github.com/gorilla/websocket": {"signaling", "e2e"},
	"github.com/pion/turn/v2":      {"turnsrv", "peer", "e2e"},
	"github.com/pion/webrtc/v3":    {"peer", "cmd/peer", "lab/webrtc", "e2e"},
	"github.com/huin/goupnp":       {"nat"},
	"github.com/a-h/templ":         {"web"},
	"github.com/chromedp/chromedp": {"e2e"},
	"github.com/alecthomas/kong":   {"cmd"},
	"gvisor.dev/gvisor":            {"netsim"},
	"github.com/gopacket/gopacket": {"netsim", "dissect", "lab/packets"},
	"github.com/yuin/goldmark":     {"lab/lesson"},
	"github.com/Shopify/toxiproxy": {"lab/slow-network"},
	"github.com/rs/zerolog":        {"lab/slow-network"},
	"github.com/jackc/puddle":      {"lab/tcp-pool"},
	"github.com/miekg/dns":         {"lab/dns"},

	"github.com/valyala/fasthttp": {"lab/pipelining", "lab/fasthttp"},
	"github.com/quic-go/quic-go":  {"lab/multiplexing"},
	"github.com/tsenart/vegeta":   {"lab/fasthttp"},

	"github.com/HdrHistogram/hdrhistogram-go": {"lab/proxy", "lab/fasthttp"},
	"github.com/jackpal/go-nat-pmp":           {"nat"},
	"go.uber.org/goleak":                      {"leaks", "lab/labtest"},
}

func TestImportsFollowTheLayering(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "peerlab/")
		if strings.HasPrefix(name, "cmd/") || under(name, "e2e") || name == "peerlab" {
			continue
		}
		allowed, known := rulesOf(name)
		if !known {
			t.Errorf("package %s has no row in the import rules", name)
		}
		for _, imported := range p.Imports {
			own, isOwn := strings.CutPrefix(imported, "peerlab/")
			if isOwn && own != name && !slices.ContainsFunc(allowed, func(a string) bool { return allows(a, own) }) {
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
