package deadlines_test

import (
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/deadlines"
	"peerlab/lab/labtest"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, deadlines.Lab) }

func TestTheContract(t *testing.T) {
	labtest.Check(t, theLab(t), "stay=0&delay=5&deadline=100&pace=25&polite=1")
}

// both networks.
var networks = []string{"network=loopback", "network=link&delay=5"}

// check runs a part on both networks until a busy machine lets what it
// measures be true.
func check(t *testing.T, query string, judge func(t testing.TB, r *labtest.Running)) {
	t.Helper()
	t.Parallel()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			labtest.Settles(t, func(t testing.TB) {
				judge(t, labtest.Run(t, theLab(t), network+"&stay=0&"+query))
			})
		})
	}
}

// between checks a fact.
func between(t testing.TB, r *labtest.Running, variant, fact string, least, most float64) {
	t.Helper()
	if got := r.Fact(variant, fact); got < least || got > most {
		t.Errorf("%s, %s: %g, want %g to %g", variant, fact, got, least, most)
	}
}

// cell is the last value of a cell.
func cell(r *labtest.Running, row, column string) (text string) {
	for _, e := range r.Log.Events() {
		if e.Kind == trace.State && e.Attrs[trace.GridAttr] != "" && e.From == row && e.Name == column {
			text = e.Text
		}
	}
	return text
}

func TestWhatADeadlineEndsAndWhatNot(t *testing.T) {
	check(t, "show=sockets&deadline=150", func(t testing.TB, r *labtest.Running) {
		between(t, r, "sockets", "read deadline", 149, 250)
		between(t, r, "sockets", "a second Read without a new deadline", 0, 20)
		between(t, r, "sockets", "read after a new deadline was set", 5, 5)
		between(t, r, "sockets", "write deadline", 149, 400)
		between(t, r, "sockets", "both at once", 149, 400)
		between(t, r, "sockets", "read with a deadline set once", 2, 4)
		between(t, r, "sockets", "read with a deadline renewed each time", 8, 8)
		between(t, r, "sockets", "a Read that ignores its context returns after it ended", 220, 400)
		between(t, r, "sockets", "a Read that is woken returns after its context ended", 0, 100)
		wrote, got := r.Fact("sockets", "written before the deadline"), r.Fact("sockets", "received by who did not read, in the end")
		if wrote <= 0 || wrote >= 8<<20 || got != wrote+4 {
			t.Errorf("%g bytes written before the deadline and 4 after it, %g received", wrote, got)
		}
		for row, want := range map[string]string{
			"read deadline": "i/o timeout", "write deadline": "i/o timeout", "set once, a byte now and then": "i/o timeout",
			"renewed, a byte now and then": "no error", "context ended, Read is woken": "the context's error",
		} {
			if got := cell(r, "sockets/"+row, "with"); got != want {
				t.Errorf("%s ended with %q, want %q", row, got, want)
			}
		}
		if got := cell(r, "sockets/context ended, Read is woken", "and then"); !strings.Contains(got, "7 bytes") {
			t.Errorf("after a Read that was woken: %q", got)
		}
	})
}

// table is how each case ends with each timeout: o open, c closed, a number the
// status of an answer, n no answer.
var table = map[string][]string{
	"says nothing":       {"open", "closed", "closed", "open", "open"},
	"drips its header":   {"open", "closed", "closed", "open", "open"},
	"drips its body":     {"open", "open", "408", "open", "open"},
	"asks for slow work": {"200", "200", "200", "no answer", "200"},
	"does not read":      {"open", "open", "open", "closed", "open"},
	"stays idle":         {"open", "open", "closed", "open", "closed"},
}

func TestEveryTimeoutAgainstEveryWayToBeSlow(t *testing.T) {
	check(t, "show=http&deadline=200&pace=40", func(t testing.TB, r *labtest.Running) {
		for row, wants := range table {
			for i, column := range []string{"no timeout", "ReadHeaderTimeout", "ReadTimeout", "WriteTimeout", "IdleTimeout"} {
				if got := cell(r, "http/"+row, column); !strings.HasPrefix(got, wants[i]) {
					t.Errorf("a client that %s, %s: %q, want %q", row, column, got, wants[i])
				}
			}
		}
		between(t, r, "http", "cases ended with no timeout", 0, 0)
		between(t, r, "http", "cases ended with ReadTimeout", 4, 4)
	})
}

func TestOnlyADeadlineForTheWholeHeaderStopsSlowClients(t *testing.T) {
	// Ten times the pace, so that a busy machine makes no slow client break the idle deadline.
	check(t, "show=drip&deadline=400&pace=40&polite=2", func(t testing.TB, r *labtest.Running) {
		for _, kind := range []string{"naive", "idle"} {
			between(t, r, kind, "polite requests answered", 0, 0)
			between(t, r, kind, "slow clients cut off", 0, 0)
			between(t, r, kind, "longest that a place was held", 2*3*400, 60_000)
		}
		between(t, r, "fixed", "polite requests answered", 2, 2)
		between(t, r, "fixed", "slow clients cut off", 4, 1000)
		between(t, r, "fixed", "longest that a place was held", 390, 1200)
		verdicts(t, r, map[string]lab.Tone{"naive": lab.Bad, "idle": lab.Bad, "fixed": lab.Good})
	})
}

func TestFewSlowClientsLeavePlaces(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "show=drip&deadline=150&drips=2&places=4&polite=2&stay=0")
		between(t, r, "naive", "polite requests answered", 2, 2)
		verdicts(t, r, map[string]lab.Tone{"naive": lab.Good})
		r = labtest.Run(t, theLab(t), "show=drip&deadline=100&pace=1000&polite=1&stay=0") // a byte that is late
		between(t, r, "idle", "slow clients cut off", 1, 1000)
		if r.Count(func(e trace.Event) bool {
			return e.From == "idle" && strings.HasPrefix(e.Text, "A deadline for each Read:")
		}) != 1 {
			t.Error("nothing is said of an idle deadline that falls due")
		}
	})
}

func TestAStreamNeedsADeadlineThatMoves(t *testing.T) {
	check(t, "show=stream&deadline=200", func(t testing.TB, r *labtest.Running) {
		between(t, r, "naive", "events received", 2, 4)
		between(t, r, "fixed", "events received", 9, 9)
		between(t, r, "fixed", "the stream lasted", 3*200-1, 60_000)
		verdicts(t, r, map[string]lab.Tone{"naive": lab.Bad, "fixed": lab.Good})
	})
}

// verdicts checks the tone of what is said in the end.
func verdicts(t testing.TB, r *labtest.Running, want map[string]lab.Tone) {
	t.Helper()
	for variant, tone := range want {
		if r.Count(func(e trace.Event) bool { return e.From == variant && e.Attrs[trace.VerdictAttr] == string(tone) }) != 1 {
			t.Errorf("%s has no verdict that is %s", variant, tone)
		}
	}
}

func TestTooManyBytesAreRefused(t *testing.T) {
	t.Parallel()
	for query, field := range map[string]string{"drips=16&pace=10&deadline=3000&polite=10": "pace", "pace=9": "pace", "deadline=99": "deadline"} {
		values := map[string][]string{}
		for _, part := range strings.Split(query, "&") {
			name, value, _ := strings.Cut(part, "=")
			values[name] = []string{value}
		}
		if _, err := theLab(t).Parse(values); err == nil || !strings.Contains(err.Error(), `"`+field+`"`) {
			t.Errorf("%s: %v", query, err)
		}
	}
}
