package nattype_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab/guard"
	"peerlab/lab"
	"peerlab/lab/labtest"
	nattype "peerlab/lab/nat-type"
	"peerlab/need"
	"peerlab/trace"
	"peerlab/turnsrv"
)

// verdict is what the run says of the machine, seen from the internet.
func (f finished) verdict() string {
	for _, e := range f.Log.Events() {
		if e.Attrs[trace.VerdictAttr] != "" && e.From == "internet" {
			return e.Attrs[trace.VerdictAttr] + " " + e.Text
		}
	}
	return ""
}

type finished struct{ *lab.Record }

// atThisMachine is a run on the loopback, started by the owner, that reaches one
// address outside.
func atThisMachine(t testing.TB, around nattype.Surroundings, reach netip.AddrPort, query string) finished {
	t.Helper()
	l := labtest.New(t, nattype.New(around))
	runner, err := lab.NewRunner(lab.Config{Labs: []*lab.Lab{l}, Logger: slog.New(slog.DiscardHandler), Outside: &guard.Dialer{
		Policy: guard.Public, Extra: func(a netip.AddrPort) bool { return a.Addr() == reach.Addr() && a.Port() >= reach.Port() },
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	values, err := url.ParseQuery("network=loopback&stay=0&" + query)
	if err != nil {
		t.Fatal(err)
	}
	r, err := runner.StartFor(lab.Client{Addr: netip.MustParseAddr("127.0.0.1"), Owner: true}, l.Slug, values)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.Done():
	case <-time.After(time.Minute):
		t.Fatal("the run does not end")
	}
	if outcome, why, err := r.Status(); outcome != lab.Finished {
		t.Errorf("%s %v", why, err)
	}
	return finished{r}
}

// outside is a server of behaviour discovery that stands for one on the internet.
func outside(t *testing.T) netip.AddrPort {
	t.Helper()
	var corners turnsrv.Corners
	for i := range corners[0] {
		pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		corners[0][i] = pc
	}
	first, other := corners[0][0].LocalAddr().(*net.UDPAddr).AddrPort(), corners[0][1].LocalAddr().(*net.UDPAddr).AddrPort()
	responder, err := turnsrv.NewResponder(turnsrv.ResponderConfig{}, corners)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = responder.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	if other.Port() < first.Port() {
		return other
	}
	return first
}

func TestThisMachineIsSeenFromOutside(t *testing.T) {
	t.Parallel()
	server := outside(t)
	labtest.Settles(t, func(t testing.TB) {
		for _, r := range []finished{
			atThisMachine(t, nattype.Surroundings{STUN: []string{server.String()}}, server, ""),
			atThisMachine(t, nattype.Surroundings{}, server, "server="+server.String()),
		} {
			if got := r.verdict(); !strings.HasPrefix(got, "good In front of this machine: no NAT, not port-restricted. Connects directly with: no NAT, ") {
				t.Errorf("%q", got)
			}
		}
	})
}

func TestNoWayOutIsSaidPlainly(t *testing.T) {
	t.Parallel()
	reach := netip.MustParseAddrPort("127.0.0.1:65535")
	for query, c := range map[string]struct {
		stun []string
		says string
	}{
		"":                      {nil, "No STUN server on the internet is known here"},
		"lifetime=9":            {[]string{"stun.invalid"}, "stun.invalid can't be looked up"},
		"server=10.0.0.1:3478":  {nil, "connecting to 10.0.0.1 is not allowed here: it is a private address"},
		"server=127.0.0.1:9999": {nil, "connecting to 127.0.0.1 is not allowed here: it is a loopback address"},
	} {
		r := atThisMachine(t, nattype.Surroundings{STUN: c.stun}, reach, query)
		if got := r.verdict(); !strings.HasPrefix(got, "warn What is in front of this machine can't be told. ") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", query, got, c.says)
		}
	}
}

func TestOnlyTheOwnerGoesOutside(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "network=loopback&stay=0&server=192.0.2.1:3478")
		if tone, text := verdictOf(r, "itself"); tone != "good" || !strings.HasSuffix(text, "no NAT, not port-restricted.") {
			t.Errorf("%s %q", tone, text)
		}
		if tone, text := verdictOf(r, "internet"); tone != "warn" || !strings.Contains(text, "for whoever sits at it") {
			t.Errorf("%s %q", tone, text)
		}
	})
}

// What the page offers to type works, with a program of others.
func TestTheCommandOfThePage(t *testing.T) {
	t.Parallel()
	need.Tool(t, "turnutils_natdiscovery", "coturn")
	l := theLab(t)
	r := labtest.Start(t, l, "network=loopback&stay=60&duration=60")
	r.Live("itself.port")
	r.Live("itself.host")
	command, ok := l.Commands[0].Fill(r.Record.Live())
	if !ok {
		t.Fatalf("not filled in: %s", command)
	}
	words := strings.Fields(command)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No NAT!") {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	r.Stop()
}

func TestTheServerIsJudgedByItsName(t *testing.T) {
	l := theLab(t)
	for server, good := range map[string]bool{
		"stun.example.org": true, "stun.example.org:19302": true, "192.0.2.1:3478": true,
		"stun.example.org:53": false, "http://example.org": false, "[::1]:3478": false, "a b:3478": false, ":3478": false,
	} {
		_, err := l.Parse(url.Values{"server": {server}})
		if (err == nil) != good {
			t.Errorf("%q: %v", server, err)
		}
		if err != nil && !strings.Contains(fmt.Sprint(err), `"server"`) {
			t.Errorf("%q: the field is not named: %v", server, err)
		}
	}
}
