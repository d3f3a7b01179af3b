package e2e

import (
	"strings"
	"testing"

	"peerlab/e2e/netlab"
	"peerlab/trace"
)

// The lab on what is in front of a machine, held against NATs of the kernel: the
// server behind one asks two others on the WAN.
func TestTheNATInFrontOfAServerIsTold(t *testing.T) {
	lab := netlab.New(t)
	var ask []string
	for _, name := range []string{"stun-1", "stun-2"} {
		ask = append(ask, startServer(t, lab.WAN.Host(name)).turn)
	}
	cone := lab.WAN.Router("cone", netlab.Cone)
	// When the kernel forgets a mapping, in seconds: before and after it was used for a while.
	for _, name := range []string{"udp_timeout", "udp_timeout_stream"} {
		if out, err := cone.Command("sysctl", "-w", "net.netfilter.nf_conntrack_"+name+"=1").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	runs := map[string]labRun{}
	for want, host := range map[string]*netlab.Host{
		"port-restricted cone":        cone.LAN.Host("a"),
		"symmetric":                   lab.WAN.Router("symm", netlab.Symmetric).LAN.Host("b"),
		"no NAT, not port-restricted": lab.WAN.Host("open"),
	} {
		s := startServer(t, host, "--stun-servers", strings.Join(ask, ","))
		s.base = "http://127.0.0.1:8080" // as who sits there
		runs[want] = s.startRun("nat-type", "network=loopback&stay=0&lifetime=2")
	}
	for want, run := range runs {
		eventually(t, "the end of the run", patience, func() bool { return !run.saved().Ended.IsZero() })
		if report := run.s.get(run.path + ".txt").body; !strings.Contains(report, "In front of this machine: "+want+". ") {
			t.Errorf("the report does not say %q:\n%s", want, report)
		}
	}
	facts := map[string]float64{}
	for _, e := range runs["port-restricted cone"].saved().Events {
		if e.Kind == trace.Fact {
			facts[e.Name] = e.Value
		}
	}
	least, below := facts["a mapping lives at least"], facts["and not as long as"]
	t.Logf("a mapping that lives 1 s is measured to live from %g s to %g s", least, below)
	if least > 1.1 || below < 0.7 || below-least > 0.3 {
		t.Errorf("a mapping that lives 1 s is measured to live from %g s to %g s", least, below)
	}
}
