package natmatrix_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	natmatrix "peerlab/lab/nat-matrix"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, natmatrix.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=1&pace=100&delay=5") }

// known is the table that people have in their heads: whether a pair connects
// by STUN alone.
func known(a, b natmatrix.Kind) bool {
	blocked := a == natmatrix.UDPBlocked || b == natmatrix.UDPBlocked
	strict := func(k natmatrix.Kind) bool { return k == natmatrix.PortRestricted || k == natmatrix.Symmetric }
	symmetric := a == natmatrix.Symmetric || b == natmatrix.Symmetric
	return !blocked && (!symmetric || !strict(a) || !strict(b))
}

// cells are the last values of the cells of a variant, by row and column.
func cells(r *labtest.Running, variant string) map[string]string {
	all := map[string]string{}
	for _, e := range r.Log.Events() {
		if e.Kind == trace.State && e.Attrs[trace.GridAttr] != "" {
			if row, ok := strings.CutPrefix(e.From, variant+"/"); ok {
				all[row+" "+e.Name] = e.Text
			}
		}
	}
	return all
}

func TestTheTableIsTheKnownOne(t *testing.T) {
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "show=table&delay=5&duration=120")
		stun, turn := cells(r, "stun"), cells(r, "turn")
		direct, failed := 0, 0
		for _, a := range natmatrix.Kinds {
			for _, b := range natmatrix.Kinds {
				key, want := fmt.Sprintf("%s %s", a, b), "failed"
				if known(a, b) {
					want = "direct"
					direct++
				} else {
					failed++
				}
				if got := stun[key]; !strings.HasPrefix(got, want) {
					t.Errorf("%s with STUN alone: %q, want %s", key, got, want)
				}
				if want == "failed" {
					want = "relayed"
				}
				if got := turn[key]; !strings.HasPrefix(got, want) {
					t.Errorf("%s with TURN: %q, want %s", key, got, want)
				}
			}
		}
		for fact, want := range map[string][2]int{"direct": {direct, direct}, "failed": {failed, 0}, "relayed": {0, failed}, "as the rule says": {36, 36}} {
			if a, b := r.Fact("stun", fact), r.Fact("turn", fact); a != float64(want[0]) || b != float64(want[1]) {
				t.Errorf("%s: %g and %g pairs, want %v", fact, a, b, want)
			}
		}
		// A busy machine crowds out one or two; more would be a table that only
		// agrees because it was asked until it did.
		if a, b := r.Fact("stun", "measured again"), r.Fact("turn", "measured again"); a > 3 || b > 3 {
			t.Errorf("%g and %g pairs were measured again, want at most 3 of 36", a, b)
		}
	})
}

// verdictOf is the last verdict of a run.
func verdictOf(r *labtest.Running) (tone, text string) {
	for _, e := range r.Log.Events() {
		if v := e.Attrs[trace.VerdictAttr]; v != "" {
			tone, text = v, e.Text
		}
	}
	return tone, text
}

func TestThePairTellsItsRule(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "a=port-restricted&b=symmetric&relay=none&delay=5&stay=0")
		tone, text := verdictOf(r)
		if tone != "bad" || r.Fact("", "connected") != 0 {
			t.Errorf("connected %g, verdict %s %q", r.Fact("", "connected"), tone, text)
		}
		for _, part := range []string{"Not connected", "maps endpoint-independent and filters address-and-port-dependent", "maps address-and-port-dependent"} {
			if !strings.Contains(text, part) {
				t.Errorf("the verdict %q does not say %q", text, part)
			}
		}
		filtered := r.Count(func(e trace.Event) bool {
			return e.Kind == trace.Message && e.Lost && e.From == "nat-a" && e.To == "peer-a" && strings.Contains(e.Text, "filtered")
		})
		if filtered == 0 {
			t.Error("no packet of the symmetric side is seen to end at the other's NAT")
		}
		for _, lane := range []string{"nat-a", "nat-b"} {
			if r.Count(func(e trace.Event) bool {
				return e.Kind == trace.State && e.From == lane && strings.HasPrefix(e.Name, "udp 192.168.")
			}) == 0 {
				t.Errorf("no mapping of %s is shown", lane)
			}
		}
	})
}

func TestACarrierTakesAway(t *testing.T) {
	t.Parallel()
	for carrier, want := range map[string]float64{"none": 1, "full-cone": 1, "symmetric": 0} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), "a=full-cone&b=port-restricted&relay=none&delay=5&stay=0&carrier-a="+carrier)
				if got := r.Fact("", "connected"); got != want {
					_, text := verdictOf(r)
					t.Errorf("connected %g, want %g: %s", got, want, text)
				}
			})
		})
	}
}

// noted waits for a note or fact that has the text, after what there was before.
func noted(t testing.TB, r *labtest.Running, text string) trace.Event {
	return r.Until(text, func(e trace.Event) bool {
		return (e.Kind == trace.Note || e.Kind == trace.Fact) && (strings.Contains(e.Text, text) || strings.Contains(e.Name, text))
	})
}

func TestAConnectionSurvivesWhatPeopleDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ query, action, then string }{
		"another port after the NAT forgot": {"ports=random", "expire-a", ""},
		"another address":                   {"", "move-a", ""},
		"a cut line":                        {"", "cut", "restore"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := labtest.Start(t, theLab(t), "a=full-cone&b=port-restricted&relay=none&delay=5&pace=100&stay=100&duration=110&"+c.query)
			noted(t, r, "until connected")
			r.Act(c.action)
			noted(t, r, "No consent to send")
			if c.then != "" {
				r.Act(c.then)
			}
			noted(t, r, "Connected again")
			before := r.Count(echo)
			r.Until("echoes after it", func(trace.Event) bool { return r.Count(echo) > before+3 })
			r.Stop()
			if took := r.Fact("", "time to recover"); took <= 0 || took > 60 {
				t.Errorf("recovered in %g s", took)
			}
		})
	}
}

func TestARestartMakesANewCheckList(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "a=full-cone&b=port-restricted&relay=none&delay=5&pace=100&stay=100&duration=110")
	noted(t, r, "until connected")
	r.Act("restart")
	gone := r.Until("the old pairs to be gone", func(e trace.Event) bool {
		return e.Kind == trace.State && e.From == "peer-a" && strings.Contains(e.Name, " ↔ ") && e.Text == ""
	})
	r.Until("an echo after it", func(e trace.Event) bool { return e.Seq > gone.Seq && echo(e) })
	r.Stop()
}

func TestPreservedPortsComeBack(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "a=full-cone&b=full-cone&relay=none&delay=5&pace=100&stay=100&duration=110&ports=preserve")
	noted(t, r, "until connected")
	r.Act("expire-a")
	noted(t, r, "forgotten by nat-a")
	before := r.Count(echo)
	r.Until("echoes after it", func(trace.Event) bool { return r.Count(echo) > before+10 })
	r.Stop()
	if n := r.Count(func(e trace.Event) bool { return strings.Contains(e.Text, "No consent to send") }); n != 0 {
		t.Error("the connection was lost, though the port came back")
	}
}

func TestTooManyMessagesAreRefused(t *testing.T) {
	_, err := theLab(t).Parse(url.Values{"pace": {"20"}, "stay": {"300"}})
	if e, ok := errors.AsType[*lab.ParamError](err); !ok || e.Field != "pace" {
		t.Errorf("%v; want pace refused", err)
	}
}

func echo(e trace.Event) bool { return e.Kind == trace.Message && strings.HasPrefix(e.Name, "echo ") }
