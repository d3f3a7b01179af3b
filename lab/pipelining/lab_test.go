package pipelining_test

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/pipelining"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, pipelining.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0") }

var networks = []string{"network=loopback", "network=link&delay=5"}

func TestTheFastOnesWaitInAPipelineAndNotInStreams(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), "stay=0&slow=400&"+network)
				for _, way := range []string{"one-by-one", "pipelined", "fasthttp"} {
					if got := r.Fact(way, "first answer after"); got < 400 {
						t.Errorf("%s: an answer after %g ms, ahead of one that takes 400", way, got)
					}
				}
				if got := r.Fact("h2", "a fast one, on average, after"); got < 10 || got > 300 {
					t.Errorf("h2: a fast answer after %g ms", got)
				}
				for _, way := range []string{"one-by-one", "pipelined", "fasthttp", "h2"} {
					if got := r.Fact(way, "last answer after"); got < 400 {
						t.Errorf("%s: all answers after %g ms, and one takes 400", way, got)
					}
					if got := r.Fact(way, "connections"); got != 1 {
						t.Errorf("%s: %g connections", way, got)
					}
					for _, what := range []string{"without an answer", "answers taken for another's"} {
						if got := r.Fact(way, what); got != 0 {
							t.Errorf("%s: %g %s", way, got, what)
						}
					}
				}
			})
		})
	}
}

func TestAnswersOutOfOrderGoToTheWrongRequests(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			labtest.Settles(t, func(t testing.TB) {
				// The slow one is last in, so every other answer moves up by one.
				r := labtest.Run(t, theLab(t), "way=disorder&requests=2&slow=300&stay=0&"+network)
				if got := r.Fact("disorder", "answers taken for another's"); got != 2 {
					t.Errorf("%g answers went to another request, want both", got)
				}
				if got := r.Fact("disorder", "first answer after"); got > 250 {
					t.Errorf("the first answer after %g ms: did it wait for the slow one?", got)
				}
			})
		})
	}
}

func TestAPipelinePaysNoRoundTripsBetween(t *testing.T) {
	r := labtest.Run(t, theLab(t), "network=link&delay=50&slow=0&fast=0&stay=0&requests=5")
	if got := r.Fact("one-by-one", "last answer after"); got < 500 {
		t.Errorf("five requests one by one in %g ms over round trips of 100 ms", got)
	}
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "network=link&delay=50&slow=0&fast=0&stay=0&requests=5&way=pipelined")
		if got := r.Fact("pipelined", "last answer after"); got < 100 || got > 300 {
			t.Errorf("five requests in a pipeline in %g ms over a round trip of 100 ms", got)
		}
	})
}

func TestAClosedConnectionLeavesRequestsInDoubt(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			r := labtest.Run(t, theLab(t), "stay=0&slow=50&close=2&"+network)
			for way, want := range map[string]struct{ connections, resent, missing float64 }{
				"one-by-one": {3, 0, 0},
				"pipelined":  {3, 6, 0}, // four are sent again, and then two
			} {
				if got := r.Fact(way, "connections"); got != want.connections {
					t.Errorf("%s: %g connections", way, got)
				}
				if got := r.Fact(way, "sent again"); got != want.resent {
					t.Errorf("%s: %g sent again", way, got)
				}
				if got := r.Fact(way, "without an answer"); got != want.missing {
					t.Errorf("%s: %g without an answer", way, got)
				}
			}
			if got := r.Fact("h2", "without an answer"); got != 0 {
				t.Errorf("h2: %g without an answer", got)
			}
			if got := r.Fact("disorder", "carried out twice"); got == 0 {
				t.Error("a server that works on all at once and closes carried nothing out twice")
			}
		})
	}
}

// A verdict says that requests stood behind the slow one when they did, however
// long the way is and wherever it stands.
func TestWhoStoodBehindTheSlowOne(t *testing.T) {
	for query, want := range map[string]map[string]string{
		"slow=300&at=3":                      {"pipelined": "3 of the others", "fasthttp": "3 of the others", "h2": "none of them stood"},
		"slow=200&network=link&delay=150":    {"pipelined": "5 of the others", "h2": "none of them stood"},
		"slow=10&fast=10":                    {"pipelined": "Nobody stood", "one-by-one": "Nobody stood"},
		"slow=50&requests=30&close=1&fast=1": {"pipelined": "29 of the others", "fasthttp": "29 requests were left"},
	} {
		t.Run(query, func(t *testing.T) {
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), "stay=0&"+query)
				for way, text := range want {
					if n := r.Count(func(e trace.Event) bool {
						return e.Kind == trace.Note && e.From == way && e.Attrs[trace.VerdictAttr] != "" && strings.Contains(e.Text, text)
					}); n != 1 {
						t.Errorf("%s: no verdict with %q", way, text)
					}
				}
				if n := len(r.Log.Events()); n > 3500 {
					t.Errorf("%d events", n)
				}
			})
		})
	}
}

func TestOutsidersPipelineByHand(t *testing.T) {
	need.Tool(t, "nc", "netcat-openbsd")
	r := labtest.Start(t, theLab(t), "network=loopback&stay=30&slow=0")
	for way, want := range map[string][]string{"pipelined": {"1", "2"}, "disorder": {"2", "1"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		nc := exec.CommandContext(ctx, "nc", r.Live(way+".host"), r.Live(way+".port"))
		nc.Stdin = strings.NewReader("GET /1?ms=700 HTTP/1.1\r\nHost: lab\r\n\r\nGET /2?ms=1 HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
		out, err := nc.Output()
		if err != nil {
			t.Fatalf("%s: nc: %v", way, err)
		}
		var got []string
		for line := range bytes.Lines(out) {
			if _, to, ok := strings.Cut(string(line), "X-Answer-To: "); ok {
				got = append(got, strings.TrimSpace(to))
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: answers to %v, want %v", way, got, want)
		}
	}
	r.Until("the visitor", func(e trace.Event) bool { return e.Kind == trace.Message && e.From == "pipelined/outside" })
	r.Stop()
}

func TestBadRequestsHaveAnAnswer(t *testing.T) {
	r := labtest.Start(t, theLab(t), "network=loopback&stay=30&slow=0")
	for _, way := range []string{"pipelined", "disorder"} {
		for _, bad := range []string{
			"GET /x HTTP/1.1\r\nHost: lab\r\n\r\n", "GET /1?ms=3001 HTTP/1.1\r\nHost: lab\r\n\r\n", "GET /1?ms=-1 HTTP/1.1\r\nHost: lab\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", net.JoinHostPort(r.Live(way+".host"), r.Live(way+".port")))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			conn.Write([]byte(bad))
			buf := make([]byte, 12)
			if n, _ := conn.Read(buf); string(buf[:n]) != "HTTP/1.1 400" {
				t.Errorf("%s, %q: %q", way, bad, buf[:n])
			}
		}
	}
	r.Stop()
}
