package proxy_test

import (
	"errors"
	"net/url"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/proxy"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, proxy.Lab) }

func TestTheContract(t *testing.T) {
	labtest.Check(t, theLab(t), "stay=0&delay=2&pace=5&load=40&requests=9")
}

// on both networks.
var networks = []string{"network=loopback", "network=link&delay=2"}

func TestWhatTheUpstreamBelieves(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		r := labtest.Run(t, theLab(t), network+"&part=reverse&load=0&requests=0&stay=0")
		for _, f := range []struct {
			name              string
			director, rewrite float64
		}{
			{"proxy's own header at the upstream", 0, 1},
			{"spoofed address believed", 1, 0},
			{"Upgrade: h2c at the upstream", 1, 0},
			{"hop-by-hop headers passed to the upstream", 0, 0},
			{"hop-by-hop headers passed to the client", 0, 0},
			{"POST cut off: status in the end", 502, 502},
			{"POST cut off: times it arrived", 1, 1},
		} {
			for variant, want := range map[string]float64{"director": f.director, "rewrite": f.rewrite} {
				if got := r.Fact(variant, f.name); got != want {
					t.Errorf("%s, %s: %s is %g, want %g", network, variant, f.name, got, want)
				}
			}
		}
		if status, times := r.Fact("rewrite", "GET cut off: status in the end"), r.Fact("rewrite", "GET cut off: times it arrived"); status != 200 || times < 2 {
			t.Errorf("%s: a GET cut off is answered %g after it arrived %g times", network, status, times)
		}
		for _, variant := range []string{"director", "rewrite"} {
			if ms := r.Fact(variant, "WebSocket echo"); ms <= 0 || ms > 2000 {
				t.Errorf("%s, %s: the WebSocket echo took %g ms", network, variant, ms)
			}
		}
	}
}

// Both sides of a proxy are in the record, with what is for one hop on one of them only.
func TestHeadersOfBothSidesAreShown(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "part=reverse&load=0&requests=0&stay=0")
	for _, variant := range []string{"director", "rewrite"} {
		for _, side := range []struct {
			from, to, name, header string
			there                  bool
		}{
			{"client", "proxy", "GET /headers", "Proxy-Authorization", true},
			{"proxy", "upstream-1", "GET /headers", "Proxy-Authorization", false},
			{"client", "proxy", "GET /headers", "Keep-Alive", true},
			{"proxy", "upstream-1", "GET /headers", "Keep-Alive", false},
			{"upstream-1", "proxy", "200 OK", "X-Hop", true},
			{"proxy", "client", "200 OK", "X-Hop", false},
			{"client", "proxy", "GET /websocket", "Upgrade", true},
			{"proxy", "upstream-1", "GET /websocket", "Upgrade", true},
			{"proxy", "client", "101 Switching Protocols", "", false},
		} {
			e := r.Until(side.name+" from "+side.from, func(e trace.Event) bool {
				return e.Kind == trace.Message && e.Layer == trace.HTTP && e.From == variant+"/"+side.from && e.To == variant+"/"+side.to && e.Name == side.name
			})
			if _, there := e.Attrs[side.header]; there != side.there {
				t.Errorf("%s: %s in %s from %s to %s: %t", variant, side.header, side.name, side.from, side.to, there)
			}
		}
	}
}

func TestADeadUpstream(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		r := labtest.Run(t, theLab(t), network+"&part=reverse&load=0&requests=18&pace=1&rest=0&stay=0")
		if failed := r.Fact("director", "of these failed"); failed < 2 || failed > 4 {
			t.Errorf("%s: %g of the director's requests failed, want half of 6", network, failed)
		}
		if failed, all := r.Fact("rewrite", "of these failed"), r.Fact("rewrite", "requests in turn"); failed != 0 || all != 18 {
			t.Errorf("%s: with retries %g of %g failed", network, failed, all)
		}
		// One for the GET that was cut off, and without rest every other one of the 6.
		if retries := r.Fact("rewrite", "retries"); retries < 3 || retries > 5 {
			t.Errorf("%s: %g retries", network, retries)
		}
		rested := labtest.Run(t, theLab(t), network+"&part=reverse&variant=rewrite&load=0&requests=18&pace=1&rest=10000&stay=0")
		if retries := rested.Fact("rewrite", "retries"); retries > 2 {
			t.Errorf("%s: %g retries with a rest", network, retries)
		}
	}
}

func TestWithOneUpstreamNoRetryHelps(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "part=reverse&upstreams=1&variant=rewrite&load=0&requests=9&pace=1&stay=0")
	if failed := r.Fact("rewrite", "of these failed"); failed != 3 {
		t.Errorf("%g of 9 failed while the only upstream was dead for 3", failed)
	}
}

func TestTheBurst(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "network=link&delay=10&part=reverse&requests=0&load=64&concurrency=8&stay=0")
	for variant, trips := range map[string]float64{"direct": 1, "director": 2, "rewrite": 2} {
		p50, p95, p99 := r.Fact(variant, "latency, p50"), r.Fact(variant, "latency, p95"), r.Fact(variant, "latency, p99")
		if p50 < trips*20 || p50 > trips*20+2000 || p95 < p50 || p99 < p95 { // the machine may be busy
			t.Errorf("%s: p50 %g, p95 %g, p99 %g ms over %g round trips of 20 ms", variant, p50, p95, p99, trips)
		}
		// Eight at a time, each of which takes that long at least.
		if rate := r.Fact(variant, "burst"); rate <= 0 || rate > 8/(trips*0.020) {
			t.Errorf("%s: %g requests/s", variant, rate)
		}
		if n := r.Fact(variant, "burst: requests that failed"); n != 0 {
			t.Errorf("%s: %g failed", variant, n)
		}
		if n := r.Count(func(e trace.Event) bool {
			return e.Kind == trace.Sample && e.From == variant+"/client" && e.Name == "latency"
		}); n != 64 {
			t.Errorf("%s: %d samples", variant, n)
		}
	}
	if few, many := r.Fact("rewrite", "connections opened to upstreams"), r.Fact("director", "connections opened to upstreams"); few >= many {
		t.Errorf("%g connections with idle ones kept, %g without", few, many)
	}
	if made, lent := r.Fact("rewrite", "copy buffers made"), r.Fact("rewrite", "bodies copied"); made > 16 || lent < 64 {
		t.Errorf("%g buffers made for %g bodies, from a pool for 8", made, lent)
	}
	if made, lent := r.Fact("director", "copy buffers made"), r.Fact("director", "bodies copied"); made != lent {
		t.Errorf("%g buffers made for %g bodies without a pool", made, lent)
	}
}

func TestTheForwardProxy(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		r := labtest.Run(t, theLab(t), network+"&part=forward&stay=0")
		for name, want := range map[string]float64{
			"absolute form: status": 200, "through a tunnel: status": 200, "tunnels opened": 1,
			"requests in absolute form": 1, "requests refused": 5,
		} {
			if got := r.Fact("forward", name); got != want {
				t.Errorf("%s: %s: %g, want %g", network, name, got, want)
			}
		}
		for _, why := range []string{
			"The forward proxy does not go to 127.0.0.1:22: connecting to 127.0.0.1 is not allowed here: it is a loopback address.",
			"The forward proxy does not go to 10.0.0.1:80: connecting to 10.0.0.1 is not allowed here: it is a private address.",
			"The forward proxy does not go to mail.example:25: this proxy is for the web: ports 80, 443, 8080 and 8443.",
			"The forward proxy does not go to 169.254.169.254:80: connecting to 169.254.169.254 is not allowed here: it is a link-local address.",
		} {
			if r.Count(func(e trace.Event) bool { return e.Kind == trace.Note && e.Text == why }) != 1 {
				t.Errorf("%s: not told once: %s", network, why)
			}
		}
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		r := labtest.Start(t, theLab(t), network+"&part=reverse&requests=0&load=0&stay=100&duration=60")
		r.Until("staying open", func(e trace.Event) bool { return e.Kind == trace.Note && e.Text != "" && e.Text[:3] == "All" })
		r.Act("kill")
		bad := func(e trace.Event) bool {
			return e.From == "director/proxy" && e.Name == "502 Bad Gateway" && e.Attrs["X-Content-Type-Options"] != ""
		}
		before := r.Until("a failure", bad).Seq
		r.Act("revive")
		r.Until("upstream-1 at work again", func(e trace.Event) bool {
			return e.Seq > before && e.Kind == trace.Message && e.From == "director/upstream-1" && e.Name == "200 OK"
		})
		r.Stop()
	}
}

func TestTargetsRefusedByName(t *testing.T) {
	for _, target := range []string{"ftp://example.com/", "http://", "https://example.com", "http://user:pass@example.com/", "example.com", "http://[::1"} {
		_, err := theLab(t).Parse(url.Values{"target": {target}})
		if e, ok := errors.AsType[*lab.ParamError](err); !ok || e.Field != "target" {
			t.Errorf("target %q: %v; want it refused by name", target, err)
		}
	}
	if _, err := theLab(t).Parse(url.Values{"target": {""}}); err != nil {
		t.Errorf("no target: %v", err)
	}
}
