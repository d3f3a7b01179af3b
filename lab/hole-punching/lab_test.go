package holepunching_test

import (
	"fmt"
	"strings"
	"testing"

	"peerlab/lab"
	holepunching "peerlab/lab/hole-punching"
	"peerlab/lab/labtest"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, holepunching.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0&tries=2") }

var kinds = []string{"none", "full-cone", "address-restricted", "port-restricted", "symmetric"}

// hard tells which pairs are known not to connect by punching alone.
func hard(a, b string) bool {
	return a == "symmetric" && (b == "symmetric" || b == "port-restricted") || a == "port-restricted" && b == "symmetric"
}

func TestThePairsComeOutAsKnown(t *testing.T) {
	t.Parallel()
	for _, a := range kinds {
		for _, b := range kinds {
			t.Run(a+" "+b, func(t *testing.T) {
				t.Parallel()
				labtest.Settles(t, func(t testing.TB) {
					r := labtest.Run(t, theLab(t), fmt.Sprintf("a=%s&b=%s&others=0&tries=0&stay=0&delay=5&wait=1000", a, b))
					want := 1.0
					if hard(a, b) {
						want = 0
					}
					if got := r.Fact("plain", "connected"); got != want {
						t.Errorf("plain: connected %g", got)
					}
					// Nobody disturbs the counting, so the next port is known.
					if got := r.Fact("prediction", "connected"); got != 1 {
						t.Errorf("prediction: connected %g", got)
					}
					evidence(t, r, "a", "b", a)
					evidence(t, r, "b", "a", b)
				})
			})
		}
	}
}

// evidence looks at the port that the rendezvous has seen, and at the one that
// packets came from.
func evidence(t testing.TB, r *labtest.Running, one, other, kind string) {
	if kind == "none" {
		return
	}
	seen, came := r.Fact("plain", one+" seen by the rendezvous at port"), r.Fact("plain", one+"'s packets to "+other+" come from port")
	if (seen != came) != (kind == "symmetric") {
		t.Errorf("%s, %s: seen at port %g, packets from port %g", one, kind, seen, came)
	}
}

func TestWhatIsRefusedIsCounted(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "tries=0&stay=0&delay=5")
		for _, nat := range []string{"nat-a", "nat-b"} {
			lost := r.Count(func(e trace.Event) bool {
				return e.Kind == trace.Message && e.Lost && e.From == "plain/"+nat && strings.HasPrefix(e.Text, "filtered")
			})
			// When it is told, the last ones can be on their way yet.
			if told := int(r.Fact("plain", "packets refused by "+nat)); told > lost || told < lost-2 || told == 0 {
				t.Errorf("%s refused %d, in the record are %d", nat, told, lost)
			}
		}
	})
}

func TestTheOddsAreThoseOfArithmetic(t *testing.T) {
	t.Parallel()
	for query, c := range map[string]struct{ arithmetic, least, most float64 }{
		// 20 tries: four standard deviations around what is expected.
		"guesses=8&others=7":                            {100, 100, 100},
		"guesses=4&others=7":                            {50, 5, 95},
		"guesses=8&others=15&ports=preserve":            {100, 100, 100}, // the neighbours' ports are others
		"a=symmetric&guesses=8&others=0":                {100, 100, 100},
		"a=symmetric&guesses=8&others=15":               {0.39, 0, 6},
		"ports=random&guesses=250&sockets=200&others=0": {54.06, 9, 99},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), "tries=20&stay=0&delay=5&wait=100&duration=60&"+query)
				if got := r.Fact("prediction", "odds, by arithmetic"); got < c.arithmetic-0.01 || got > c.arithmetic+0.01 {
					t.Errorf("arithmetic says %g %%, want %g", got, c.arithmetic)
				}
				if got := r.Fact("prediction", "odds, measured"); got < c.least || got > c.most {
					t.Errorf("measured %g %%, not within %g and %g", got, c.least, c.most)
				}
				if got := r.Fact("plain", "odds, measured"); got != 0 {
					t.Errorf("plain punching connects in %g %%", got)
				}
			})
		})
	}
}

func TestKeepaliveHoldsTheHoleOpen(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]float64{"keepalive=200": 1, "keepalive=0": 0} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), "a=port-restricted&b=port-restricted&tries=0&lifetime=1&stay=2&"+query)
				for _, v := range []string{"plain", "prediction"} {
					if got := r.Fact(v, "open at the end"); got != want {
						t.Errorf("%s: open at the end %g, want %g", v, got, want)
					}
				}
			})
		})
	}
}

func TestExpiredMappingsCloseTheHole(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "a=port-restricted&b=port-restricted&tries=0&keepalive=0&lifetime=60&stay=20")
	ended := func(text string) func(trace.Event) bool {
		return func(e trace.Event) bool {
			return e.Kind == trace.Span && e.From == "prediction/a" && e.Text == text
		}
	}
	r.Until("the second punching", func(e trace.Event) bool { return e.Kind == trace.Fact && e.From == "prediction" })
	r.Act("say")
	r.Until("hearing it", ended("b has heard it"))
	r.Act("expire")
	r.Act("say")
	r.Until("not hearing it", ended("b has not heard it"))
	r.Stop()
}

// On a link that loses every other packet no NAT is the cause.
func TestLossIsNotHeldAgainstTheNATs(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "a=none&b=none&tries=0&stay=0&delay=5&loss=50&wait=100&seed=7")
	for _, e := range r.Log.Events() {
		if strings.Contains(e.Text, "a NAT forgets") || strings.Contains(e.Text, "guessing") {
			t.Errorf("without a NAT it is said: %s", e.Text)
		}
		if e.Attrs[trace.VerdictAttr] == string(lab.Bad) && !strings.Contains(e.Text, "packets were lost") {
			t.Errorf("verdict: %s", e.Text)
		}
	}
}

func TestTooManyPacketsAreRefused(t *testing.T) {
	t.Parallel()
	for field, query := range map[string]string{
		"tries": "ports=random&guesses=250&sockets=200&tries=100", "wait": "tries=100&wait=3000",
		"keepalive": "keepalive=1&stay=10",
	} {
		values := map[string][]string{}
		for _, pair := range strings.Split(query, "&") {
			k, v, _ := strings.Cut(pair, "=")
			values[k] = []string{v}
		}
		if _, err := theLab(t).Parse(values); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v; want %s refused", query, err, field)
		}
	}
}
