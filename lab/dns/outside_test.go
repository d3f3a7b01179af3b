package dnslab_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

// open is a run that has done its part and stays open.
func open(t *testing.T, query string) *labtest.Running {
	t.Helper()
	r := labtest.Start(t, theLab(t), "stay=100&duration=60&"+query)
	r.Until("staying open", func(e trace.Event) bool { return e.Kind == trace.Note && strings.HasPrefix(e.Text, "All is done") })
	return r
}

func TestDigAgrees(t *testing.T) {
	t.Parallel()
	need.Tool(t, "dig", "bind9-dnsutils")
	r := open(t, "part=trust")
	for _, c := range []struct {
		number int
		more   string
		want   []string
	}{
		{0, "", []string{"status: NOERROR", "flags: qr aa", `www.lab.test.\s+300\s+IN\s+CNAME\s+web`, `web.lab.test.\s+30\s`, `host.lab.test.\s+60\s+IN\s+A\s+192.0.2.10`}},
		{1, "", []string{"flags: qr rd ra", `host.lab.test.\s+(30|29|60|59)\s+IN\s+A\s+192.0.2.10`}},
		{2, "", []string{`bank.lab.test.\s+86400\s+IN\s+A\s+203.0.113.66`}},
		{3, "", []string{"Truncated, retrying in TCP mode", "ANSWER: 24"}},
		{3, "+ignore", []string{"flags: qr aa tc", "ANSWER: 10"}},
		{4, "", []string{"status: NXDOMAIN", `SOA`, `RRSIG`, `moving.lab.test.\s+5\s+IN\s+NSEC\s+ns1.lab.test`}},
		{5, "", []string{`AAAA\s+2001:db8::10`, `\(TLS\)`}},
		{6, "", []string{`AAAA\s+2001:db8::10`, `\(HTTPS\)`}},
		{8, "", []string{`66.2.0.192.in-addr.arpa.\s+300\s+IN\s+PTR\s+host.lab.test`}},
	} {
		out := r.Command(c.number, c.more)
		for _, want := range c.want {
			if !regexp.MustCompile(want).MatchString(out) {
				t.Errorf("%s %s: no %q in\n%s", r.Lab.Commands[c.number].Text, c.more, want, out)
			}
		}
	}
	r.Until("a question from outside", func(e trace.Event) bool {
		return e.Kind == trace.Message && e.From == "careful/"+lab.Outside && e.To == "careful/server"
	})
	r.Stop()
}

func TestCurlAsksByHTTPS(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl", "curl")
	r := open(t, "part=names")
	if out := r.Command(7); !strings.Contains(out, "w   e   b") {
		t.Errorf("the answer to a GET: %s", out)
	}
	url := "https://" + net.JoinHostPort(r.Live("careful.host"), r.Live("careful.doh-port")) + "/dns-query"
	for flags, want := range map[string]string{
		"": "400", "-d x": "415", "-X DELETE": "405", "-H 'Content-Type: application/dns-message' -d x": "400",
		"-H 'Content-Type: application/dns-message' -d '" + strings.Repeat("x", 5000) + "'": "413",
	} {
		if got := labtest.Shell(t, "curl -sk -o /dev/null -w '%{http_code}' "+flags+" "+url); got != want {
			t.Errorf("curl %.60s: %s, want %s", flags, got, want)
		}
	}
	r.Stop()
}

// TestDelvValidates has a validator of another make prove the answers by the
// zone's key alone.
func TestDelvValidates(t *testing.T) {
	t.Parallel()
	need.Tool(t, "dig", "bind9-dnsutils")
	need.Tool(t, "delv", "bind9-dnsutils")
	r := open(t, "part=names")
	at := fmt.Sprintf("@%s -p %s", r.Live("careful.host"), r.Live("careful.port"))
	key := strings.Fields(labtest.Shell(t, "dig +short "+at+" lab.test DNSKEY"))
	anchor := filepath.Join(t.TempDir(), "anchor")
	text := fmt.Sprintf("trust-anchors { lab.test. static-key %s %s %s \"%s\"; };\n", key[0], key[1], key[2], strings.Join(key[3:], ""))
	if err := os.WriteFile(anchor, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for question, want := range map[string]string{
		"host.lab.test A":    "fully validated",
		"www.lab.test AAAA":  "fully validated",
		"big.lab.test TXT":   "fully validated",
		"x.any.lab.test A":   "fully validated",
		"nowhere.lab.test A": "negative response, fully validated",
		"host.lab.test MX":   "negative response, fully validated",
		"office.lab.test A":  "negative response, fully validated",
		"x.any.lab.test TXT": "negative response, fully validated",
		"altered.lab.test A": "resolution failed",
	} {
		out, _ := exec.CommandContext(t.Context(), "bash", "-c", "delv "+at+" -a "+anchor+" +root=lab.test "+question+" 2>&1").Output()
		if !strings.Contains(string(out), want) {
			t.Errorf("delv %s: want %q in\n%s", question, want, out)
		}
	}
	r.Stop()
}

func TestTheButtonMovesTheName(t *testing.T) {
	t.Parallel()
	need.Tool(t, "dig", "bind9-dnsutils")
	r := open(t, "part=cache&ttl=1&lookups=0&pace=0")
	r.Act("move")
	ask := func(variant, port string) string {
		return strings.TrimSpace(labtest.Shell(t, fmt.Sprintf("dig +short @%s -p %s moving.lab.test", r.Live(variant+".host"), r.Live(variant+"."+port))))
	}
	r.Until("the careful resolver at the new address", func(e trace.Event) bool {
		return e.Kind == trace.State && e.From == "careful/client" && strings.HasPrefix(e.Text, "192.0.2.21")
	})
	for _, c := range []struct{ variant, port, want string }{
		{"naive", "port", "192.0.2.21"}, {"naive", "cache-port", "192.0.2.20"},
		{"careful", "port", "192.0.2.21"}, {"careful", "cache-port", "192.0.2.21"},
	} {
		if got := ask(c.variant, c.port); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.variant, c.port, got, c.want)
		}
	}
	r.Stop()
}

func TestHostileVisitorsDoNotHurtOthers(t *testing.T) {
	t.Parallel()
	r := open(t, "part=names")
	host := r.Live("careful.host")
	// One opens many connections, and sends the beginning of a message.
	for _, port := range []string{"careful.port", "careful.dot-port", "careful.doh-port"} {
		for range 15 {
			c, err := net.Dial("tcp", net.JoinHostPort(host, r.Live(port)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte{0xff}) // it may have been hung up on
		}
	}
	// Another sends rubbish.
	for _, port := range []string{"careful.port", "careful.cache-port", "naive.cache-port"} {
		c, err := net.Dial("udp", net.JoinHostPort(host, r.Live(port)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for i := range 300 {
			c.Write(bytes.Repeat([]byte{byte(i)}, i)) // what is refused is not answered
		}
		// Then a question, which is answered.
		query := append([]byte{7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "\x04host\x03lab\x04test\x00\x00\x01\x00\x01"...)
		c.SetDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 4096)
		for {
			if _, err := c.Write(query); err != nil {
				t.Fatal(err)
			}
			n, err := c.Read(buf)
			if err != nil {
				t.Fatalf("%s: %v", port, err)
			}
			if n > 12 && binary.BigEndian.Uint16(buf) == 0x0707 && bytes.Contains(buf[:n], []byte{192, 0, 2, 10}) {
				break
			}
		}
	}
	// The run's own client is served by TCP throughout.
	r.Stop()
	if n := r.Count(func(e trace.Event) bool { return e.Kind == trace.Message && strings.HasSuffix(e.From, lab.Outside) }); n > 300 {
		t.Errorf("visitors fill the record: %d messages", n)
	}
	c, err := net.Dial("tcp", net.JoinHostPort(host, r.Live("careful.port")))
	if err == nil {
		c.SetDeadline(time.Now().Add(5 * time.Second))
		io.Copy(io.Discard, c)
		c.Close()
		t.Error("the run is over, and its port still open")
	}
}
