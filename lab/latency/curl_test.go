package latency_test

import (
	"context"
	"encoding/json"
	"math"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

// curlTimes are what curl measured, in seconds from the beginning.
type curlTimes struct {
	Connect    float64 `json:"connect"`
	AppConnect float64 `json:"appconnect"`
	FirstByte  float64 `json:"starttransfer"`
	Total      float64 `json:"total"`
	Size       float64 `json:"size"`
	Version    string  `json:"version"`
}

func curl(t *testing.T, args ...string) curlTimes {
	t.Helper()
	const format = `{"connect":%{time_connect},"appconnect":%{time_appconnect},"starttransfer":%{time_starttransfer},` +
		`"total":%{time_total},"size":%{size_download},"version":"%{http_version}"}`
	args = append([]string{"-sk", "--noproxy", "*", "-o", "/dev/null", "-w", format}, args...)
	out, err := exec.CommandContext(t.Context(), "curl", args...).Output()
	if err != nil {
		t.Fatalf("curl: %v", err)
	}
	var got curlTimes
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("curl printed %s: %v", out, err)
	}
	return got
}

// TestCurlAgrees has curl and the lab ask the same server, which takes known
// times: they have to measure the same. A busy machine only ever adds, so what
// is compared is the least that each of them measured.
func TestCurlAgrees(t *testing.T) {
	need.Tool(t, "curl", "curl")
	for protocol, c := range map[string]struct{ flag, version string }{"h1": {"--http1.1", "1.1"}, "h2": {"--http2", "2"}} {
		t.Run(protocol, func(t *testing.T) {
			const tries, tolerance = 10, 40 // ms
			// The server alone takes this long, and nothing else does.
			takes := map[string]float64{"connect": 0, "TLS": 150, "wait": 250, "first byte": 400, "transfer": 0}
			least := map[string][2]float64{}
			for range tries {
				r := labtest.Start(t, theLab(t), "certificate=150&think=250&size=200&warm=0&parallel=1&stay=60&protocol="+protocol)
				r.Until("the facts", func(e trace.Event) bool { return e.Kind == trace.Fact && e.Name == "connections opened" })
				got := curl(t, c.flag, r.Live("url"))
				if got.Version != c.version || got.Size != 200_000 {
					t.Fatalf("curl: %+v", got)
				}
				fact := func(name string) float64 { return r.Fact(protocol, "cold: "+name) }
				settled := true
				for what, now := range map[string][2]float64{
					"connect":    {got.Connect * 1000, fact("connect")},
					"TLS":        {(got.AppConnect - got.Connect) * 1000, fact("TLS")},
					"wait":       {(got.FirstByte - got.AppConnect) * 1000, fact("wait")},
					"first byte": {got.FirstByte * 1000, fact("first byte") - fact("DNS")},
					"transfer":   {(got.Total - got.FirstByte) * 1000, fact("transfer")},
				} {
					if before, known := least[what]; known {
						now = [2]float64{min(now[0], before[0]), min(now[1], before[1])}
					}
					least[what] = now
					settled = settled && math.Abs(now[0]-now[1]) <= tolerance && now[1] <= takes[what]+tolerance
				}
				r.Stop()
				if settled {
					break
				}
			}
			for what, known := range takes {
				curl, lab := least[what][0], least[what][1]
				t.Logf("%-10s curl %6.1f ms, lab %6.1f ms", what, curl, lab)
				if math.Abs(curl-lab) > tolerance || lab < known || lab > known+tolerance {
					t.Errorf("%s: curl measured %.1f ms and the lab %.1f ms, the server takes %.0f", what, curl, lab, known)
				}
			}
		})
	}
}

func TestCommandsFromOutside(t *testing.T) {
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), "think=100&stay=60")
	for i, want := range []string{"first byte 0.", "connect 0.000000"} {
		if out := r.Command(i); !strings.Contains(out, want) {
			t.Errorf("command %d prints %s", i, out)
		}
	}
	r.Until("a request from outside", func(e trace.Event) bool {
		return e.Kind == trace.Message && e.Layer == trace.HTTP && strings.HasSuffix(e.From, lab.Outside)
	})
	r.Stop()
}

func TestTheNameServerAnswersOutsidersToo(t *testing.T) {
	r := labtest.Start(t, theLab(t), "stay=60&protocol=h1")
	at := net.JoinHostPort(r.Live("resolver.host"), r.Live("resolver.port"))
	names := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", at)
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got, err := names.LookupHost(ctx, "server.lab."); err != nil || len(got) != 1 || got[0] != "127.0.0.1" {
		t.Errorf("server.lab: %v, %v", got, err)
	}
	if got, err := names.LookupHost(ctx, "other.lab."); err == nil {
		t.Errorf("other.lab: %v", got)
	}
	r.Stop()
}

func TestDigAsksTheNameServer(t *testing.T) {
	need.Tool(t, "dig", "bind9-dnsutils")
	r := labtest.Start(t, theLab(t), "stay=60&protocol=h1")
	if out := r.Command(2, "+short"); strings.TrimSpace(out) != "127.0.0.1" {
		t.Errorf("dig prints %s", out)
	}
	r.Stop()
}
