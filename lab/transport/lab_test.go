package transport_test

import (
	"context"
	"errors"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/transport"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, transport.Lab) }

// quick has nothing to wait for: news are stale at once.
const quick = "stay=0&fresh=0&pause=1&cooldown=30&delay=1&"

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), quick) }

var networks = []string{"network=loopback", "network=link"}

// facts are what has to be measured, by fact.
type facts map[string]float64

func (want facts) hold(t *testing.T, r *labtest.Running, variant string) {
	t.Helper()
	for name, value := range want {
		if got := r.Fact(variant, name); got != value {
			t.Errorf("%s: %s: %g, want %g", variant, name, got, value)
		}
	}
}

func verdict(r *labtest.Running, variant string) (tone string) {
	for _, e := range r.Log.Events() {
		if e.Kind == trace.Note && e.From == variant && e.Attrs[trace.VerdictAttr] != "" {
			tone = e.Attrs[trace.VerdictAttr]
		}
	}
	return tone
}

func TestTheNaiveLayersAndTheCarefulOnes(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			r := labtest.Run(t, theLab(t), quick+network)
			facts{
				"Authorization lines in one request, at most": 3,
				"requests that a layer changed":               19, // all there are
				"tokens told to the other host":               1,
				"bodies that arrived empty":                   6,
				"orders booked once too often":                2,
				"answers meant for somebody else":             2,
				"reached api while it was down":               4,
			}.hold(t, r, "naive")
			facts{
				"Authorization lines in one request, at most": 1,
				"requests that a layer changed":               0,
				"tokens told to the other host":               0,
				"bodies that arrived empty":                   0,
				"orders booked once too often":                0,
				"answers meant for somebody else":             0,
				"reached api while it was down":               4,
				"refused by the breaker":                      4,
				"connections to api":                          1,
			}.hold(t, r, "careful")
			if n := r.Fact("naive", "connections to api"); n < 8 {
				t.Errorf("the naive client has %g connections, though it leaves answers unread", n)
			}
			if verdict(r, "naive") != "bad" || verdict(r, "careful") != "good" {
				t.Errorf("verdicts %q and %q", verdict(r, "naive"), verdict(r, "careful"))
			}
		})
	}
}

func TestTheOrderMatters(t *testing.T) {
	for order, want := range map[string]facts{
		// The cache never sees whose request it is.
		"log cache retry auth breaker": {"answers meant for somebody else": 1, "tokens told to the other host": 0},
		// The breaker counts requests, with three attempts behind each.
		"log breaker retry auth cache": {"reached api while it was down": 12, "refused by the breaker": 1, "answers meant for somebody else": 0},
		// Nobody stops, and nobody is refused.
		"log retry auth cache": {"reached api while it was down": 15, "refused by the breaker": 0},
		"":                     {"seen by api": 19, "answered without the network": 0, "reached api while it was down": 5},
	} {
		r := labtest.Run(t, theLab(t), quick+"show=careful&network=loopback&order="+strings.ReplaceAll(order, " ", "+"))
		want.hold(t, r, "careful")
	}
}

func TestLogInsideRetryTellsOfAttempts(t *testing.T) {
	r := labtest.Run(t, theLab(t), quick+"show=careful&outage=0&order=log,retry,log")
	lines := r.Count(func(e trace.Event) bool {
		return e.Kind == trace.Note && strings.HasPrefix(e.Text, "GET http://api/flaky:")
	})
	if lines != 1+3 {
		t.Errorf("%d lines for a request of three attempts, want one and three", lines)
	}
}

func TestABodyOfKnownLengthFailsOnOurSide(t *testing.T) {
	r := labtest.Run(t, theLab(t), quick+"body=known&outage=0&order=log,retry,auth,cache")
	facts{"bodies that arrived empty": 0, "orders that failed on our own side": 3}.hold(t, r, "naive")
	facts{"bodies that arrived empty": 0, "orders that failed on our own side": 0}.hold(t, r, "careful")

	// And to a breaker it looks as if the server failed.
	r = labtest.Run(t, theLab(t), "stay=0&fresh=0&body=known&outage=0&cooldown=5000")
	facts{"orders that failed on our own side": 1, "refused by the breaker": 11}.hold(t, r, "naive")
}

func TestAStrictServerRefusesTwoTokens(t *testing.T) {
	r := labtest.Run(t, theLab(t), quick+"strict=true&outage=0")
	facts{"Authorization lines in one request, at most": 2}.hold(t, r, "naive")
	if verdict(r, "careful") != "good" {
		t.Errorf("the careful one: %q", verdict(r, "careful"))
	}
}

// TestStaleNewsAreChecked: kept, given out while fresh, then found still good.
func TestStaleNewsAreChecked(t *testing.T) {
	cell := func(r *labtest.Running, row, column string) (text string) {
		for _, e := range r.Log.Events() {
			if e.Attrs[trace.GridAttr] != "" && strings.HasPrefix(e.From, "careful/"+row) && e.Name == column {
				text = e.Text
			}
		}
		return text
	}
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "stay=0&fresh=1&fail=0&outage=0&show=careful&network=link&delay=1")
		for row, want := range map[string]string{"10 GET": "stored", "11 GET": "hit", "14 GET": "stale, still good"} {
			if got := cell(r, row, "cache"); got != want {
				t.Errorf("row %s: the cache says %q, want %q", row, got, want)
			}
		}
		if got := cell(r, "11 GET", "network"); got != "–" {
			t.Errorf("an answer of the cache went by the network: %q", got)
		}
		if got := cell(r, "14 GET", "network"); got != "304" {
			t.Errorf("the check was answered with %q", got)
		}
	})
}

func TestBadParametersAreNamed(t *testing.T) {
	for query, field := range map[string]string{
		"order=log+onion": "order", "order=cache+cache": "order", "order=log+log+log": "order",
		"fresh=0.5": "fresh", "after=1.5": "after", "attempts=6&after=2&outage=20": "attempts",
	} {
		values, _ := url.ParseQuery(query)
		_, err := theLab(t).Parse(values)
		if e, ok := errors.AsType[*lab.ParamError](err); !ok || e.Field != field {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestVisitorsSeeWhatTheServerSaw(t *testing.T) {
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), strings.Replace(quick, "stay=0", "stay=30", 1)+"network=loopback")
	r.Until("the end of the scenes", func(e trace.Event) bool { return e.Kind == trace.Note && strings.HasPrefix(e.Text, "All is asked") })
	curl := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "curl", append([]string{"-sS"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	at, moved := r.Live("careful.url"), r.Live("careful.url")+"/moved"
	if got := curl(r.Live("naive.url") + "/seen"); !strings.Contains(got, "3 × alice") || !strings.Contains(got, "0 B  200") {
		t.Errorf("the naive server saw:\n%s", got)
	}
	if got := curl(at + "/seen"); strings.Contains(got, "3 × alice") || !strings.Contains(got, "12 B  200") {
		t.Errorf("the careful server saw:\n%s", got)
	}
	if got := curl("-L", "-H", "Authorization: Bearer mine", moved); !strings.Contains(got, "no token came along") {
		t.Errorf("curl -L: %s", got)
	}
	if got := curl("-L", "--location-trusted", "-H", "Authorization: Bearer mine", moved); !strings.Contains(got, "told me a token") {
		t.Errorf("curl --location-trusted: %s", got)
	}
	codes := ""
	for range 3 {
		codes += curl("-o", "/dev/null", "-w", "%{http_code} ", at+"/flaky")
	}
	if codes != "503 503 200 " {
		t.Errorf("the flaky server answers %s", codes)
	}
	if got := curl("-o", "/dev/null", "-w", "%{http_code}", "-H", `If-None-Match: "1"`, at+"/news"); got != "304" {
		t.Errorf("news, if changed: %s", got)
	}
	for path, want := range map[string]string{"/nothing": "404", "/me": "401"} {
		if got := curl("-o", "/dev/null", "-w", "%{http_code}", at+path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := curl("-o", "/dev/null", "-w", "%{http_code}", "-d", strings.Repeat("x", 5000), at+"/orders"); got != "413" {
		t.Errorf("an order of 5000 bytes: %s", got)
	}
	r.Act("down")
	for range 2 {
		r.Act("ask")
	}
	r.Until("the breaker opens", func(e trace.Event) bool {
		return e.Kind == trace.State && e.From == "careful/breaker" && e.Text == "open" && e.Seq > 1
	})
	r.Stop()
}

// A crowd of visitors does not push out of the server's memory what the run's own
// client did.
func TestVisitorsChangeNothingOfWhatIsTold(t *testing.T) {
	need.Tool(t, "curl", "curl")
	r := labtest.Start(t, theLab(t), strings.Replace(quick, "stay=0", "stay=30", 1)+"network=loopback&show=naive")
	r.Until("the end of the scenes", func(e trace.Event) bool { return e.Kind == trace.Note && strings.HasPrefix(e.Text, "All is asked") })
	labtest.Shell(t, "curl -sS -o /dev/null '"+r.Live("naive.url")+"/status?[1-300]'")
	before, seen := len(r.Log.Events()), r.Fact("naive", "seen by api")
	r.Act("ask")
	r.Until("a new verdict", func(e trace.Event) bool { return e.Attrs[trace.VerdictAttr] != "" && e.Seq > uint64(before) })
	facts{"seen by api": seen + 2, "Authorization lines in one request, at most": 3, "bodies that arrived empty": 6}.hold(t, r, "naive")
	if verdict(r, "naive") != "bad" {
		t.Error("with many visitors nothing is wrong any more")
	}
	r.Stop()
}

// A run that is ended early has what was seen until then, and says so.
func TestWhatWasSeenIsKept(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "network=link&delay=100&duration=60")
	for _, way := range []string{"naive", "careful"} {
		r.Until("an answer", func(e trace.Event) bool {
			return e.Kind == trace.Message && e.From == way+"/api" && e.Layer == trace.HTTP
		})
	}
	r.Stop()
	for _, way := range []string{"naive", "careful"} {
		if n := r.Fact(way, "seen by api"); n == 0 {
			t.Errorf("%s: nothing was seen", way)
		}
		if r.Count(func(e trace.Event) bool {
			return e.From == way && e.Attrs[trace.VerdictAttr] != "" && strings.HasPrefix(e.Text, "The run was over ")
		}) != 1 {
			t.Errorf("%s: no verdict says that the run was over", way)
		}
	}
}
