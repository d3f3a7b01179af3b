package signaling

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

func TestSocketURL(t *testing.T) {
	id := strings.Repeat("a2", 13)
	for in, want := range map[string]string{
		"http://h/rooms/" + id:               "ws://h/rooms/" + id + "/ws",
		"https://h:8443/rooms/" + id + "/":   "wss://h:8443/rooms/" + id + "/ws",
		"https://h/lab/rooms/" + id + "?x#y": "wss://h/lab/rooms/" + id + "/ws",
		"ws://[::1]:80/rooms/" + id + "/ws":  "ws://[::1]:80/rooms/" + id + "/ws",
		"wss://h/rooms/" + id + "/ws/":       "wss://h/rooms/" + id + "/ws",
		"ftp://h/rooms/" + id:                `scheme "ftp"`,
		"h/rooms/" + id:                      `scheme ""`,
		"http:///rooms/" + id:                "no host",
		"http://h/rooms/short":               "26 characters",
		"http://h/" + id:                     "26 characters",
		"http://h/rooms/" + id[1:] + "A":     "26 characters",
		"http://h\x00/rooms/" + id:           "room address",
	} {
		got, err := SocketURL(in)
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("SocketURL(%q) = %s, want %s", in, got, want)
		}
	}
}

func (r *rig) client(room, name string, change func(*ClientConfig)) *Client {
	r.t.Helper()
	cfg := ClientConfig{URL: "http://" + r.addr + "/rooms/" + room, Name: name, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	c, err := Dial(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

func TestClientSignals(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a := r.client(room, "Ada", nil)
	b := r.client(room, "Bo", func(c *ClientConfig) { c.Kind = envelope.Browser })
	wa, wb := receive[*envelope.Welcome](t, a), receive[*envelope.Welcome](t, b)
	if wa.Self.Kind != envelope.Go || wb.Self.Kind != envelope.Browser || len(wb.Peers) != 1 {
		t.Errorf("welcomes %+v %+v", wa, wb)
	}
	receive[*envelope.PeerJoined](t, a)
	if err := a.Send(t.Context(), &envelope.Signal{To: wb.Self.ID, Session: 1, Want: envelope.WantNewSession}); err != nil {
		t.Fatal(err)
	}
	if s := receive[*envelope.Signal](t, b); s.From != wa.Self.ID {
		t.Errorf("signal %+v", s)
	}
	if err := a.Send(t.Context(), &envelope.Signal{To: "nobody", Session: 1, Want: envelope.WantNewSession}); err != nil {
		t.Fatal(err)
	}
	receive[*envelope.Error](t, a)

	start := time.Now()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d >= linger {
		t.Errorf("Close took %v", d)
	}
	if left := receive[*envelope.PeerLeft](t, a); left.Reason != "bye" {
		t.Errorf("left %+v", left)
	}
	b.Close()
	if _, err := b.Receive(t.Context()); err != ErrClosed {
		t.Errorf("Receive after Close: %v", err)
	}
	if err := b.Send(t.Context(), &envelope.Signal{To: wa.Self.ID, Session: 1, Want: envelope.WantNewSession}); err != ErrClosed {
		t.Errorf("Send after Close: %v", err)
	}
}

func TestDialRefusals(t *testing.T) {
	r := newRig(t, Config{})
	none := "http://" + r.addr + "/rooms/" + strings.Repeat("a", 26)
	var e *envelope.Error
	if _, err := Dial(t.Context(), ClientConfig{URL: none, Name: "x"}); !errors.As(err, &e) || e.Code != envelope.CodeNoRoom {
		t.Errorf("no room: %v", err)
	}
	if _, err := Dial(t.Context(), ClientConfig{URL: none, Name: "a\nb"}); err == nil || !strings.Contains(err.Error(), "join: name contains a control") {
		t.Errorf("bad name: %v", err)
	}
	if _, err := Dial(t.Context(), ClientConfig{URL: "http://h/", Name: "x"}); err == nil {
		t.Error("bad address accepted")
	}
	notFound := httptest.NewServer(http.NotFoundHandler())
	defer notFound.Close()
	if _, err := Dial(t.Context(), ClientConfig{URL: notFound.URL + "/rooms/" + strings.Repeat("a", 26), Name: "x"}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("404: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, ClientConfig{URL: none, Name: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestDialGivesUpOnSilence has a server that takes the socket and says nothing.
func TestDialGivesUpOnSilence(t *testing.T) {
	var up websocket.Upgrader
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := up.Upgrade(w, r, nil); err == nil {
			defer ws.Close()
			io.Copy(io.Discard, ws.NetConn())
		}
	}))
	defer server.Close()
	_, err := Dial(t.Context(), ClientConfig{URL: server.URL + "/rooms/" + strings.Repeat("a", 26), Name: "x", Handshake: 50 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial: %v", err)
	}
}

func TestClientResumesThroughAFlakyPath(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	path := newFlaky(t, r.addr)
	a := r.client(room, "Ada", nil)
	b := r.client(room, "Bo", func(c *ClientConfig) { c.NetDial = path.dial })
	wa, wb := receive[*envelope.Welcome](t, a), receive[*envelope.Welcome](t, b)
	receive[*envelope.PeerJoined](t, a)
	for round := range 3 {
		path.cut(true)
		if s := receive[*envelope.PeerState](t, a); s.State != "away" {
			t.Errorf("state %+v", s)
		}
		signal := &envelope.Signal{To: wb.Self.ID, Session: int32(round + 1), Want: envelope.WantICERestart}
		if err := a.Send(t.Context(), signal); err != nil {
			t.Fatal(err)
		}
		// Sent while there is no path, it waits for the next.
		sent := make(chan error, 1)
		go func() {
			sent <- b.Send(t.Context(), &envelope.Signal{To: wa.Self.ID, Session: signal.Session, Want: envelope.WantNewSession})
		}()
		eventually(t, "some attempts fail", func() bool { return path.refusedSince() > 2 })
		path.cut(false)
		if w := receive[*envelope.Welcome](t, b); !w.Resumed || w.Self != wb.Self {
			t.Errorf("welcome %+v", w)
		}
		if s := receive[*envelope.Signal](t, b); s.Session != signal.Session {
			t.Errorf("signal %+v", s)
		}
		if err := <-sent; err != nil {
			t.Errorf("Send: %v", err)
		}
		if s := receive[*envelope.PeerState](t, a); s.State != "here" {
			t.Errorf("state %+v", s)
		}
		if s := receive[*envelope.Signal](t, a); s.From != wb.Self.ID {
			t.Errorf("signal %+v", s)
		}
	}
}

func TestClientJoinsAnewWhenItIsLate(t *testing.T) {
	r := newRig(t, Config{ResumeWindow: 50 * time.Millisecond})
	room := r.room()
	path := newFlaky(t, r.addr)
	a := r.client(room, "Ada", nil)
	b := r.client(room, "Bo", func(c *ClientConfig) { c.NetDial = path.dial })
	receive[*envelope.Welcome](t, a)
	wb := receive[*envelope.Welcome](t, b)
	receive[*envelope.PeerJoined](t, a)
	path.cut(true)
	receive[*envelope.PeerState](t, a)
	if left := receive[*envelope.PeerLeft](t, a); left.Reason != "timeout" {
		t.Errorf("left %+v", left)
	}
	path.cut(false)
	if w := receive[*envelope.Welcome](t, b); w.Resumed || w.Self.ID == wb.Self.ID || w.Self.Name != "Bo" {
		t.Errorf("welcome %+v", w)
	}
	receive[*envelope.PeerJoined](t, a)
}

func TestClientEndsForGood(t *testing.T) {
	t.Run("shutdown", func(t *testing.T) {
		r := newRig(t, Config{})
		c := r.client(r.room(), "Ada", nil)
		receive[*envelope.Welcome](t, c)
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if bye := receive[*envelope.Bye](t, c); bye.Reason != "shutdown" {
			t.Errorf("bye %+v", bye)
		}
		if _, err := c.Receive(t.Context()); err != ErrClosed {
			t.Errorf("Receive: %v", err)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		r := newRig(t, Config{})
		room := r.room()
		c := r.client(room, "Ada", nil)
		r.resume(room, receive[*envelope.Welcome](t, c).Resume)
		if bye := receive[*envelope.Bye](t, c); bye.Reason != "replaced" {
			t.Errorf("bye %+v", bye)
		}
		if _, err := c.Receive(t.Context()); err != ErrClosed {
			t.Errorf("Receive: %v", err)
		}
	})
	t.Run("the room is gone", func(t *testing.T) {
		r := newRig(t, Config{ResumeWindow: 10 * time.Millisecond, EmptyRoomLife: 10 * time.Millisecond})
		path := newFlaky(t, r.addr)
		room := r.room()
		c := r.client(room, "Ada", func(c *ClientConfig) { c.NetDial = path.dial })
		receive[*envelope.Welcome](t, c)
		path.cut(true)
		eventually(t, "the room ends", func() bool { return !r.Exists(room) })
		path.cut(false)
		var e *envelope.Error
		if _, err := c.Receive(t.Context()); !errors.As(err, &e) || e.Code != envelope.CodeNoRoom {
			t.Errorf("Receive: %v", err)
		}
	})
	t.Run("too long without a server", func(t *testing.T) {
		r := newRig(t, Config{})
		path := newFlaky(t, r.addr)
		c := r.client(r.room(), "Ada", func(c *ClientConfig) { c.NetDial, c.GiveUpAfter = path.dial, 30*time.Millisecond })
		receive[*envelope.Welcome](t, c)
		path.cut(true)
		if _, err := c.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "gave up") {
			t.Errorf("Receive: %v", err)
		}
	})
	t.Run("closed while reconnecting", func(t *testing.T) {
		r := newRig(t, Config{})
		path := newFlaky(t, r.addr)
		c := r.client(r.room(), "Ada", func(c *ClientConfig) { c.NetDial = path.dial })
		receive[*envelope.Welcome](t, c)
		path.cut(true)
		eventually(t, "an attempt fails", func() bool { return path.refusedSince() > 0 })
		c.Close()
		if _, err := c.Receive(t.Context()); err != ErrClosed {
			t.Errorf("Receive: %v", err)
		}
	})
}

// TestClientNoticesSilence has a path that swallows everything.
func TestClientNoticesSilence(t *testing.T) {
	r := newRig(t, Config{})
	path := newFlaky(t, r.addr)
	c := r.client(r.room(), "Ada", func(c *ClientConfig) {
		c.NetDial, c.PingAfter, c.DeadAfter = path.dial, 20*time.Millisecond, 200*time.Millisecond
	})
	receive[*envelope.Welcome](t, c)
	path.swallow()
	if w := receive[*envelope.Welcome](t, c); !w.Resumed {
		t.Errorf("welcome %+v", w)
	}
}

// flaky is a path to an address that a test can break.
type flaky struct {
	addr string

	mu      sync.Mutex
	broken  bool
	refused int
	conns   []*swallower
}

func newFlaky(t *testing.T, addr string) *flaky { t.Helper(); return &flaky{addr: addr} }

func (f *flaky) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		f.refused++
		return nil, errors.New("no path")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, f.addr)
	if err != nil {
		return nil, err
	}
	s := &swallower{Conn: conn}
	f.conns = append(f.conns, s)
	return s, nil
}

// cut breaks all connections and refuses new ones, or lets them through again.
func (f *flaky) cut(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken, f.refused = broken, 0
	for _, c := range f.conns {
		if broken {
			c.Conn.Close()
		}
	}
}

func (f *flaky) refusedSince() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// swallow makes the present connections go nowhere without breaking.
func (f *flaky) swallow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.mu.Lock()
		c.deaf = true
		c.mu.Unlock()
	}
}

type swallower struct {
	net.Conn
	mu   sync.Mutex
	deaf bool
}

func (s *swallower) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf {
		return len(p), nil
	}
	return s.Conn.Write(p)
}
