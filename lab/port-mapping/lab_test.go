package portmapping_test

import (
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	portmapping "peerlab/lab/port-mapping"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, portmapping.Lab) }

func TestTheContract(t *testing.T) {
	labtest.Check(t, theLab(t), "stay=0&pace=200&wait=100&delay=5&lease=1")
}

const quick = "stay=0&pace=200&wait=200&delay=5&"

// wanted are facts of the three ways, in the order of the ways.
type wanted map[string][3]float64

func (w wanted) check(t testing.TB, r *labtest.Running) {
	t.Helper()
	for name, values := range w {
		for i, way := range []string{"upnp", "nat-pmp", "naive"} {
			if got := r.Fact(way, name); got != values[i] {
				t.Errorf("%s: %s is %g, want %g", way, name, got, values[i])
			}
		}
	}
}

// verdict is what the run comes to, or one of its ways.
func verdict(r *labtest.Running, way string) (tone, text string) {
	for _, e := range r.Log.Events() {
		if e.Kind == trace.Note && e.From == way && e.Attrs[trace.VerdictAttr] != "" {
			tone, text = e.Attrs[trace.VerdictAttr], e.Text
		}
	}
	return tone, text
}

func TestBeforeWhileAndAfter(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"tcp", "udp"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), quick+"service="+service)
				wanted{
					"reachable before":                      {0, 0, 0},
					"reachable while mapped":                {1, 1, 1},
					"the next program reached from outside": {0, 0, 1},
					"outside port":                          {8080, 8080, 8080},
					"lease granted":                         {4, 4, 0},
				}.check(t, r)
				if few, many := r.Fact("nat-pmp", "packets until open"), r.Fact("upnp", "packets until open"); few != 4 || many < 30 {
					t.Errorf("%g packets by NAT-PMP, %g by UPnP", few, many)
				}
				for way, want := range map[string]lab.Tone{"upnp": lab.Good, "nat-pmp": lab.Good, "naive": lab.Bad, "": lab.Warn} {
					if tone, text := verdict(r, way); tone != string(want) {
						t.Errorf("verdict of %q: %s: %s", way, tone, text)
					}
				}
			})
		})
	}
}

func TestALeaseOutlivesAKilledProgramAndEnds(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), quick+"exit=killed&lease=1")
		wanted{"the next program reached from outside": {1, 1, 1}}.check(t, r)
		for _, way := range []string{"upnp", "nat-pmp"} {
			if open := r.Fact(way, "open after the program's end"); open <= 0 || open > 2.5 {
				t.Errorf("%s: open for %g s, with a lease of 1 s", way, open)
			}
			if tone, text := verdict(r, way); tone != string(lab.Warn) || !strings.Contains(text, "lease ran out") {
				t.Errorf("%s: %s: %s", way, tone, text)
			}
		}
	})
}

func TestASecondNATIsNamed(t *testing.T) {
	t.Parallel()
	for kind, address := range map[string]string{"private": "192.168.100.2", "carrier-grade": "100.64.1.2"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), quick+"show=protocols&carrier="+kind)
				for _, way := range []string{"upnp", "nat-pmp"} {
					if r.Fact(way, "reachable while mapped") != 0 || r.Fact(way, "outside port") != 8080 {
						t.Errorf("%s gets through two NATs, or maps nothing", way)
					}
				}
				if tone, text := verdict(r, ""); tone != string(lab.Bad) || !strings.Contains(text, "second NAT") || !strings.Contains(text, address) || !strings.Contains(text, "203.0.113.") {
					t.Errorf("the verdict is %s: %s", tone, text)
				}
				if _, text := verdict(r, "nat-pmp"); !strings.Contains(text, "NAT-PMP says") {
					t.Errorf("the verdict is %s", text)
				}
			})
		})
	}
}

func TestAPortThatIsTakenAndLeasesThatAreRefused(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), quick+"taken=true&leases=refused")
		wanted{
			"reachable while mapped":                {1, 1, 1},
			"outside port":                          {8081, 8081, 8081},
			"lease granted":                         {0, 4, 0},
			"the next program reached from outside": {0, 0, 1},
		}.check(t, r)
		for _, code := range []string{"718", "725"} {
			if r.Count(func(e trace.Event) bool {
				return e.Kind == trace.Message && e.From == "upnp/router" && e.Name == "SOAP 500, UPnP error "+code
			}) != 1 {
				t.Errorf("UPnP error %s is not in the record once", code)
			}
		}
	})
}

// Who looks after his mapping has it again after a restart; who does not, has not.
func TestARestartIsNoticedByThoseWhoLook(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "stay=18&pace=200&wait=200&delay=5&lease=1")
	made := map[string]int{}
	mapped := func(way string) func(trace.Event) bool {
		seen := 0
		return func(e trace.Event) bool {
			if e.Kind == trace.State && e.From == way+"/router" && strings.HasPrefix(e.Name, "tcp 8080, by") && e.Text != "" {
				seen++
			}
			return seen > made[way]
		}
	}
	for _, way := range []string{"upnp", "nat-pmp", "naive"} {
		r.Until("somebody getting through to "+way, func(e trace.Event) bool {
			return e.Kind == trace.Sample && e.From == way+"/outside" && e.Value == 1
		})
	}
	r.Act("restart")
	for _, way := range []string{"upnp", "nat-pmp", "naive"} {
		r.Until("the loss of it", func(e trace.Event) bool { return e.From == way+"/router" && e.Attrs["gone"] == "router restarted" })
		made[way] = r.Count(func(e trace.Event) bool {
			return e.Kind == trace.State && e.From == way+"/router" && strings.HasPrefix(e.Name, "tcp 8080, by") && e.Text != ""
		})
	}
	for _, way := range []string{"upnp", "nat-pmp"} {
		r.Until("a new one of "+way, mapped(way))
	}
	r.Act("kill")
	r.Wait()
	wanted{"reachable while mapped": {1, 1, 1}}.check(t, r)
	if tone, text := verdict(r, "naive"); tone != string(lab.Warn) || !strings.Contains(text, "does not notice") {
		t.Errorf("naive: %s: %s", tone, text)
	}
}

func TestWhoIsNotTheOwnerAsksNoRealRouter(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), quick+"network=loopback&real=map&show=nat-pmp")
	if r.Count(func(e trace.Event) bool { return strings.Contains(e.From, "this-machine") }) != 0 {
		t.Error("the router of this machine was asked")
	}
	if r.Count(func(e trace.Event) bool { return e.Kind == trace.Note && strings.Contains(e.Text, "simulated") }) == 0 {
		t.Error("that the routers are simulated is not said")
	}
}

// The commands of the page, as they stand there.
func TestTheCommandsWork(t *testing.T) {
	t.Parallel()
	for _, tool := range [][2]string{{"nc", "netcat-openbsd"}, {"curl", "curl"}, {"od", "coreutils"}} {
		need.Tool(t, tool[0], tool[1])
	}
	r := labtest.Start(t, theLab(t), "network=loopback&show=nat-pmp&stay=60")
	answers := map[int]string{0: "LOCATION: http://127.0.0.1:", 1: "WANIPConnection:1", 2: "AddPortMappingResponse", 3: "<NewPortMappingDescription>by hand<", 4: "128", 5: "130"}
	for i, c := range theLab(t).Commands {
		if out := r.Command(i); !strings.Contains(out, answers[i]) {
			t.Errorf("%s: %s", c.Text, out)
		}
	}
	if r.Count(func(e trace.Event) bool {
		return e.From == "desk/router" && strings.HasPrefix(e.Name, "tcp 8080") && e.Text != ""
	}) == 0 {
		t.Error("the mapping made by hand is not in the record")
	}
	r.Stop()
}
