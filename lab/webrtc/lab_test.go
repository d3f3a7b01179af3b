package webrtc_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/lab/webrtc"
	"peerlab/leaks"
	"peerlab/need"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func theLab(t testing.TB) *lab.Lab { return labtest.New(t, webrtc.Lab) }

func TestTheContract(t *testing.T) { labtest.Check(t, theLab(t), "stay=1&delay=5") }

func TestWhatIsLeftOutCostsNoRoundTrip(t *testing.T) {
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "delay=40&stay=0")
		step := func(variant, name string) float64 {
			return r.Fact(variant, name) / r.Fact(variant, "shortest round trip")
		}
		for name, c := range map[string]struct{ plain, tuned float64 }{
			"1. offer":            {1, 0}, // gathering
			"2. signaling":        {3, 2}, // gathering of the other side
			"4. DTLS handshake":   {2, 1}, // the cookie; the client began half a round trip before
			"5. SCTP association": {2, 2},
			"6. channel":          {1, 0},
			"7. first message":    {0.5, 0.5},
		} {
			plain, tuned := step("plain", name), step("tuned", name)
			if plain < c.plain-0.2 || plain > c.plain+0.9 || tuned < c.tuned-0.2 || tuned > c.tuned+0.9 {
				t.Errorf("%s takes %.2f and %.2f round trips, not %g and %g", name, plain, tuned, c.plain, c.tuned)
			}
		}
		if plain, tuned := r.Fact("plain", "until the first message"), r.Fact("tuned", "until the first message"); tuned >= plain {
			t.Errorf("%g ms as by default, %g ms with what can be saved", plain, tuned)
		}
	})
}

func TestTheOfferIsExplained(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "delay=5&stay=0&compare=trickle")
	lines := map[string]int{}
	for _, e := range r.Log.Events() {
		if e.Kind == trace.Message && strings.HasPrefix(e.To, "whole/1") {
			t.Errorf("a lane %s", e.To)
		}
		if e.Kind != trace.State || e.From != "whole/offer" && e.From != "whole/answer" {
			continue
		}
		lines[e.From]++
		if e.Text == "Not explained here." {
			t.Errorf("%s: nothing is said of %q", e.From, e.Name)
		}
		for _, what := range []string{"a=fingerprint:", " typ host", " typ srflx"} {
			if strings.Contains(e.Name, what) {
				lines[e.From+what]++
			}
		}
	}
	for _, from := range []string{"whole/offer", "whole/answer"} {
		if lines[from] < 15 || lines[from+"a=fingerprint:"] == 0 || lines[from+" typ host"] == 0 || lines[from+" typ srflx"] == 0 {
			t.Errorf("%s: %v", from, lines)
		}
	}
}

func TestAnOutageCostsATimer(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "delay=5&stay=0&compare=retry&outage=300")
	slow, quick := r.Fact("after-1-s", "4. DTLS handshake"), r.Fact("sooner", "4. DTLS handshake")
	checks := r.Fact("after-1-s", "3. ICE checks") // a part of the timer may run while a is still checking
	if slow+checks < 900 {
		t.Errorf("DTLS with a timer of 1 s was done after %g ms, and %g ms of checks", slow, checks)
	}
	labtest.Settles(t, func(t testing.TB) {
		if quick >= slow {
			t.Errorf("DTLS took %g ms with a timer of 100 ms, %g ms with one of 1 s", quick, slow)
		}
	})
}

func TestWhatChannelsPromise(t *testing.T) {
	t.Parallel()
	r := labtest.Run(t, theLab(t), "show=delivery&delay=15&losing=10&count=120&pace=10")
	for _, c := range []struct {
		channel   string
		all, held bool
	}{{"reliable", true, true}, {"unordered", true, false}, {"no-repeat", false, false}} {
		if got := r.Fact(c.channel, "delivered"); (got == 120) != c.all || got < 80 {
			t.Errorf("%s: %g of 120 messages were delivered", c.channel, got)
		}
		if held := r.Fact(c.channel, "held back by order"); (held > 0) != c.held {
			t.Errorf("%s: %g messages were held back", c.channel, held)
		}
		if over := r.Fact(c.channel, "overtaken"); c.channel == "reliable" && over != 0 {
			t.Errorf("%g messages overtaken on an ordered channel", over)
		}
	}
}

func TestChannelsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	labtest.Settles(t, func(t testing.TB) {
		r := labtest.Run(t, theLab(t), "show=pool&delay=15&losing=5&count=150")
		for _, v := range []string{"one-channel", "channels", "connections"} {
			if got := r.Fact(v, "delivered"); got != 150 {
				t.Errorf("%s: %g of 150 messages were delivered", v, got)
			}
		}
		one, several := r.Fact("one-channel", "held back by order"), r.Fact("channels", "held back by order")
		if one == 0 || several >= one {
			t.Errorf("%g messages were held back on one channel, %g on several", one, several)
		}
	})
}

// says finds a note or message with a text, after what there was before.
func says(text string) func(trace.Event) bool {
	return func(e trace.Event) bool { return strings.Contains(e.Name+" "+e.Text, text) }
}

func TestACallSurvivesWhatPeopleDo(t *testing.T) {
	t.Parallel()
	r := labtest.Start(t, theLab(t), "delay=5&stay=50&outage=50")
	r.Until("an echo", says("echo of message 2"))
	echoes := func() int { return r.Count(says("echo of message")) }
	for _, action := range []string{"restart", "cut"} {
		before := echoes()
		r.Act(action)
		r.Until("echoes after it", func(trace.Event) bool { return echoes() > before+12 })
	}
	r.Stop()
	if r.Count(func(e trace.Event) bool { return e.Kind == trace.Message && e.Name == "offer" }) < 8 {
		t.Error("no second offer was passed on by either call")
	}
	if n := r.Count(says("just as DTLS begins")); n != 2 {
		t.Errorf("%d outages, want one for each call, and none when they are connected again", n)
	}
}

func TestNothingToCompareIsRefused(t *testing.T) {
	for query, field := range map[string]string{"compare=retry": "outage", "compare=retry&outage=300&retry=1000": "retry"} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = theLab(t).Parse(values)
		if bad, ok := errors.AsType[*lab.ParamError](err); !ok || bad.Field != field {
			t.Errorf("%s: %v, want %s to be refused", query, err, field)
		}
	}
}

func TestWhoRunsOutOfTimeTellsHowFarItCame(t *testing.T) {
	t.Parallel()
	for _, show := range []string{"delivery&count=400&pace=500", "pool&count=400&rate=200"} {
		t.Run(show, func(t *testing.T) {
			t.Parallel()
			r := labtest.Run(t, theLab(t), "delay=5&duration=6&show="+show)
			if n := r.Count(func(e trace.Event) bool {
				return e.Attrs[trace.VerdictAttr] == string(lab.Warn) && strings.Contains(e.Text, "nearly over")
			}); n < 3 {
				t.Errorf("%d verdicts that say so", n)
			}
		})
	}
}

// TestTsharkDecryptsTheExport has somebody else read what a run leaves.
func TestTsharkDecryptsTheExport(t *testing.T) {
	t.Parallel()
	path := need.Tool(t, "tshark", "tshark")
	r := labtest.Run(t, theLab(t), "delay=5&stay=0&nat=none&compare=channel")
	var file bytes.Buffer
	if err := r.WritePcapng(&file); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file.Bytes(), []byte("message 1")) {
		t.Fatal("what is said can be read without keys")
	}
	dir := t.TempDir()
	name, key := filepath.Join(dir, "run.pcapng"), filepath.Join(dir, "any.pem")
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for file, body := range map[string][]byte{
		name: file.Bytes(),
		key:  pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(made)}),
	} {
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), path, "-r", name, "-o", fmt.Sprintf("dtls.keys_list:0.0.0.0,40000,sctp,%s;0.0.0.0,40001,sctp,%s", key, key),
		"-T", "fields", "-e", "sctp.chunk_type", "-e", "rtcdc.label", "-e", "data.data")
	cmd.Env = append(os.Environ(), "HOME="+dir) // nobody's preferences
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	for what, want := range map[string]string{"INIT": "1\t", "COOKIE ECHO": "10\t", "the channel": "\tchat\t", "the message": fmt.Sprintf("%x", "message 1")} {
		if !strings.Contains(string(out), want) {
			t.Errorf("tshark does not see %s in:\n%s", what, out)
		}
	}
}
