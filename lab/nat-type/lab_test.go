package nattype_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	nattype "peerlab/lab/nat-type"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, nattype.New(nattype.Surroundings{})) }

// Nothing is swallowed by a filter here, so there is nothing to be waited for.
func TestTheContract(t *testing.T) {
	labtest.Check(t, theLab(t), "stay=0&delay=5&filtering=endpoint-independent&hairpin=true")
}

// verdictOf is the last verdict of a variant, or of the run.
func verdictOf(r *labtest.Running, variant string) (tone, text string) {
	for _, e := range r.Log.Events() {
		if v := e.Attrs[trace.VerdictAttr]; v != "" && e.From == variant {
			tone, text = v, e.Text
		}
	}
	return tone, text
}

func TestWhatIsFoundIsTrue(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup // they wait most of the time
	defer all.Wait()
	for query, want := range map[string]struct{ tone, two, one string }{
		"filtering=endpoint-independent&hairpin=true": {"good", "full cone", "cone or symmetric by address, not port-restricted"},
		"filtering=address-dependent&ports=random":    {"good", "address-restricted cone", "cone or symmetric by address, not port-restricted"},
		"":                          {"good", "port-restricted cone", "cone or symmetric by address, port-restricted"},
		"mapping=address-dependent": {"warn", "symmetric by address, port-restricted", "cone or symmetric by address, port-restricted"},
		"mapping=address-and-port-dependent&ports=random":     {"warn", "symmetric", "symmetric"},
		"mapping=address-and-port-dependent&ports=sequential": {"warn", "symmetric", "symmetric"},
		"front=none":        {"good", "no NAT", "no NAT, not port-restricted"},
		"front=udp-blocked": {"bad", "UDP blocked", "UDP blocked"},
	} {
		all.Go(func() {
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), "stay=0&delay=5&"+query)
				for variant, kind := range map[string]string{"two-addresses": want.two, "one-address": want.one} {
					tone, text := verdictOf(r, variant)
					if !strings.HasPrefix(text, "Found from outside: "+kind+". It really is: ") {
						t.Errorf("%s, %s: %s %q, want %q", query, variant, tone, text, kind)
					}
					if told, right := r.Fact(variant, "properties told"), r.Fact(variant, "told right"); right != told || told < 1 {
						t.Errorf("%s, %s: %g of %g told right", query, variant, right, told)
					}
				}
				if tone, text := verdictOf(r, "two-addresses"); tone != want.tone {
					t.Errorf("%s: the light is %s: %s", query, tone, text)
				}
			})
		})
	}
}

// cells are the table's last values, by row and column.
func cells(r *labtest.Running) map[string]string {
	all := map[string]string{}
	for _, e := range r.Log.Events() {
		if e.Kind == trace.State && e.Attrs[trace.GridAttr] != "" {
			all[e.From+" | "+e.Name] = e.Text
		}
	}
	return all
}

func TestBrowsersHaveARowAndALight(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "stay=60&duration=60&delay=5&front=none&servers=two-addresses")
	for i, mapping := range []string{"none", "not-port-dependent", "address-and-port-dependent", "udp-blocked", "unknown"} {
		r.Visit(fmt.Sprintf("browser-key-%d", i), "Ann", fmt.Sprintf(`{"mapping":%q,"addresses":1}`, mapping))
	}
	for _, nonsense := range []string{`{"mapping":"moon","addresses":1}`, `{"mapping":"none","addresses":-1}`, `{"mapping":"none","extra":1}`} {
		id := r.Visit("browser-key-9", "Eve", nonsense)
		r.Until("the nonsense to be left out", func(e trace.Event) bool { return strings.HasPrefix(e.Text, id+" told what no browser") })
	}
	r.Until("the verdict", func(e trace.Event) bool {
		return e.Attrs[trace.VerdictAttr] != "" && strings.HasPrefix(e.Text, "Found")
	})
	r.Until("the host's row", func(e trace.Event) bool {
		return e.From == "the emulated host" && strings.HasPrefix(e.Name, "Ann (browser-5")
	})
	r.Stop()
	got := cells(r)
	for key, want := range map[string]string{
		"Ann (browser-1) | no NAT":               "direct",
		"Ann (browser-2) | full cone":            "direct",
		"Ann (browser-2) | symmetric":            "depends",
		"Ann (browser-3) | port-restricted cone": "relayed",
		"Ann (browser-3) | no NAT":               "direct",
		"Ann (browser-4) | no NAT":               "relayed",
		"Ann (browser-5) | no NAT":               "depends",
		"Ann (browser-3) | Ann (browser-4)":      "relayed",
		"Ann (browser-4) | Ann (browser-3)":      "relayed",
		"the emulated host | Ann (browser-3)":    "direct",
		"Ann (browser-3) | the emulated host":    "direct",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	for id, want := range map[string]string{"browser-1": "good", "browser-2": "good", "browser-3": "warn", "browser-4": "bad", "browser-5": "warn"} {
		if tone, text := verdictOf(r, id); tone != want || !strings.HasPrefix(text, "Ann (") {
			t.Errorf("%s: %s %q, want %s", id, tone, text, want)
		}
	}
	for key := range got {
		if strings.Contains(key, "Eve") || strings.Contains(key, "browser-6") {
			t.Errorf("nonsense has a cell: %s", key)
		}
	}
}

func TestTheLifetimeIsMeasured(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "stay=0&delay=5&life=2&lifetime=4&servers=two-addresses&duration=60")
		if from, to := r.Fact("", "a mapping lives at least"), r.Fact("", "and not as long as"); from > 2 || to < 2 || to-from > 0.25 {
			t.Errorf("from %g s to %g s, want 2 s", from, to)
		}
	})
}

func TestEnoughOfWaiting(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "stay=0&delay=5&life=300&lifetime=30&servers=one-address&duration=300")
	r.Until("the first wait", func(e trace.Event) bool { return e.Kind == trace.Sample && e.Name == "alive after" })
	r.Act("enough")
	r.Wait()
	if least := r.Fact("", "a mapping lives at least"); least <= 0 {
		t.Errorf("known so far: %g s", least)
	}
}
