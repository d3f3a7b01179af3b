// Package need states what a test needs from the machine.
//
// A missing tool is a skip on a developer's machine and a failure where the
// environment variable CI is set, so that a test which never runs is noticed.
// Either way the message names the Debian package to install.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Root ends the test unless it runs as root, which network namespaces and
// packet filters ask for.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "root is needed for network namespaces: run the test with sudo")
	}
}

// Tool ends the test unless the named program is found. It returns the path of
// the program. debian is the Debian package that has it.
func Tool(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name+" is needed: apt-get install "+debian)
	}
	return path
}

// Missing skips the test, or fails it when CI is set, for the given reason.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
		return
	}
	t.Skip(reason)
}
