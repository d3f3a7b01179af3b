package throttle_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/throttle"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, throttle.Lab) }

func TestItIsALab(t *testing.T) {
	labtest.Check(t, theLab(t), "stay=0&for=2&file=100")
}

// onTime runs the lab on a machine that keeps up: what is measured by the
// clock says nothing about the lab if it was the machine that stood still.
func onTime(t *testing.T, query string) *labtest.Running {
	t.Helper()
	const tries = 8
	for range tries {
		r := labtest.Run(t, theLab(t), query+"&stay=0")
		worst := 0.0
		for _, e := range r.Log.Events() {
			if e.Kind == trace.Fact && (e.Name == "slowest answer" || e.Name == "most a request was sent too late") {
				worst = max(worst, e.Value)
			}
		}
		if worst < 400 {
			return r
		}
		t.Logf("the machine was %.0f ms late: once more", worst)
	}
	t.Fatalf("the machine was too busy, %d times", tries)
	return nil
}

// within checks that a fact of a variant was measured and lies between two values.
func within(t *testing.T, r *labtest.Running, variant, name string, low, high float64) {
	t.Helper()
	if got := r.Fact(variant, name); got < low || got > high {
		t.Errorf("%s, %s: %.1f, want %.0f to %.0f", variant, name, got, low, high)
	}
}

func TestThreeLimitersMeetTheSameClients(t *testing.T) {
	r := onTime(t, "part=requests&refill=10&burst=10&greed=4&for=3")
	eachItsOwn(t, r)
	// One for all: what greed takes, the others lack.
	within(t, r, "global", "steady: let through", 0, 95)
	within(t, r, "global", "greedy: rate, of the one set", 120, 400)
	within(t, r, "global", "buckets kept", 1, 1)
	// A header believed: no limit, and a bucket for every request.
	within(t, r, "forwarded", "greedy: let through", 100, 100)
	within(t, r, "forwarded", "greedy: rate, of the one set", 250, 420)
	within(t, r, "forwarded", "buckets kept", 122, 122)
	within(t, r, "forwarded", "steady: let through", 97, 100)
}

func TestClientsAreToldApartByAddressOnTheLink(t *testing.T) {
	eachItsOwn(t, onTime(t, "part=requests&limiter=per-client&refill=10&burst=10&greed=4&for=3&network=link&delay=2"))
}

// eachItsOwn checks that with a bucket each the well-behaved client is never
// refused, the clumps lose about half, and greed gets the rate and no more.
func eachItsOwn(t *testing.T, r *labtest.Running) {
	t.Helper()
	within(t, r, "per-client", "steady: let through", 97, 100)
	within(t, r, "per-client", "bursty: let through", 45, 70)
	within(t, r, "per-client", "greedy: let through", 20, 50)
	within(t, r, "per-client", "greedy: rate, of the one set", 75, 115)
	within(t, r, "per-client", "buckets kept", 3, 3)
	within(t, r, "per-client", "longest Retry-After", 1, 1)
}

func TestADownloadHasTheRateThatIsSet(t *testing.T) {
	for _, network := range []string{"loopback", "link"} {
		t.Run(network, func(t *testing.T) {
			const tries = 8
			for try := 1; ; try++ {
				r := labtest.Run(t, theLab(t), "part=bandwidth&bandwidth=200&chunk=10&file=250&delay=5&stay=0&network="+network)
				within(t, r, "bandwidth", "download: received", 250, 250)
				within(t, r, "bandwidth", "download, all tokens at once: status", 500, 500)
				within(t, r, "bandwidth", "download: rate, of the one set", 0, 101) // never more
				if n := r.Count(func(e trace.Event) bool { return e.Kind == trace.Sample && e.Name == "received" }); n < 2 {
					t.Errorf("the chart has %d points", n)
				}
				// A machine that stands still now and then makes it slower.
				if got := r.Fact("bandwidth", "download: rate, of the one set"); got > 90 {
					return
				} else if try == tries {
					t.Fatalf("at most %.0f %% of the rate that is set", got)
				}
			}
		})
	}
}

func TestASlowerLinkIsTheLimit(t *testing.T) {
	r := labtest.Run(t, theLab(t), "network=link&delay=5&rate=400&part=bandwidth&file=60&bandwidth=100&stay=0")
	// 400 kbit/s are 50 kB/s, headers of packets included; a busy machine makes it less.
	within(t, r, "bandwidth", "download: rate", 10, 50)
}

func TestTheCacheOfBucketsIsBounded(t *testing.T) {
	r := labtest.Run(t, theLab(t), "part=requests&limiter=per-client&keep=2&refill=10&for=2&stay=0")
	within(t, r, "per-client", "buckets kept", 2, 2)
	if 0 == r.Count(func(e trace.Event) bool {
		return e.Kind == trace.Note && strings.Contains(e.Text, "was forgotten to make room")
	}) {
		t.Error("nobody was told of a bucket that was pushed out")
	}
}

func TestActions(t *testing.T) {
	r := labtest.Start(t, theLab(t), "part=requests&limiter=per-client&refill=2&burst=4&for=2&stay=60")
	r.Act("burst")
	r.Act("new-client")
	sent := map[string]int{}
	r.Until("8 requests of the bursty client for its own plan, 8 for the button, and one of the new client", func(e trace.Event) bool {
		if e.Kind == trace.Message && e.Name == "GET /" {
			sent[e.From]++
		}
		return sent["per-client/bursty"] >= 16 && sent["per-client/late-1"] > 0
	})
	r.Stop()
}

func TestBadParametersAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ field, query string }{
		{"refill", "refill=0"}, {"refill", "refill=-1"}, {"refill", "refill=1e9"}, {"burst", "burst=0"}, {"keep", "keep=0"},
		{"limiter", "limiter=none"}, {"for", "refill=50&for=30"}, {"file", "file=20000&bandwidth=8"}, {"chunk", "chunk=0"},
		{"bandwidth", "bandwidth=0"}, {"nonsense", "nonsense=1"},
	} {
		values, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = theLab(t).Parse(values)
		if bad, ok := errors.AsType[*lab.ParamError](err); !ok || bad.Field != c.field {
			t.Errorf("%s: %v, want it refused for %q", c.query, err, c.field)
		}
	}
}
