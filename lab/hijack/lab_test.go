package hijack_test

import (
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/hijack"
	"peerlab/lab/labtest"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, hijack.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0&pace=100") }

func TestWhatIsTakenOverAndWhatIsNot(t *testing.T) {
	for _, network := range []string{"network=loopback", "network=link&delay=5"} {
		t.Run(network, func(t *testing.T) {
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), "stay=0&early=3&lines=5&pace=150&timeout=400&"+network)
				for variant, want := range map[string]struct{ back, open float64 }{
					"careful":     {8, 0},
					"buffer-lost": {5, 1},
				} {
					if got := r.Fact(variant, "lines sent"); got != 8 {
						t.Errorf("%s: %g lines sent", variant, got)
					}
					if got := r.Fact(variant, "lines that came back"); got != want.back {
						t.Errorf("%s: %g lines came back, want %g", variant, got, want.back)
					}
					if got := r.Fact(variant, "open after Shutdown"); got != want.open {
						t.Errorf("%s: open after Shutdown: %g", variant, got)
					}
					// The server's own timeouts are not those of the conversation.
					if got := r.Fact(variant, "conversation lasted"); got < 750 {
						t.Errorf("%s: it lasted %g ms", variant, got)
					}
				}
				if got := r.Fact("deadline-left", "conversation lasted"); got < 390 || got > 700 {
					t.Errorf("with the deadline left it lasted %g ms, want 400 or a little more", got)
				}
				if got := r.Fact("deadline-left", "lines that came back"); got < 3 || got > 6 {
					t.Errorf("with the deadline left %g lines came back", got)
				}
			})
		})
	}
}

func TestEveryConnectionEndsAsHijackedButHTTP2(t *testing.T) {
	r := labtest.Run(t, theLab(t), "stay=0&pace=50")
	for _, variant := range []string{"careful", "buffer-lost", "deadline-left", "websocket", "rooms", "h2"} {
		hijacked := r.Count(func(e trace.Event) bool {
			return e.Kind == trace.State && e.From == variant+"/server" && e.Text == "hijacked"
		})
		if want := variant != "h2"; (hijacked > 0) != want {
			t.Errorf("%s: %d connections are hijacked", variant, hijacked)
		}
	}
	if got := r.Fact("h2", "status of the request"); got != 501 {
		t.Errorf("HTTP/2 answers %g", got)
	}
	if got := r.Fact("h2", "extended CONNECT offered"); got != 0 {
		t.Errorf("net/http offers extended CONNECT now (%g): the lesson says that it does not", got)
	}
	for _, name := range []string{"text frame", "continuation frame", "ping frame", "pong frame", "close frame"} {
		if n := r.Count(func(e trace.Event) bool { return e.Kind == trace.Message && e.Name == name && e.Attrs["byte 0"] != "" }); n == 0 {
			t.Errorf("no %s, with its bytes", name)
		}
	}
	if n := r.Count(func(e trace.Event) bool { return e.From == "rooms/server" && strings.Contains(e.Text, `"welcome"`) }); n != 1 {
		t.Errorf("the room said welcome %d times", n)
	}
}

// Whoever is done before the deadline does not meet it, and no verdict says so.
func TestAFastConversationMeetsNoDeadline(t *testing.T) {
	r := labtest.Run(t, theLab(t), "stay=0&show=echo&pace=0&lines=30&timeout=5000")
	for variant, want := range map[string]string{
		"careful": "All 32 lines came back, and Shutdown", "deadline-left": "still on the connection", "buffer-lost": "30 came back",
	} {
		if n := r.Count(func(e trace.Event) bool {
			return e.Kind == trace.Note && e.From == variant && e.Attrs[trace.VerdictAttr] != "" && strings.Contains(e.Text, want)
		}); n != 1 {
			t.Errorf("%s: no verdict with %q", variant, want)
		}
	}
}

// A request that takes longer than the server's patience comes to nothing: a result.
func TestAServerWithoutPatienceIsNoFailure(t *testing.T) {
	r := labtest.Run(t, theLab(t), "show=websocket&network=link&delay=1&rate=8&timeout=100")
	if n := r.Count(func(e trace.Event) bool { return strings.HasPrefix(e.Text, "It came to nothing") }); n != 2 {
		t.Errorf("%d of 2 servers hung up", n)
	}
}

func TestOutsidersUpgrade(t *testing.T) {
	need.Tool(t, "nc", "netcat-openbsd")
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "network=loopback&stay=30&pace=0&lines=1")
	r.Until("the end of the talks", func(e trace.Event) bool { return e.Kind == trace.Note && strings.Contains(e.Text, "try the commands") })
	shell := func(line string) string { return labtest.Shell(t, line) }
	const upgrade = `(printf 'GET /echo HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nsent early\nlater\n') | nc -q 1 `
	for variant, want := range map[string]bool{"careful": true, "buffer-lost": false} {
		got := shell(upgrade + r.Live(variant+".host") + " " + r.Live(variant+".port"))
		if !strings.Contains(got, "101 Switching") || strings.Contains(got, "SENT EARLY") != want {
			t.Errorf("%s: nc sees %q", variant, got)
		}
	}
	base := func(variant string) string {
		return "http://" + r.Live(variant+".host") + ":" + r.Live(variant+".port")
	}
	if got := shell("curl -si " + base("careful") + "/echo"); !strings.Contains(got, "426") || !strings.Contains(got, "Upgrade: echo") {
		t.Errorf("without an upgrade: %q", got)
	}
	if got := shell("curl -si --http2-prior-knowledge " + base("h2") + "/echo"); !strings.Contains(got, "501") || !strings.Contains(got, "feature not supported") {
		t.Errorf("on HTTP/2: %q", got)
	}
	if got := shell("curl -si " + base("h2") + "/echo"); !strings.Contains(got, "taken over") {
		t.Errorf("the same on HTTP/1.1: %q", got)
	}
	for header, want := range map[string]string{
		"Sec-WebSocket-Version: 8": "426", "Sec-WebSocket-Key: short": "400",
	} {
		got := shell("curl -si -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H '" + header + "' " + base("websocket") + "/")
		if strings.Contains(header, "Version") {
			got = shell("curl -si -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H '" + header + "' " + base("websocket") + "/")
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q", header, got)
		}
	}
	r.Stop()
}
