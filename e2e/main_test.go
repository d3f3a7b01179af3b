package e2e

import (
	"fmt"
	"os"
	"testing"

	"peerlab/e2e/netlab"
	"peerlab/e2e/proc"
)

// programs builds the programs under test, for all tests of this package.
var programs *proc.Builder

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run runs the tests and fails if they leave anything behind.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "peerlab-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a directory for the programs:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = proc.NewBuilder(dir)

	code := m.Run()
	if left, err := netlab.Leftovers(); len(left) > 0 || err != nil {
		fmt.Fprintln(os.Stderr, "namespaces left behind:", left, err)
		return 1
	}
	return code
}
