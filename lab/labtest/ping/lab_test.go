package ping_test

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/labtest/ping"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, ping.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "pace=10&stay=0") }

func TestTheRoundTripIsTwiceTheDelay(t *testing.T) {
	r := labtest.Run(t, theLab(t), "network=link&delay=40&count=5&pace=0&wait=5000")
	if got := r.Fact("", "round trip, median"); got < 80 || got > 1000 {
		t.Errorf("a median round trip of %g ms over 40 ms each way", got)
	}
	if missing := r.Fact("", "answers missing"); missing != 0 {
		t.Errorf("%g answers missing on a link without loss", missing)
	}
}

func TestTheSameSeedLosesTheSame(t *testing.T) {
	lost := func() (from []string) {
		r := labtest.Run(t, theLab(t), "network=link&delay=0&loss=30&seed=4&count=20&pace=0&wait=30")
		for _, e := range r.Log.Events() {
			if e.Kind == trace.Message && e.Layer == trace.UDP {
				from = append(from, fmt.Sprintf("%s lost: %v", e.From, e.Lost))
			}
		}
		slices.Sort(from) // answers of a slow machine can be late, and so in another place
		return from
	}
	first, again := lost(), lost()
	if !slices.Contains(first, "client lost: true") || !slices.Equal(first, again) {
		t.Errorf("first\n%q\nthen\n%q", first, again)
	}
}

func TestAnOutsiderIsAnsweredToo(t *testing.T) {
	r := labtest.Start(t, theLab(t), "count=1&stay=300&duration=60")
	c, err := net.Dial("udp", net.JoinHostPort(r.Live("host"), r.Live("port")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 100)
	if _, err := c.Write([]byte("it's me")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "it's me" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	r.Stop()
}
