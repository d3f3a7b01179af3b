package slownetwork_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	slownetwork "peerlab/lab/slow-network"
	"peerlab/trace"
)

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, slownetwork.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0&size=100&rate=4000") }

func TestWhereTheDelayIsPaid(t *testing.T) {
	both(t, "delay=250&loss=0&rate=0&size=20", func(m *meter, r *labtest.Running) {
		for way, want := range map[string]struct{ connect, first float64 }{
			"direct": {0, 0}, "middleware": {0, 500}, "toxiproxy": {0, 500}, "link": {500, 1000},
		} {
			m.near(way+" connecting", r.Fact(way, "connecting"), want.connect, want.connect+490)
			m.near(way+" first byte", r.Fact(way, "first byte after"), want.first, want.first+490)
			m.near(way+" received", r.Fact(way, "received"), 20, 20)
		}
	})
}

func TestTheRate(t *testing.T) {
	both(t, "delay=1&loss=0&rate=800&size=150", func(m *meter, r *labtest.Running) { // 100 kB/s
		for _, way := range []string{"toxiproxy", "link"} {
			m.near(way+" whole download", r.Fact(way, "whole download"), 1400, 8000)
			m.near(way+" throughput", r.Fact(way, "throughput of the body"), 20, 150)
		}
		for _, way := range []string{"direct", "middleware"} {
			m.near(way+" whole download", r.Fact(way, "whole download"), 0, 1390)
		}
	})
}

func TestOnlyTheLinkLoses(t *testing.T) {
	both(t, "delay=10&loss=8&rate=0&size=200&seed=3", func(m *meter, r *labtest.Running) {
		if lost, resent := r.Fact("link", "packets lost"), r.Fact("link", "retransmissions"); lost < 3 || resent < 3 {
			m.Errorf("%g packets lost and %g retransmitted of %g", lost, resent, r.Fact("link", "packets of the client"))
		}
		m.near("received over the link", r.Fact("link", "received"), 200, 200)
		// A loss is a silence of a round trip at least; nothing else here makes one.
		m.near("longest silence on the link", r.Fact("link", "longest silence"), 20, 20_000)
		elsewhere := r.Count(func(e trace.Event) bool { return e.Lost && e.From != "link/client" && e.From != "link/server" })
		if elsewhere != 0 {
			m.Errorf("%d packets lost elsewhere", elsewhere)
		}
	})
}

func TestTheSlicerMakesPieces(t *testing.T) {
	both(t, "delay=1&loss=0&rate=0&size=50&slice=500&gap=1000", func(m *meter, r *labtest.Running) {
		m.near("pieces", r.Fact("toxiproxy", "pieces written by Toxiproxy"), 50, 250)
		m.near("whole download", r.Fact("toxiproxy", "whole download"), 50, 5000)
		m.near("received", r.Fact("toxiproxy", "received"), 50, 50)
	})
}

func TestToxicsThatBreakOff(t *testing.T) {
	for toxic, want := range map[string]string{"timeout": "closed before the end", "reset_peer": "reset"} {
		t.Run(toxic, func(t *testing.T) {
			both(t, "delay=5&loss=0&rate=0&size=300&after=150&toxic="+toxic, func(m *meter, r *labtest.Running) {
				m.near("received", r.Fact("toxiproxy", "received"), 0, 0)
				m.near("until it broke off", r.Fact("toxiproxy", "whole download"), 150, 10_000)
				if r.Count(func(e trace.Event) bool {
					return e.Kind == trace.Fact && e.From == "toxiproxy" && e.Name == "whole download" && e.Text == want
				}) != 1 {
					m.Errorf("the client does not say %q", want)
				}
				for _, way := range []string{"direct", "middleware", "link"} {
					m.near(way+" received", r.Fact(way, "received"), 300, 300)
				}
			})
		})
	}
}

func TestLossesRepeatWithTheSeed(t *testing.T) {
	t.Parallel()
	var lost [2]string
	for i := range lost {
		r := labtest.Run(t, theLab(t), "stay=0&delay=5&jitter=0&loss=25&rate=0&size=20&seed=3")
		n := 0
		for _, e := range r.Log.Events() {
			// What the first segments of the answer meet; later ones depend on TCP's clock.
			if e.Kind == trace.Message && e.From == "link/server" && e.Attrs["len"] != "" && e.Attrs["len"] != "0" && n < 8 {
				n++
				lost[i] += map[bool]string{true: "x", false: "-"}[e.Lost]
			}
		}
	}
	if lost[0] != lost[1] || !strings.Contains(lost[0], "x") || !strings.Contains(lost[0], "-") {
		t.Errorf("losses %q, then %q", lost[0], lost[1])
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	for query, field := range map[string]string{
		"size=0": "size", "size=1001": "size", "slice=-1": "slice", "slice=1": "slice", "gap=10001": "gap",
		"slice=60&size=200&gap=10000": "gap", "toxic=limit_data": "toxic", "after=0": "after", "stay=301": "stay", "loss=51": "loss",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = theLab(t).Parse(values)
		var bad *lab.ParamError
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v, want %s refused", query, err, field)
		}
	}
}
