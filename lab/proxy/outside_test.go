package proxy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/lab"
	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

// open is a run with nothing going on but what visitors do.
func open(t *testing.T, query string) *labtest.Running {
	t.Helper()
	r := labtest.Start(t, theLab(t), "requests=0&load=0&stay=100&duration=60"+query)
	for _, name := range []string{"director.url", "rewrite.url", "forward.proxy"} {
		r.Live(name)
	}
	r.Until("staying open", func(e trace.Event) bool { return e.Kind == trace.Note && strings.HasPrefix(e.Text, "All is done") })
	return r
}

// told is the part of an upstream's answer the tests look at.
type told struct {
	Client, Request string
	Headers         http.Header
}

func read(t *testing.T, answer string) (got told) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return got
}

func TestCommandsByCurl(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl", "curl")
	r := open(t, "")
	naive, fixed := read(t, r.Command(0)), read(t, r.Command(1))
	if naive.Client != "6.6.6.6" || naive.Headers.Get("X-Auth") != "" {
		t.Errorf("through the director: client %s, X-Auth %q", naive.Client, naive.Headers.Get("X-Auth"))
	}
	if fixed.Client != "127.0.0.1" || fixed.Headers.Get("X-Auth") == "" || fixed.Headers.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("through the one that lasts: client %s, headers %v", fixed.Client, fixed.Headers)
	}
	if codes := r.Command(2); codes != strings.Repeat("200\n", 6) {
		t.Errorf("answered %q", codes)
	}
	r.Act("kill")
	r.Until("the death of upstream-1", func(e trace.Event) bool {
		return e.Kind == trace.State && e.From == "director/upstream-1" && e.Name == "process" && e.Text == "dead"
	})
	if codes := r.Command(2); !strings.Contains(codes, "502") || !strings.Contains(codes, "200") {
		t.Errorf("with one of two upstreams dead: answered %q", codes)
	}
	if plain := read(t, r.Command(3)); plain.Request != "GET /absolute" || plain.Headers.Get("Via") == "" {
		t.Errorf("curl -x: %+v", plain)
	}
	if tunnel := read(t, r.Command(4)); tunnel.Request != "GET /tunnelled" || tunnel.Headers.Get("Via") != "" {
		t.Errorf("curl -p -x: %+v", tunnel)
	}
	if no := r.Command(5); !strings.Contains(no, "link-local address") {
		t.Errorf("169.254.169.254: %q", no)
	}
	for _, lane := range []string{"director/proxy", "rewrite/proxy", "forward/proxy"} {
		variant, _, _ := strings.Cut(lane, "/")
		r.Until("a visitor on "+lane, func(e trace.Event) bool {
			return e.Kind == trace.Message && e.From == variant+"/"+lab.Outside && e.To == lane
		})
	}
	r.Stop()
	if n := r.Fact("forward", "requests from outside"); n != 3 {
		t.Errorf("%g requests from outside to the forward proxy", n)
	}
}

func TestAWebSocketOfAnotherMake(t *testing.T) {
	t.Parallel()
	r := open(t, "")
	for _, variant := range []string{"director", "rewrite"} {
		c, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.Live(variant+".url"), "http")+"/websocket", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 5, 125, 126, 1000} {
			line := strings.Repeat("y", size)
			if err := c.WriteMessage(websocket.TextMessage, []byte(line)); err != nil {
				t.Fatal(err)
			}
			if _, back, err := c.ReadMessage(); err != nil || string(back) != line {
				t.Errorf("%d bytes came back as %d: %v", size, len(back), err)
			}
		}
		if err := c.WriteMessage(websocket.TextMessage, make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadMessage(); err == nil {
			t.Error("a frame larger than the echo takes was answered")
		}
		c.Close()
	}
	r.Stop()
}

// raw sends bytes and reads what comes until the other side closes.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, request) // it may be refused before all of it is read
	answer, _ := io.ReadAll(io.LimitReader(c, 64<<10))
	return string(answer)
}

func TestWhatTheForwardProxyRefuses(t *testing.T) {
	t.Parallel()
	r := open(t, "&target=")
	address := r.Live("forward.proxy")
	for _, c := range []struct{ target, status, why string }{
		{"127.0.0.1:80", "403", "loopback"},
		{"[::1]:80", "403", "loopback"},
		{"[::ffff:127.0.0.1]:443", "403", "loopback"},
		{"[64:ff9b::a00:1]:443", "403", "private"},
		{"[2002:7f00:1::]:80", "403", "loopback"},
		{"192.168.1.1:80", "403", "private"},
		{"100.64.0.1:80", "403", "cgnat"},
		{"224.0.0.1:80", "403", "multicast"},
		{"0.0.0.0:80", "403", "unspecified"},
		{"example.com:25", "403", "ports 80, 443"},
		{"example.com:443", "403", "no target of this run"}, // the test's Runner has no way out
		{"localhost:80", "403", "no target of this run"},
		{address, "403", "loopback"}, // itself
		{"proxy:3128", "403", "ports 80, 443"},
		{"example.com", "40", ""},
		{"example.com:99999", "40", ""},
		{":80", "40", ""},
	} {
		got := raw(t, address, fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", c.target))
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) || !strings.Contains(got, c.why) {
			t.Errorf("CONNECT %s: %q", c.target, got)
		}
	}
	for _, c := range []struct{ line, status, why string }{
		{"GET http://127.0.0.1:8080/ HTTP/1.1", "403", "loopback"},
		{"GET http://user:secret@10.1.2.3/ HTTP/1.1", "403", "private"},
		{"GET https://example.com/ HTTP/1.1", "400", "CONNECT"},
		{"GET ftp://example.com/ HTTP/1.1", "400", "CONNECT"},
		{"GET / HTTP/1.1", "400", "curl -x"},
	} {
		got := raw(t, address, c.line+"\r\nHost: x\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) || !strings.Contains(got, c.why) {
			t.Errorf("%s: %q", c.line, got)
		}
	}
	r.Stop()
	if n := r.Count(func(e trace.Event) bool { return strings.Contains(fmt.Sprint(e), "secret") }); n != 0 {
		t.Errorf("a password is in %d events", n)
	}
}

func TestATunnelCarriesBytesBothWaysAndEndsInSilence(t *testing.T) {
	t.Parallel()
	r := open(t, "&idle=1500")
	c, err := net.Dial("tcp", r.Live("forward.proxy"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	begin := time.Now() // the silence begins later: it can only be measured too long
	// The first request in the tunnel goes together with the CONNECT.
	io.WriteString(c, "CONNECT origin:80 HTTP/1.1\r\nHost: origin\r\n\r\nGET /early HTTP/1.1\r\nHost: origin\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	resp, err = http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || read(t, string(body)).Request != "GET /early" {
		t.Errorf("through the tunnel: %v: %s", err, body)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("the tunnel sends something by itself")
	}
	if took := time.Since(begin); took < 1500*time.Millisecond || took > 15*time.Second {
		t.Errorf("a silent tunnel ended after %s", took)
	}
	r.Stop()
}

func TestHostileVisitorsDoNotHurtOthers(t *testing.T) {
	t.Parallel()
	r := open(t, "")
	address := r.Live("forward.proxy")
	// One takes all the connections it can get, and says nothing.
	full := false
	for range 40 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		answer, _ := io.ReadAll(c)
		full = full || strings.HasPrefix(string(answer), "HTTP/1.1 503")
	}
	if !full {
		t.Error("40 connections of one visitor were all let in")
	}
	// The other doors are open, to headers and bodies of a size.
	rewrite := strings.TrimPrefix(r.Live("rewrite.url"), "http://")
	huge := raw(t, rewrite, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	if huge != "" && !strings.HasPrefix(huge, "HTTP/1.1 431") { // or reset before it was read
		t.Errorf("a huge header: %.200q", huge)
	}
	body := raw(t, rewrite, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 1_000_000))
	if body != "" && !strings.HasPrefix(body, "HTTP/1.1 413") && !strings.HasPrefix(body, "HTTP/1.1 400") && !strings.HasPrefix(body, "HTTP/1.1 502") {
		t.Errorf("a huge body: %.200q", body)
	}
	// And the run's own client is served throughout.
	seq := uint64(len(r.Log.Events()))
	r.Until("a request of the run itself", func(e trace.Event) bool {
		return e.Seq > seq && e.From == "rewrite/proxy" && e.To == "rewrite/client" && e.Name == "200 OK"
	})
	for i := range 150 {
		got := raw(t, rewrite, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", i))
		if !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatalf("request %d: %.200q", i, got)
		}
	}
	r.Stop()
	if n := r.Count(func(e trace.Event) bool { return e.Kind == trace.Message && e.From == "rewrite/"+lab.Outside }); n > 100 {
		t.Errorf("visitors fill the record: %d requests", n)
	}
	if n := r.Fact("rewrite", "requests from outside"); n < 150 {
		t.Errorf("%g requests from outside counted", n)
	}
}
