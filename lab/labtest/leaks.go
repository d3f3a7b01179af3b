package labtest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// linger is how long what a library leaves running on its own account may take
// to end: net/http gives a connection of HTTP/2 a second for its last frame,
// and fasthttp's client sleeps for a second before it sees that it is not wanted.
const linger = 3 * time.Second

// Main runs the tests of a package and then looks for goroutines left behind,
// until there are none or linger is over. It is for labs whose libraries end
// a little later than they are told to; others use goleak as it is.
func Main(m *testing.M) {
	code := m.Run()
	for deadline := time.Now().Add(linger); code == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
