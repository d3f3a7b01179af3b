// Package leaks is how tests look for goroutines left behind.
package leaks

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// linger is how long what a library leaves running on its own account may take
// to end; goleak alone waits for less than half a second. net/http sleeps for
// 500 ms on a connection it closes first and gives one of HTTP/2 a second for
// its last frame, fasthttp's client looks once a second whether it is wanted.
const linger = 3 * time.Second

// Main runs the tests of a package, for its TestMain, and fails it if
// goroutines are left when they and linger are over.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Find waits until no goroutines but those excepted are left, or until linger
// is over: the error has their stacks.
func Find(except ...goleak.Option) error {
	for deadline := time.Now().Add(linger); ; {
		err := goleak.Find(except...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
