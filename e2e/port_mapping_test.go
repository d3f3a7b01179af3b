package e2e

import (
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"peerlab/trace"
)

// facts are those of a run, by variant and name: "upnp/mapped".
func facts(run trace.Run) map[string]float64 {
	all := map[string]float64{}
	for _, e := range run.Events {
		if e.Kind == trace.Fact {
			all[e.From+"/"+e.Name] = e.Value
		}
	}
	return all
}

// awaitEnd waits for the end of a run that only its own server's hosts can see.
func awaitEnd(t *testing.T, run labRun) {
	t.Helper()
	eventually(t, "the end of the run", 2*patience, func() bool { return !run.saved().Ended.IsZero() })
}

// The lab opens a port in a real router by both protocols, for its owner only.
func TestTheLabMapsAPortInARealRouter(t *testing.T) {
	t.Parallel()
	h := newMappedHome(t)
	owner, neighbour := *h.server, *h.server
	owner.base, neighbour.from = "http://localhost:8080", h.router

	denied := neighbour.startRun("port-mapping", "network=loopback&real=map&show=nat-pmp&stay=0&wait=100&pace=200")
	awaitEnd(t, denied)
	for _, e := range denied.saved().Events {
		if strings.Contains(e.From, "this-machine") {
			t.Fatalf("a neighbour has the router asked: %+v", e)
		}
	}

	run := owner.startRun("port-mapping", "network=loopback&real=map&stay=2")
	open := map[string]netip.AddrPort{} // what is open outside, by protocol
	eventually(t, "both ports to be open", patience, func() bool {
		for _, e := range run.saved().Events {
			way, lane, _ := strings.Cut(e.From, "/")
			if e.Kind == trace.State && lane == "your-router" && e.Name == "open" && e.Text != "" {
				at, _, _ := strings.Cut(e.Text, " ")
				open[way] = netip.MustParseAddrPort(at)
			}
		}
		return len(open) == 2
	})
	for way, at := range open {
		if at.Addr() != h.router.Addr() {
			t.Errorf("%s: open at %s, and the router is %s", way, at, h.router.Addr())
		}
		c := h.outside.Dial("tcp", at.String())
		c.SetDeadline(time.Now().Add(patience))
		if heard, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(heard), "hello") {
			t.Errorf("%s: outside hears %q, %v", way, heard, err)
		}
	}
	if rules := h.mapped(t); strings.Count(rules, "dnat ip to "+h.inside.Addr().String()) != 2 {
		t.Errorf("the router forwards:\n%s", rules)
	}
	awaitEnd(t, run)
	if rules := h.mapped(t); strings.Contains(rules, "dnat") {
		t.Errorf("after the run the router still forwards:\n%s", rules)
	}
	got := facts(run.saved())
	for _, way := range []string{"real-upnp", "real-nat-pmp"} {
		for _, name := range []string{"router answers", "mapped", "came in from outside", "removed at the end"} {
			if got[way+"/"+name] != 1 {
				t.Errorf("%s: %s is %g", way, name, got[way+"/"+name])
			}
		}
	}

	// Stopped halfway, it cleans up all the same.
	run = owner.startRun("port-mapping", "network=loopback&real=map&stay=60&duration=120")
	eventually(t, "a port to be open", patience, func() bool { return strings.Contains(h.mapped(t), "dnat") })
	run.stop()
	awaitEnd(t, run)
	if rules := h.mapped(t); strings.Contains(rules, "dnat") {
		t.Errorf("after a run that was stopped the router still forwards:\n%s", rules)
	}
}

// Where there is no router to ask, that is said, and simulated ones are shown.
func TestTheLabSaysThatNoRouterAnswers(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	run := s.startRun("port-mapping", "network=loopback&show=nat-pmp&stay=0&wait=100&pace=200")
	run.over()
	said, saved := false, run.saved()
	for _, e := range saved.Events {
		said = said || e.Kind == trace.Note && strings.Contains(e.Text, "simulated routers")
	}
	got := facts(saved)
	if got["real-upnp/router answers"]+got["real-nat-pmp/router answers"] > 0 {
		t.Skip("this machine's router answers")
	}
	if !said || got["nat-pmp/reachable while mapped"] != 1 {
		t.Errorf("no router answers: said %v, and the facts of the simulated one are %v", said, got)
	}
}
