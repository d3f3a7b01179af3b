package multiplexing_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/multiplexing"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, multiplexing.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0&rounds=2&loss=1") }

var ways = []string{"h1", "h2", "h3"}

func TestEachWayHasItsConnectionsAndAllAnswers(t *testing.T) {
	for _, network := range []string{"network=loopback", "network=link&delay=5&loss=0"} {
		t.Run(network, func(t *testing.T) {
			r := labtest.Run(t, theLab(t), "stay=0&rounds=3&requests=9&pool=4&"+network)
			for way, want := range map[string]float64{"h1": 4, "h2": 1, "h3": 1} {
				if got := r.Fact(way, "connections"); got != want {
					t.Errorf("%s: %g connections, want %g", way, got, want)
				}
				if got := r.Fact(way, "requests failed"); got != 0 {
					t.Errorf("%s: %g requests failed", way, got)
				}
				if got := r.Fact(way, "rounds measured"); got != 3 {
					t.Errorf("%s: %g rounds", way, got)
				}
				requests := r.Count(func(e trace.Event) bool {
					return e.Kind == trace.Span && e.From == way+"/client" && strings.HasPrefix(e.Text, "first byte")
				})
				if requests != 9 {
					t.Errorf("%s: %d requests in the record, want those of one round", way, requests)
				}
			}
		})
	}
}

// All are wanted at once, so the first bar is that of the first request.
func TestRequestsAreDrawnInOrder(t *testing.T) {
	r := labtest.Run(t, theLab(t), "network=link&delay=2&loss=0&stay=0&rounds=1&requests=12&size=1")
	for _, way := range ways {
		var begun []string
		for _, e := range r.Log.Events() {
			if e.Kind == trace.Message && e.Layer == trace.HTTP && e.From == way+"/client" && strings.HasPrefix(e.Name, "GET /") {
				begun = append(begun, strings.TrimPrefix(e.Name, "GET /"))
			}
		}
		if got := strings.Join(begun, " "); got != "1 2 3 4 5 6 7 8 9 10 11 12" {
			t.Errorf("%s: requests begin in the order %s", way, got)
		}
	}
}

func TestHandshakesTakeTheirRoundTrips(t *testing.T) {
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "network=link&delay=60&loss=0&stay=0&rounds=1&requests=1&size=1&think=0")
		// A round trip is 120 ms: two or three of them, and the answer's.
		for way, trips := range map[string]float64{"h1": 3, "h2": 3, "h3": 2} {
			if got := r.Fact(way, "all answers after, median of the rounds"); got < trips*120 || got > trips*120+110 {
				t.Errorf("%s: the first answer after %g ms, want %g round trips of 120 ms", way, got, trips)
			}
		}
	})
}

func TestOneConnectionOfHTTP1IsAQueue(t *testing.T) {
	r := labtest.Run(t, theLab(t), "network=link&delay=20&loss=0&stay=0&rounds=1&requests=8&pool=1&size=1")
	if one := r.Fact("h1", "all answers after, median of the rounds"); one < 8*(40+10) {
		t.Errorf("eight requests one after the other in %g ms", one)
	}
	if shared := r.Fact("h2", "connections"); shared != 1 {
		t.Errorf("h2: %g connections", shared)
	}
}

// With many losses HTTP/2 stands still for longer than HTTP/3: over seven rounds
// that is no matter of luck.
func TestALossSilencesTheSharedConnectionOfTCP(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seven rounds")
	}
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "network=link&delay=10&loss=5&stay=0&rounds=7&requests=10&size=15&duration=60")
		for _, way := range ways {
			if lost := r.Fact(way, "of them lost"); lost == 0 && way != "h3" {
				t.Errorf("%s: nothing was lost", way)
			}
		}
		h2, h3 := r.Fact("h2", "longest silence, median of the rounds"), r.Fact("h3", "longest silence, median of the rounds")
		if h2 <= h3 {
			t.Errorf("the longest silence is %g ms by HTTP/2 and %g ms by HTTP/3", h2, h3)
		}
	})
}

func TestWiresharkSeesInside(t *testing.T) {
	need.Tool(t, "tshark", "tshark")
	r := labtest.Run(t, theLab(t), "network=link&delay=5&loss=0&stay=0&rounds=1&requests=3&size=2")
	for _, name := range []string{"QUIC Initial", "QUIC 1-RTT"} {
		if n := r.Count(func(e trace.Event) bool { return e.Layer == trace.QUIC && strings.HasPrefix(e.Name, name) }); n == 0 {
			t.Errorf("no packet is called %s", name)
		}
	}
	file := r.Pcapng()
	for field, want := range map[string]struct {
		filter string
		least  int
	}{
		"http2.type":            {"http2.type == 1", 6}, // HEADERS, three each way
		"http3.frame_type":      {"http3.frame_type == 1", 3},
		"quic.long.packet_type": {"quic.long.packet_type == 0", 2},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "tshark", "-r", file, "-Y", want.filter, "-T", "fields", "-e", field).CombinedOutput()
		if err != nil {
			t.Fatalf("tshark: %v: %s", err, out)
		}
		if got := len(strings.FieldsFunc(string(out), func(r rune) bool { return r == ',' || r == '\n' })); got < want.least {
			t.Errorf("tshark finds %d of %s by %q, want %d at least: %s", got, field, want.filter, want.least, out)
		}
	}
}

func TestOutsidersShareAConnection(t *testing.T) {
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "network=loopback&stay=30&rounds=1")
	r.Until("the end of the rounds", func(e trace.Event) bool { return e.Kind == trace.Note && strings.Contains(e.Text, "try the commands") })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "curl", "-sk", "--http2", "-Z", "-w", "%{http_version} %{num_connects}\n", "-o", "/dev/null", r.Live("url")+"[1-12]").Output()
	if err != nil {
		t.Fatalf("curl: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if n := strings.Count(string(out), "2 1"); n != 1 || len(lines) != 12 {
		t.Errorf("curl says %q, want one of twelve to connect, by HTTP/2", out)
	}
	r.Stop()
}
