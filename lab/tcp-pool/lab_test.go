package tcppool_test

import (
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	tcppool "peerlab/lab/tcp-pool"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, tcppool.Lab) }

func TestTheContract(t *testing.T) {
	labtest.Check(t, theLab(t), "stay=0&delay=2&work=3&clients=4&requests=1&patience=100&probe-after=10&idle=50&lifetime=200")
}

// both networks, with scenes that are over soon.
var networks = []string{"network=loopback", "network=link&delay=5"}

const quick = "&work=10&probe-after=20&lifetime=20000"

func TestWhatEachWayComesTo(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), network+quick+"&stay=0&requests=5&patience=600&idle=200")
				for _, want := range []struct {
					variant, fact string
					least, most   float64
				}{
					{"dial", "connections for requests one after another", 5, 5},
					{"naive", "connections for requests one after another", 1, 1},
					{"puddle", "connections for requests one after another", 1, 1},

					{"dial", "refused by the backend, in the crowd", 1, 14},
					{"naive", "refused by the backend, in the crowd", 1, 14},
					{"naive", "failed in the crowd", 2, 14}, // who is refused puts a dead one back
					{"puddle", "most connections at a time, in the crowd", 1, 3},
					{"puddle", "failed in the crowd", 0, 0},
					{"puddle", "longest wait for a connection, in the crowd", 10, 600},

					{"naive", "open after a quiet time", 3, 3},
					{"puddle", "open after a quiet time", 1, 1},

					{"dial", "got the answer to another request", 0, 0},
					{"naive", "got the answer to another request", 3, 3},
					{"puddle", "got the answer to another request", 0, 0},

					{"dial", "leaked connections still open", 5, 5},
					{"naive", "leaked connections still open", 5, 5},
					{"puddle", "leaked connections still open", 0, 0},
					{"dial", "failed after the leak", 3, 3},
					{"naive", "failed after the leak", 3, 3},
					{"puddle", "failed after the leak", 0, 0},
					{"puddle", "taken back from who forgot them", 3, 5},
					{"puddle", "longest wait behind the leak", 200, 600},

					{"dial", "failed after the restart", 0, 0},
					{"naive", "failed after the restart", 6, 6},
					{"puddle", "failed after the restart", 0, 0},
					{"puddle", "found dead by the probe", 3, 3},
				} {
					if got := r.Fact(want.variant, want.fact); got < want.least || got > want.most {
						t.Errorf("%s, %s: %g, want %g to %g", want.variant, want.fact, got, want.least, want.most)
					}
				}
				slotsAreGone(t, r)
				for variant, tone := range map[string]lab.Tone{"dial": lab.Warn, "naive": lab.Bad, "puddle": lab.Good} {
					if r.Count(func(e trace.Event) bool { return e.From == variant && e.Attrs[trace.VerdictAttr] == string(tone) }) == 0 {
						t.Errorf("%s has no verdict that is %s", variant, tone)
					}
				}
			})
		})
	}
}

func TestAConnectionOfItsOwnCostsARoundTrip(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "network=link&delay=20&stay=0&requests=3&clients=3&work=0&idle=50&leak=1&patience=160&probe-after=0")
		if got := r.Fact("", "a connection of its own adds to a request"); got < 35 || got > 80 {
			t.Errorf("%g ms more, over 20 ms each way", got)
		}
		if got := r.Fact("puddle", "one request, median"); got < 40 || got > 80 {
			t.Errorf("one request from the pool takes %g ms over 20 ms each way", got)
		}
	})
}

func TestWithoutAProbeASecondTryHelps(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), quick+"&pool=puddle&probe=none&leak=1&stay=0&requests=1&patience=150&idle=240")
		if got := r.Fact("puddle", "failed after the restart"); got != 0 {
			t.Errorf("%g requests failed", got)
		}
		if got := r.Fact("puddle", "requests sent a second time"); got < 1 {
			t.Errorf("no request was sent a second time")
		}
		if got := r.Fact("puddle", "found dead by the probe"); got != 0 {
			t.Errorf("%g found dead by no probe", got)
		}
	})
}

func TestOnlyAPingFindsWhatWasForgotten(t *testing.T) {
	t.Parallel()
	for probe, want := range map[string]struct{ least, most float64 }{"ping": {0, 0}, "peek": {3, 3}} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Start(t, theLab(t), quick+"&pool=puddle&requests=1&patience=150&idle=600&stay=60&duration=60&probe="+probe)
				r.Act("forget")
				r.Until("requests over forgotten connections", func(e trace.Event) bool {
					return e.Kind == trace.Fact && e.Name == "failed after being forgotten"
				})
				if got := r.Fact("puddle", "failed after being forgotten"); got < want.least || got > want.most {
					t.Errorf("%g of 4 requests failed", got)
				}
				r.Stop()
			})
		})
	}
}

func TestActionsArePlayedInEveryWay(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), quick+"&requests=1&patience=200&idle=90&stay=60&duration=60")
	r.Until("the end of the scenes", func(e trace.Event) bool {
		return e.Kind == trace.Note && strings.HasPrefix(e.Text, "All scenes are over")
	})
	for _, a := range []string{"crowd", "restart"} {
		r.Act(a)
	}
	seen := map[string]int{}
	r.Until("both scenes once more in every way", func(e trace.Event) bool {
		if e.Kind == trace.Span && e.Text == "over" && (strings.HasSuffix(e.Name, "crowd") || strings.HasSuffix(e.Name, "restart")) {
			seen[e.From]++
		}
		return seen["dial/app"] == 4 && seen["naive/app"] == 4 && seen["puddle/app"] == 4
	})
	r.Stop()
}

func TestWhereNothingIsAnsweredNothingIsToldOfThePool(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "pool=puddle&work=500&patience=100&requests=1&clients=2&leak=1&stay=0&idle=50")
	if r.Count(func(e trace.Event) bool {
		return e.Attrs[trace.VerdictAttr] == string(lab.Warn) && strings.HasPrefix(e.Text, "Not one request was answered")
	}) != 1 {
		t.Error("the verdict is not that there was no answer")
	}
}

func TestAPoolLargerThanTheBackendIsRefused(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), quick+"&pool=puddle&size=6&limit=2&clients=8&leak=1&stay=0&requests=1&patience=300&idle=90")
	if got := r.Fact("puddle", "most connections at a time, in the crowd"); got > 2 {
		t.Errorf("the backend has %g connections in spite of its limit", got)
	}
	if refused := r.Fact("puddle", "refused by the backend, in the crowd"); refused == 0 {
		t.Error("nobody was refused")
	}
}

// slotsAreGone checks that the places of connections come and go with them.
func slotsAreGone(t testing.TB, r *labtest.Running) {
	t.Helper()
	slots := map[string]string{}
	for _, e := range r.Log.Events() {
		if e.Kind == trace.State && strings.HasPrefix(e.Name, "slot ") {
			slots[e.From+" "+e.Name] = e.Text
		}
	}
	if len(slots) < 7 {
		t.Errorf("only %d slots were ever seen", len(slots))
	}
	for name, text := range slots {
		if text != "" {
			t.Errorf("at the end %s is %q", name, text)
		}
	}
}

func TestARunThatIsEndedEarlyTellsWhatWasDone(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "network=link&delay=100&pool=naive&requests=2&stay=0")
	r.Until("the crowd", func(e trace.Event) bool { return e.Kind == trace.Span && e.Name == "scene: crowd" })
	r.Stop()
	if got := r.Fact("naive", "one request, median"); got < 100 {
		t.Errorf("a median of %g ms over 100 ms each way", got)
	}
	verdicts := r.Count(func(e trace.Event) bool {
		return e.Attrs[trace.VerdictAttr] == string(lab.Warn) && strings.HasPrefix(e.Text, "The run was over in the scene crowd")
	})
	if partial := r.Count(func(e trace.Event) bool { return strings.HasPrefix(e.Text, "Scene crowd") }); verdicts != 1 || partial != 0 {
		t.Errorf("%d verdicts that the run was over in the crowd, %d results of it", verdicts, partial)
	}
}
