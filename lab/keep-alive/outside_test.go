package keepalive_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

// open is a run that stays open for visitors.
func open(t *testing.T, query string) *labtest.Running {
	t.Helper()
	r := labtest.Start(t, theLab(t), "part=retry&stay=100&duration=60&"+query)
	r.Live("url")
	return r
}

func TestCurlAgrees(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl", "curl")
	patient := open(t, "server-idle=5000")
	for number, want := range map[int]string{
		0: "1 opened\n0 opened\n", // kept
		1: "1 opened\n1 opened\n", // Connection: close
		2: "1 opened\n0 opened\n", // a second is less than five
	} {
		if got := patient.Command(number); got != want {
			t.Errorf("%s: %q, want %q", patient.Lab.Commands[number].Text, got, want)
		}
	}
	patient.Until("a request from outside", func(e trace.Event) bool {
		return e.Kind == trace.Message && e.From == lab.Outside && e.To == "door"
	})
	patient.Stop()
	tired := open(t, "server-idle=100")
	if got := tired.Command(2); got != "1 opened\n1 opened\n" {
		t.Errorf("a second between two requests, and a patience of 100 ms: %q", got)
	}
	tired.Stop()
}

func TestTheServerTiresOfNetcat(t *testing.T) {
	t.Parallel()
	need.Tool(t, "nc", "netcat-openbsd")
	r := open(t, "server-idle=150")
	if got := r.Command(3); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("nc: %q", got)
	}
	// How long it took shows better without the shell's own pause.
	c, err := net.Dial("tcp", net.JoinHostPort(r.Live("host"), r.Live("port")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "GET /warm HTTP/1.1\r\nHost: x\r\n\r\n")
	begin := time.Now()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 150*time.Millisecond || took > 10*time.Second {
		t.Errorf("the server closed after %s", took)
	}
	r.Stop()
}

func TestVisitorsAreBounded(t *testing.T) {
	t.Parallel()
	r := open(t, "server-idle=100")
	// One takes more connections than there are, and says nothing.
	for range 40 {
		c, err := net.Dial("tcp", net.JoinHostPort(r.Live("host"), r.Live("port")))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	// Another has to wait until the server has tired of some, and is served.
	client := &http.Client{Timeout: 25 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(r.Live("url"), "text/plain", bytes.NewReader(make([]byte, 1<<20)))
	if err != nil {
		if !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") { // it hung up before all was sent
			t.Error(err)
		}
	} else {
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a megabyte: %s", resp.Status)
		}
		resp.Body.Close()
	}
	resp, err = client.Get(r.Live("url") + "cut?x")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err) // the door hangs up on nobody
	}
	resp.Body.Close()
	r.Stop()
}
