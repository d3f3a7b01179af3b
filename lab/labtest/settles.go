package labtest

import (
	"fmt"
	"testing"
)

// tries is how often Settles lets a machine be too busy.
const tries = 8

// Settles runs check until it reports no error, eight times at most; the errors
// of the last time then count. It is for what a lab measures in time: a busy
// machine makes things late, but not every time, while a wrong lab is wrong
// each time. Fatal errors, and those of facts that no delay can change, should
// go to the outer t.
func Settles(t testing.TB, check func(t testing.TB)) {
	t.Helper()
	for i := 1; ; i++ {
		a := &attempt{TB: t}
		check(a)
		if len(a.errors) == 0 {
			return
		}
		if i < tries {
			t.Logf("try %d of %d: %s", i, tries, a.errors[0])
			continue
		}
		for _, e := range a.errors {
			t.Error(e)
		}
		return
	}
}

// attempt is a test whose errors are not yet final.
type attempt struct {
	testing.TB
	errors []string
}

func (a *attempt) Errorf(format string, args ...any) {
	a.errors = append(a.errors, fmt.Sprintf(format, args...))
}

func (a *attempt) Error(args ...any) { a.errors = append(a.errors, fmt.Sprint(args...)) }
