package http2_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	specs "github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"peerlab/lab/labtest"
)

// known are the cases that net/http fails: it closes the connection where a frame
// is asked for, or answers what it should refuse.
var known = []string{"http2/3.5/2", "http2/4.2/3", "http2/6.5.3/1", "http2/8.1.2.2/1", "http2/8.1.2.2/2"}

// TestH2spec holds the server to what somebody else's conformance suite finds,
// while the lab's observer reads along all the nonsense that it sends.
func TestH2spec(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "busy=0&requests=1&stay=120&duration=120")
	port, err := strconv.Atoi(r.Live("h2c.port"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(patience time.Duration, only ...string) (failed map[string]string, cases int) {
		failed = map[string]string{}
		for _, group := range []*spec.TestGroup{generic.Spec(), specs.Spec(), hpack.Spec()} {
			// A case that fails waits out the whole time.
			group.Test(&config.Config{Host: r.Live("h2c.host"), Port: port, Path: "/", Timeout: patience, MaxHeaderLen: 4000, Sections: only})
			collect(group, failed, &cases)
		}
		return failed, cases
	}
	failed, cases := check(time.Second)
	if cases < 140 {
		t.Errorf("only %d cases", cases)
	}
	for name := range failed {
		if slices.Contains(known, name) {
			continue
		}
		// A busy machine may be late once.
		if again, _ := check(4*time.Second, name); again[name] != "" {
			t.Errorf("h2spec %s: %s", name, again[name])
		}
	}
	t.Logf("%d cases, failed: %s", cases, strings.Join(slices.Sorted(maps.Keys(failed)), ", "))
	r.Stop()
	if n := r.Fact("h2c", "frames"); n < 500 {
		t.Errorf("the observer saw %g frames of all that", n)
	}
}

// collect goes through a group and those in it.
func collect(g *spec.TestGroup, failed map[string]string, cases *int) {
	for i, c := range g.Tests {
		*cases++
		if c.Result != nil && c.Result.Failed {
			failed[g.ID()+"/"+strconv.Itoa(i+1)] = c.Desc
		}
	}
	for _, sub := range g.Groups {
		collect(sub, failed, cases)
	}
}
