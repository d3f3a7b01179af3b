package slownetwork_test

import (
	"fmt"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
)

// attempts is how often a measurement may come out too slow: the machine may
// be busy with something else. Too quick or wrong it may never be.
const attempts = 6

// meter judges what was measured in one attempt.
type meter struct {
	*testing.T
	slow []string
}

// near tells that a value is at least what was set, and not much more.
func (m *meter) near(what string, got, least, most float64) {
	m.Helper()
	text := fmt.Sprintf("%s: %.1f, want from %g to %g", what, got, least, most)
	switch {
	case got < least:
		m.Error(text)
	case got > most:
		m.slow = append(m.slow, text)
	}
}

// patiently measures until an attempt is not too slow.
func patiently(t *testing.T, measure func(m *meter)) {
	t.Helper()
	for attempt := 1; ; attempt++ {
		m := &meter{T: t}
		measure(m)
		if t.Failed() || len(m.slow) == 0 {
			return
		}
		for _, text := range m.slow {
			if t.Logf("attempt %d: %s", attempt, text); attempt == attempts {
				t.Fail()
			}
		}
		if attempt == attempts {
			return
		}
	}
}

var networks = []string{"network=loopback", "network=link"}

// both runs the lab on both networks at once and checks each when it has ended.
func both(t *testing.T, query string, check func(m *meter, r *labtest.Running)) {
	t.Helper()
	t.Parallel()
	patiently(t, func(m *meter) {
		var runs []*labtest.Running
		for _, network := range networks {
			runs = append(runs, labtest.Start(t, theLab(t), network+"&stay=0&jitter=0&"+query))
		}
		for i, r := range runs {
			r.Wait()
			if outcome, why, _ := r.Status(); outcome != lab.Finished {
				t.Fatal(why)
			}
			if check(m, r); t.Failed() || len(m.slow) > 0 {
				t.Log("on " + networks[i])
			}
		}
	})
}
