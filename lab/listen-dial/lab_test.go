package listendial_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	listendial "peerlab/lab/listen-dial"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, listendial.Lab) }

func TestTheContract(t *testing.T) {
	labtest.Check(t, theLab(t), "stay=0&patience=300&delay=10&timewait=1&clients=3")
}

// on both networks; the link has a delay that a busy machine can see.
var networks = []string{"network=loopback&stay=0", "network=link&delay=40&timewait=1"}

// through are the states of one end of a connection, in their order.
func through(r *labtest.Running, lane, connection string) (states []string) {
	for _, e := range r.Log.Events() {
		if e.Kind == trace.State && e.From == "states/"+lane && e.Name == connection && e.Text != "" {
			states = append(states, e.Text)
		}
	}
	return states
}

func TestEveryStateIsSeenInItsOrder(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		labtest.Settles(t, func(t testing.TB) {
			r := labtest.Run(t, theLab(t), network+"&scene=states")
			if n := r.Fact("states", "states seen"); n != 11 {
				t.Errorf("%s: %g of 11 states seen", network, n)
			}
			if strings.Contains(network, "link") {
				if s := r.Fact("states", "TIME-WAIT lasted"); s < 0.8 || s > 2 {
					t.Errorf("TIME-WAIT lasted %g s, asked for 1", s)
				}
			}
			for end, want := range map[string][]string{
				"client": {"SYN-SENT", "ESTABLISHED", "FIN-WAIT1", "FIN-WAIT2", "TIME-WAIT"},
				"server": {"SYN-RCVD", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK"},
			} {
				if got := through(r, end, "closed in order"); !slices.Equal(got, want) {
					t.Errorf("%s: the %s went through %v, want %v", network, end, got, want)
				}
			}
			if got := through(r, "client", "closed at once"); !slices.Contains(got, "CLOSING") || !slices.Contains(got, "TIME-WAIT") || slices.Contains(got, "FIN-WAIT2") {
				t.Errorf("%s: closed at once, the client went through %v", network, got)
			}
			for _, end := range []string{"client", "server"} {
				if got := through(r, end, "aborted"); slices.Contains(got, "TIME-WAIT") || slices.Contains(got, "CLOSE-WAIT") {
					t.Errorf("%s: aborted, the %s went through %v", network, end, got)
				}
			}
		})
	}
}

func TestWhatProgramsLeaveBehind(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		network = strings.Replace(network, "timewait=1", "timewait=20", 1)
		for _, c := range []struct {
			scene, fact    string
			naive, careful float64
		}{
			{"close-wait", "left in CLOSE-WAIT at the server", 4, 0},
			{"close-wait", "left in FIN-WAIT2 at the clients", 4, 0},
			{"time-wait", "in TIME-WAIT at the client", 4, 1},
			{"half-close", "bytes of the answer", 0, 20 << 10},
		} {
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), network+"&clients=4&scene="+c.scene)
				if n, f := r.Fact("naive", c.fact), r.Fact("careful", c.fact); n != c.naive || f != c.careful {
					t.Errorf("%s: %s: naive %g, careful %g, want %g and %g", network, c.fact, n, f, c.naive, c.careful)
				}
			})
		}
	}
}

func TestASilentAddressCostsThePatienceOrTheHeadStart(t *testing.T) {
	t.Parallel()
	for _, network := range []string{networks[0] + "&patience=1200", networks[1] + "&patience=600"} {
		labtest.Settles(t, func(t testing.TB) {
			r := labtest.Run(t, theLab(t), network+"&scene=dial&stagger=200&backlog=3")
			for _, v := range []string{"naive", "careful"} {
				if made := r.Fact(v, "connections made that nobody accepts"); made != 4 {
					t.Errorf("%s, %s: %g connections for a backlog of 3", network, v, made)
				}
			}
			n, c := r.Fact("naive", "time to a connection"), r.Fact("careful", "time to a connection")
			if n < 600 || c < 200 || c >= n {
				t.Errorf("%s: connected after %g ms in turn and %g ms raced", network, n, c)
			}
			if strings.Contains(network, "loopback") && (r.Fact("naive", "SYNs sent again to the silent address") != 1 || r.Fact("careful", "SYNs sent again to the silent address") != 0) {
				t.Errorf("%s: SYNs sent again: naive %g, careful %g", network, r.Fact("naive", "SYNs sent again to the silent address"), r.Fact("careful", "SYNs sent again to the silent address"))
			}
		})
	}
}

func TestSsAndNetcatAgree(t *testing.T) {
	t.Parallel()
	ss, nc := need.Tool(t, "ss", "iproute2"), need.Tool(t, "nc", "netcat-openbsd")
	r := labtest.Start(t, theLab(t), "stay=300&duration=90&clients=5&patience=300&backlog=2")
	r.Until("the end of the scenes", func(e trace.Event) bool {
		return e.Kind == trace.Note && strings.HasPrefix(e.Text, "The scenes are over.")
	})
	lines := func(args ...string) []string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), ss, append([]string{"-H", "-n"}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.FieldsFunc(string(out), func(c rune) bool { return c == '\n' })
	}
	now, waiting := map[string]string{}, 0
	for _, e := range r.Log.Events() {
		if e.Kind == trace.State && strings.HasPrefix(e.From, "states/") {
			now[e.From+e.Name] = e.Text
		}
	}
	for _, state := range now {
		if state == "TIME-WAIT" {
			waiting++
		}
	}
	port := r.Live("states.port")
	if got := lines("-ta", "state", "time-wait", "( sport = :"+port+" or dport = :"+port+" )"); len(got) == 0 || len(got) != waiting {
		t.Errorf("ss shows %d in TIME-WAIT, the record has %d: %q", len(got), waiting, got)
	}
	if got := lines("-ta", "state", "close-wait", "( sport = :"+r.Live("naive.leaky")+" )"); len(got) != 5 {
		t.Errorf("ss shows %d in CLOSE-WAIT, want 5: %q", len(got), got)
	}
	if got := lines("-tl", "( sport = :"+r.Live("careful.full")+" )"); len(got) != 1 || !regexp.MustCompile(`^LISTEN +3 +2 `).MatchString(got[0]) {
		t.Errorf("ss shows the full listener as %q, want 3 waiting for a backlog of 2", got)
	}
	if out, err := exec.CommandContext(t.Context(), nc, "-v", "-w1", r.Live("careful.host"), r.Live("careful.full")).CombinedOutput(); err == nil {
		t.Errorf("nc connected to the full listener: %s", out)
	}
	ask := exec.CommandContext(t.Context(), nc, "-N", r.Live("careful.host"), r.Live("careful.half"))
	ask.Stdin = strings.NewReader("hello")
	if out, err := ask.Output(); err != nil || !bytes.HasPrefix(out, []byte("5 bytes. ...")) || len(out) != 20<<10 {
		t.Errorf("nc -N got %d bytes, %.20q, %v", len(out), out, err)
	}
}

func TestTsharkSeesTheSameEnds(t *testing.T) {
	t.Parallel()
	tshark := need.Tool(t, "tshark", "tshark")
	r := labtest.Run(t, theLab(t), "network=link&delay=10&timewait=1&scene=states")
	var file bytes.Buffer
	if err := r.WritePcapng(&file); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ends.pcapng")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ filter, flag string }{{"tcp.flags.fin==1", "FIN"}, {"tcp.flags.reset==1", "RST"}, {"tcp.flags.syn==1", "SYN"}} {
		out, err := exec.CommandContext(t.Context(), tshark, "-r", path, "-Y", c.filter, "-T", "fields", "-e", "frame.number").Output()
		if err != nil {
			t.Fatal(err)
		}
		seen := bytes.Count(out, []byte("\n"))
		own := r.Count(func(e trace.Event) bool {
			return e.Kind == trace.Message && slices.Contains(strings.Fields(e.Attrs["flags"]), c.flag)
		})
		if seen == 0 || seen != own {
			t.Errorf("tshark sees %d packets with %s, the record has %d", seen, c.flag, own)
		}
	}
}
