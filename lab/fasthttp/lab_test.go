package fasthttp_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/fasthttp"
	"peerlab/lab/labtest"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, fasthttp.Lab) }

const short = "stay=0&load=200&for=1&slice=500&bare=300&idle=20"

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), short) }

func TestTheLoadIsThatWhichWasAskedFor(t *testing.T) {
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "network=loopback&show=speed&stay=0&load=200&for=1&slice=500&bare=1000&idle=50")
		for _, name := range []string{"net-http", "fasthttp"} {
			if got := r.Fact(name, "requests answered"); got < 150 || got > 210 {
				t.Errorf("%s: %g requests in one second of 200 each", name, got)
			}
			if got := r.Fact(name, "requests failed"); got != 0 {
				t.Errorf("%s: %g failed", name, got)
			}
			if p50, p99 := r.Fact(name, "latency, 50 % below"), r.Fact(name, "latency, 99 % below"); p50 <= 0 || p99 < p50 {
				t.Errorf("%s: a median of %g ms, and %g ms for 99 %%", name, p50, p99)
			}
			if got := r.Fact(name, "an idle connection weighs"); got <= 0 || got > 1000 {
				t.Errorf("%s: an idle connection of %g kB", name, got)
			}
		}
		n, f := r.Fact("net-http", "allocations a request, server"), r.Fact("fasthttp", "allocations a request, server")
		if f >= n/2 || n < 5 || f > 8 {
			t.Errorf("%g allocations a request by net/http, %g by fasthttp", n, f)
		}
	})
}

func TestWhatIsGivenUp(t *testing.T) {
	for _, network := range []string{"network=loopback", "network=link&delay=60"} { // dialling alone takes longer than the client stays
		t.Run(network, func(t *testing.T) {
			labtest.Settles(t, func(t testing.TB) {
				r := labtest.Run(t, theLab(t), network+"&show=features&stay=0")
				if got := r.Fact("net-http", "first of five lines after"); got > 450 {
					t.Errorf("net/http: the first line after %g ms", got)
				}
				if got := r.Fact("fasthttp", "first of five lines after"); got < 500 {
					t.Errorf("fasthttp: the first line after %g ms: does it stream now?", got)
				}
				if got := r.Fact("net-http", "work for a client that left after 100 ms"); got > 600 {
					t.Errorf("net/http worked for %g ms", got)
				}
				if got := r.Fact("fasthttp", "work for a client that left after 100 ms"); got < 1000 {
					t.Errorf("fasthttp worked for %g ms: does it notice now?", got)
				}
				can := func(name, what string) string {
					var last string
					r.Count(func(e trace.Event) bool {
						if e.Kind == trace.State && e.From == name+"/server" && strings.HasPrefix(e.Name, what) {
							last = e.Text
						}
						return true
					})
					return last
				}
				for _, c := range [][3]string{
					{"net-http", "HTTP/2", "200 OK by HTTP/2.0"}, {"fasthttp", "HTTP/2", "not understood"},
					{"net-http", "a path", `was "alice", is "alice" now`}, {"fasthttp", "a path", `was "alice", is "mallo" now`},
					{"net-http", "an upload", "200 OK 2097152 bytes"},
				} {
					if got := can(c[0], c[1]); got != c[2] {
						t.Errorf("%s, %s: %q, want %q", c[0], c[1], got, c[2])
					}
				}
				if got := can("fasthttp", "an upload"); !strings.HasPrefix(got, "413") && got != "refused" {
					t.Errorf("fasthttp takes an upload above its limit: %q", got)
				}
			})
		})
	}
}

func TestTooMuchLoadIsRefused(t *testing.T) {
	for field, values := range map[string]map[string][]string{
		"for":   {"load": {"5000"}, "for": {"20"}},
		"slice": {"for": {"1"}, "slice": {"2000"}},
	} {
		if _, err := theLab(t).Parse(values); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v: %v; want %s refused", values, err, field)
		}
	}
}

func TestOutsidersSeeTheDifference(t *testing.T) {
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "network=loopback&show=features&stay=30")
	r.Until("the end", func(e trace.Event) bool { return e.Kind == trace.Note && strings.Contains(e.Text, "try the commands") })
	curl := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, _ := exec.CommandContext(ctx, "curl", append([]string{"-s", "-o", "/dev/null"}, args...)...).Output()
		return string(out)
	}
	for name, want := range map[string]string{"net-http": "2 200", "fasthttp": "0 000"} {
		if got := curl("--http2-prior-knowledge", "-w", "%{http_version} %{http_code}", r.Live(name+".url")); got != want {
			t.Errorf("%s by HTTP/2: curl says %q", name, got)
		}
		if got := curl("-w", "%{http_code} %{size_download}", r.Live(name+".url")+"drip"); got != "200 35" {
			t.Errorf("%s drips %q", name, got)
		}
	}
	r.Stop()
}
