package http2_test

import (
	"os/exec"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/http2"
	"peerlab/lab/labtest"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, http2.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=0&delay=5&busy=100&requests=2") }

// on both networks, without waiting for anybody.
var networks = []string{"network=loopback&stay=0", "network=link&delay=3"}

// messages counts those of a variant whose name begins so.
func messages(r *labtest.Running, from, name string) int {
	return r.Count(func(e trace.Event) bool {
		return e.Kind == trace.Message && e.From == from && strings.HasPrefix(e.Name, name)
	})
}

func TestTheFramesOfBothSides(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		r := labtest.Run(t, theLab(t), network+"&requests=3&busy=50")
		for _, v := range []string{"tls", "h2c"} {
			for _, c := range []struct {
				from, name string
				want       int
			}{
				{"client", "HEADERS", 8}, {"server", "HEADERS", 8}, // hello twice, three big ones, upload, endless, push
				{"client", "SETTINGS ACK", 1}, {"server", "SETTINGS ACK", 1},
				{"client", "RST_STREAM 13 · CANCEL", 1}, {"server", "GOAWAY · NO_ERROR", 1},
				{"client", "GET /hello", 1}, // by the old protocol, on the same port
				{"server", "PUSH_PROMISE", 0},
			} {
				if got := messages(r, v+"/"+c.from, c.name); got != c.want {
					t.Errorf("%s: %s of %s: %d, want %d", network, c.name, v+"/"+c.from, got, c.want)
				}
			}
			if n := r.Count(func(e trace.Event) bool {
				return e.Kind == trace.State && e.From == v+"/client" && e.Name == "ENABLE_PUSH" && e.Text == "0"
			}); n == 0 {
				t.Errorf("%s: the client of %s says nothing of pushes", network, v)
			}
			if n := r.Fact(v, "connections"); n != 2 {
				t.Errorf("%s, %s: %g connections, want one for each protocol", network, v, n)
			}
		}
		if n := r.Count(func(e trace.Event) bool { return e.From == "tls/server" && e.Text == "ALPN chose h2" }); n != 1 {
			t.Errorf("%s: ALPN chose h2 %d times", network, n)
		}
	}
}

// A run that is ended early says so, and has what was measured until then.
func TestARunThatIsEndedEarly(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "network=link&delay=200&stay=0")
	r.Until("a request", func(e trace.Event) bool {
		return e.Kind == trace.Message && e.From == "h2c/client" && strings.HasPrefix(e.Name, "HEADERS")
	})
	r.Stop()
	if n := r.Fact("h2c", "frames"); n == 0 {
		t.Error("no frames were counted")
	}
	if r.Count(func(e trace.Event) bool {
		return e.From == "h2c" && e.Attrs[trace.VerdictAttr] == string(lab.Warn) && strings.HasPrefix(e.Text, "The run was over ")
	}) != 1 {
		t.Error("no verdict says that the run was over")
	}
}

func TestHeadersThatCameBeforeAreShort(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), networks[0]+"&requests=1&busy=0")
	for _, v := range []string{"tls", "h2c"} {
		if first, again := r.Fact(v, "headers of the first request"), r.Fact(v, "headers of the same request again"); again > first/2 || again < 1 {
			t.Errorf("%s: %g bytes, then %g", v, first, again)
		}
	}
}

func TestASlowReaderClosesTheWindow(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		labtest.Settles(t, func(t testing.TB) {
			const wait = "time the server had to wait for a window"
			slow := labtest.Run(t, theLab(t), network+"&requests=1&busy=800&size=100&window=64")
			wide := labtest.Run(t, theLab(t), network+"&requests=1&busy=100&size=100&window=1000&shared=2000")
			for _, v := range []string{"tls", "h2c", "fixed"} {
				if ms := slow.Fact(v, wait); ms < 300 {
					t.Errorf("%s, %s: a window of 64 KiB was closed for %g ms only", network, v, ms)
				}
			}
			if ms := wide.Fact("fixed", wait); ms != 0 {
				t.Errorf("%s: a window wider than the page was closed for %g ms", network, ms)
			}
			for v, beyond := range map[string]float64{"naive": 100_000 - 64<<10, "fixed": 0} {
				if n := slow.Fact(v, "bytes sent beyond the window"); n != beyond {
					t.Errorf("%s: the %s server sent %g bytes beyond the window", network, v, n)
				}
			}
			if naive, fixed := slow.Fact("naive", "bytes that arrived"), slow.Fact("fixed", "bytes that arrived"); naive >= 100_000 || fixed != 100_000 {
				t.Errorf("%s: of 100,000 bytes %g arrived from the naive server, %g from the fixed one", network, naive, fixed)
			}
			if n := wide.Fact("naive", "bytes that arrived"); n != 100_000 {
				t.Errorf("%s: %g bytes arrived from the naive server in a wide window", network, n)
			}
			if slow.Count(func(e trace.Event) bool {
				return e.From == "naive" && e.Attrs[trace.VerdictAttr] == string(lab.Bad) && strings.Contains(e.Text, "FLOW_CONTROL_ERROR")
			}) != 1 {
				t.Errorf("%s: the verdict on the naive server does not name the cause", network)
			}
		})
	}
}

// output runs a program and returns what it says.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

func TestOutsiders(t *testing.T) {
	t.Parallel()
	curl := need.Tool(t, "curl", "curl")
	h2load := need.Tool(t, "h2load", "nghttp2-client")
	nghttp := need.Tool(t, "nghttp", "nghttp2-client")
	r := labtest.Start(t, theLab(t), "busy=0&requests=1&size=100&stay=120&duration=120")
	url := func(v, scheme string) string { return scheme + "://" + r.Live(v+".host") + ":" + r.Live(v+".port") }
	const version = "%{http_version}"
	if got := output(t, curl, "-s", "--http2-prior-knowledge", url("h2c", "http")+"/hello"); got != "hello by HTTP/2.0\n" {
		t.Errorf("by prior knowledge: %q", got)
	}
	if got := output(t, curl, "-s", url("h2c", "http")+"/hello"); got != "hello by HTTP/1.1\n" {
		t.Errorf("without: %q", got)
	}
	for _, suite := range []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"} {
		if got := output(t, curl, "-sk", "--http2", "--tls13-ciphers", suite, "-o", "/dev/null", "-w", version, url("tls", "https")+"/hello"); got != "2" {
			t.Errorf("over TLS with %s: HTTP/%s", suite, got)
		}
	}
	if got := output(t, curl, "-sk", "--http1.1", "-o", "/dev/null", "-w", version, url("tls", "https")+"/hello"); got != "1.1" {
		t.Errorf("over TLS, by HTTP/1.1: %s", got)
	}
	for _, v := range []string{"naive", "fixed"} {
		if got := output(t, curl, "-s", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{size_download}", url(v, "http")+"/"); got != "100000" {
			t.Errorf("%s bytes from the %s server", got, v)
		}
	}
	if got := output(t, nghttp, "-nv", url("h2c", "http")+"/push"); !strings.Contains(got, "PUSH_PROMISE") {
		t.Errorf("nghttp sees no push: %s", got)
	}
	if got := output(t, h2load, "-n", "200", "-c", "2", "-m", "10", url("h2c", "http")+"/hello"); !strings.Contains(got, "200 succeeded, 0 failed") {
		t.Errorf("h2load: %s", got)
	}
	if got := output(t, h2load, "-n", "50", "-c", "2", "-m", "5", url("fixed", "http")+"/"); !strings.Contains(got, "50 succeeded, 0 failed") {
		t.Errorf("h2load on the server by hand: %s", got)
	}
	// What the observer saw of them.
	r.Stop()
	for _, c := range []struct {
		from, name string
		want       int
	}{
		{"tls/outside", "HEADERS", 3}, // each suite was opened
		{"h2c/server", "PUSH_PROMISE", 1},
	} {
		if got := messages(r, c.from, c.name); got < c.want {
			t.Errorf("%s of %s: %d, want %d", c.name, c.from, got, c.want)
		}
	}
	if n := r.Fact("h2c", "frames"); n < 600 {
		t.Errorf("%g frames with h2load", n)
	}
}
