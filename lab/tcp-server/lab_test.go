package tcpserver_test

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	tcpserver "peerlab/lab/tcp-server"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, tcpserver.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0") }

// on both networks; quick is for tests of behaviour that needs no pace.
var networks = []string{"network=loopback", "network=link&delay=5"}

const quick = "&stay=0&pace=10"

func TestReadsAreNotMessages(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		for writes, understood := range map[string]float64{"split": 12, "glued": 4} {
			t.Run(network+" "+writes, func(t *testing.T) {
				labtest.Settles(t, func(t testing.TB) {
					// Half a line has to be read before the other half comes.
					r := labtest.Run(t, theLab(t), network+"&stay=0&silent=0&clients=2&messages=4&cap=8&pace=200&writes="+writes)
					for _, v := range []string{"naive", "fixed"} {
						if sent := r.Fact(v, "lines sent"); sent != 8 {
							t.Errorf("%s: %g lines sent, want 8", v, sent)
						}
					}
					// The late client adds one Read to the naive server, two lines to the fixed one.
					if got := r.Fact("naive", "messages understood"); writes == "split" && got < understood || writes == "glued" && got > understood+1 {
						t.Errorf("the naive server understood %g messages", got)
					}
					if right := r.Fact("naive", "lines answered right"); right == 8 {
						t.Error("the naive server got all right")
					}
					if right := r.Fact("fixed", "lines answered right"); right != 8 {
						t.Errorf("the fixed server answered %g lines right", right)
					}
					if writes == "split" && r.Fact("naive", "short reads") < 8 {
						t.Errorf("%g short reads of 8", r.Fact("naive", "short reads"))
					}
					if writes == "glued" && r.Fact("naive", "reads of several lines") < 4 {
						t.Errorf("%g reads of several lines", r.Fact("naive", "reads of several lines"))
					}
				})
			})
		}
	}
}

func TestTheDeadlineFreesGoroutines(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		labtest.Settles(t, func(t testing.TB) {
			r := labtest.Run(t, theLab(t), network+"&pace=10&clients=1&silent=3&cap=10&wait=100&stay=1")
			if n := r.Fact("naive", "closed by the deadline"); n != 0 {
				t.Errorf("%s: the naive server closed %g by a deadline it has not", network, n)
			}
			if n := r.Fact("fixed", "closed by the deadline"); n != 3 {
				t.Errorf("%s: the fixed server closed %g silent clients, want 3", network, n)
			}
			// At the shutdown the naive server still has them, the fixed one only the late client.
			for name, want := range map[string]string{"naive": "with 4 connections", "fixed": "with 1 connections"} {
				if r.Count(func(e trace.Event) bool {
					return e.Kind == trace.Note && strings.Contains(e.Text, name+" server shuts down, "+want)
				}) != 1 {
					t.Errorf("%s: the %s server does not shut down %s", network, name, want)
				}
			}
		})
	}
}

func TestTheCapRefusesAndAllAreServedInTheEnd(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		labtest.Settles(t, func(t testing.TB) {
			r := labtest.Run(t, theLab(t), network+"&stay=0&pace=60&clients=6&silent=0&cap=2&messages=3")
			if peak := r.Fact("fixed", "most goroutines at a time"); peak > 2 {
				t.Errorf("%s: %g goroutines at a time in spite of the cap", network, peak)
			}
			if r.Fact("fixed", "connections refused") == 0 || r.Fact("naive", "connections refused") != 0 {
				t.Errorf("%s: refused: fixed %g, naive %g", network, r.Fact("fixed", "connections refused"), r.Fact("naive", "connections refused"))
			}
			if right, gaveUp := r.Fact("fixed", "lines answered right"), r.Fact("fixed", "clients that gave up"); right != 18 || gaveUp != 0 {
				t.Errorf("%s: %g of 18 lines answered right, %g clients gave up", network, right, gaveUp)
			}
			if peak := r.Fact("naive", "most goroutines at a time"); peak < 3 {
				t.Errorf("%s: only %g goroutines at a time without a cap", network, peak)
			}
		})
	}
}

func TestAShutdownLetsLinesBeFinished(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		labtest.Settles(t, func(t testing.TB) {
			r := labtest.Run(t, theLab(t), network+quick+"&clients=1&messages=1&silent=2")
			if cut := r.Fact("naive", "lines cut off by the shutdown"); cut != 1 {
				t.Errorf("%s: the naive server cut off %g lines", network, cut)
			}
			if cut := r.Fact("fixed", "lines cut off by the shutdown"); cut != 0 {
				t.Errorf("%s: the fixed server cut off %g lines", network, cut)
			}
			// The late client takes 100 ms; the grace is two seconds and not needed.
			if took := r.Fact("fixed", "time to shut down"); took < 90 || took > 1500 {
				t.Errorf("%s: the fixed server shut down in %g ms", network, took)
			}
		})
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "clients=1&messages=1&silent=0&stay=300&wait=500&duration=60")
	r.Act("slow-client")
	r.Until("the deadline of the slow client", func(e trace.Event) bool {
		return e.Kind == trace.Message && e.From != "" && e.To == "fixed/slow-1" && e.Name == "closed" && e.Text == "its time was over"
	})
	r.Act("drain")
	r.Wait()
	if n := r.Fact("fixed", "closed by the deadline"); n != 1 {
		t.Errorf("%g closed by the deadline", n)
	}
	if outcome, _, _ := r.Status(); outcome != lab.Finished {
		t.Errorf("after the drain: %s", outcome)
	}
}

func TestAnOutsiderByNetcat(t *testing.T) {
	t.Parallel()
	nc := need.Tool(t, "nc", "netcat-openbsd")
	r := labtest.Start(t, theLab(t), "clients=1&messages=1&silent=0&stay=300&duration=60")
	for variant, want := range map[string]string{
		"naive": "1: 18 bytes, \"hello\\nfrom outside\"\n", // two lines, taken for one message
		"fixed": "1: 5 bytes, \"hello\"\n2: 12 bytes, \"from outside\"\n",
	} {
		cmd := exec.CommandContext(t.Context(), nc, "-N", r.Live(variant+".host"), r.Live(variant+".port"))
		cmd.Stdin = strings.NewReader("hello\nfrom outside\n")
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("nc: %v: %s", err, got)
		}
		if string(got) != want {
			t.Errorf("%s answered %q", variant, got)
		}
		r.Until("the outsider on the lanes of "+variant, func(e trace.Event) bool {
			return e.Kind == trace.Message && e.From == variant+"/outsider-1" && strings.HasPrefix(e.Name, "Read")
		})
	}
	r.Act("drain")
	r.Wait()
	if n := r.Fact("naive", "connections from outside"); n != 1 {
		t.Errorf("%g from outside", n)
	}
}

func TestOneOutsiderCannotHoldUpAnother(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "server=fixed&clients=1&messages=1&silent=0&stay=300&wait=2000&cap=3&duration=60")
	address := net.JoinHostPort(r.Live("fixed.host"), r.Live("fixed.port"))
	// One that sends without end and never reads.
	flood, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	if _, err := io.WriteString(flood, strings.Repeat("x", 64<<10)); err != nil {
		t.Logf("flood: %v", err) // it may have been cut off already
	}
	polite, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer polite.Close()
	if _, err := io.WriteString(polite, "me too\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(polite).ReadString('\n'); got != "1: 6 bytes, \"me too\"\n" {
		t.Errorf("answered %q, %v", got, err)
	}
	// The flood is over: a line may not be that long.
	if _, err := io.Copy(io.Discard, flood); err != nil {
		t.Logf("flood ended with %v", err)
	}
	r.Act("drain")
	r.Wait()
}
