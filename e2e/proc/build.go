package proc

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// RaceVariable is the environment variable that, when not empty, makes a
// Builder build with the race detector.
const RaceVariable = "PEERLAB_E2E_RACE"

// Builder builds programs of this module, each at most once.
type Builder struct {
	dir string

	mu    sync.Mutex
	built map[string]result
}

type result struct {
	path string
	err  error
}

// NewBuilder makes a Builder that keeps its binaries in dir.
func NewBuilder(dir string) *Builder {
	return &Builder{dir: dir, built: make(map[string]result)}
}

// Binary returns the path of the program whose main package is at pkg, such as
// "cmd/server", relative to the root of the module. A program that does not
// build ends every test that asks for it.
func (b *Builder) Binary(t testing.TB, pkg string) string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.built[pkg]
	if !ok {
		r.path, r.err = b.build(pkg)
		b.built[pkg] = r
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.path
}

func (b *Builder) build(pkg string) (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	path := filepath.Join(b.dir, filepath.Base(pkg))
	args := []string{"build", "-o", path}
	if os.Getenv(RaceVariable) != "" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./"+pkg)...)
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, bytes.TrimSpace(out))
	}
	return path, nil
}
