package signaling

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// TestBadClientsAreToldWhy has each misbehave in a room with two good members,
// who notice nothing but its coming and going.
func TestBadClientsAreToldWhy(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, wa := r.join(room, "Ada")
	b, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)

	const join = `{"type":"join","v":1,"name":"Mal","kind":"browser"}`
	text := func(s string) func(*wire) { return func(c *wire) { c.send(s) } }
	for name, bad := range map[string]struct {
		first, then func(*wire)
		code, says  string
		closeCode   int
	}{
		"garbage first":        {text("hello"), nil, envelope.CodeBadMessage, "not JSON", websocket.ClosePolicyViolation},
		"garbage later":        {text(join), text("\x00\x01"), envelope.CodeBadMessage, "not JSON", websocket.ClosePolicyViolation},
		"a wrong field":        {text(`{"type":"join","v":1,"name":"","kind":"go"}`), nil, envelope.CodeBadMessage, "join: name is missing", websocket.ClosePolicyViolation},
		"another version":      {text(`{"type":"join","v":2}`), nil, envelope.CodeBadVersion, "version 1", websocket.ClosePolicyViolation},
		"signal first":         {text(`{"type":"signal","to":"a","session":1,"want":"ice-restart"}`), nil, envelope.CodeBadMessage, "first message", websocket.ClosePolicyViolation},
		"join twice":           {text(join), text(join), envelope.CodeBadMessage, "once", websocket.ClosePolicyViolation},
		"an unknown type":      {text(join), text(`{"type":"dance"}`), envelope.CodeBadMessage, `"dance"`, websocket.ClosePolicyViolation},
		"a server's message":   {text(join), text(`{"type":"peer-left","id":"` + wa.Self.ID + `","reason":"bye"}`), envelope.CodeBadMessage, "server", websocket.ClosePolicyViolation},
		"a forged sender":      {text(join), text(`{"type":"signal","from":"` + wa.Self.ID + `","session":1,"want":"ice-restart"}`), envelope.CodeBadMessage, "from", websocket.ClosePolicyViolation},
		"too large":            {text(join), text(`{"type":"bye","pad":"` + strings.Repeat("x", envelope.MaxSize) + `"}`), envelope.CodeTooLarge, "64 KiB", websocket.CloseMessageTooBig},
		"too large first":      {text(strings.Repeat(" ", 200<<10)), nil, envelope.CodeTooLarge, "64 KiB", websocket.CloseMessageTooBig},
		"too large on its way": {text(join), text(`{"type":"signal","to":"` + wb.Self.ID + `","session":1,"description":{"type":"offer","sdp":"v=0` + strings.Repeat("\u2028", 16000) + `"}}`), envelope.CodeTooLarge, "64 KiB", websocket.CloseMessageTooBig},
		"a length beyond reason": {text(join), func(c *wire) {
			c.ws.NetConn().Write([]byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04"))
		}, envelope.CodeTooLarge, "64 KiB", websocket.CloseMessageTooBig},
		"binary": {text(join), func(c *wire) { c.ws.WriteMessage(websocket.BinaryMessage, []byte(join)) },
			envelope.CodeBadMessage, "text", websocket.ClosePolicyViolation},
		"many messages": {text(join), func(c *wire) {
			for range 600 {
				if c.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"signal","to":"x","session":1,"want":"ice-restart"}`)) != nil {
					return
				}
			}
		}, envelope.CodeRateLimited, "too many messages", websocket.ClosePolicyViolation},
		"many pings": {text(join), func(c *wire) {
			for range 600 {
				c.ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(patience))
			}
		}, envelope.CodeRateLimited, "too many messages", websocket.ClosePolicyViolation},
		"many empty fragments": {text(join), func(c *wire) {
			c.ws.NetConn().Write([]byte{0x01, 0x80, 1, 2, 3, 4})
			c.ws.NetConn().Write([]byte(strings.Repeat("\x00\x80\x01\x02\x03\x04", 60_000)))
		}, envelope.CodeRateLimited, "too much data", websocket.ClosePolicyViolation},
	} {
		c := r.open(room)
		bad.first(c)
		if bad.then != nil {
			next[*envelope.Welcome](c)
			next[*envelope.PeerJoined](a)
			next[*envelope.PeerJoined](b)
			bad.then(c)
		}
		e := skipUnknownPeer(c)
		if e.Code != bad.code || !e.Fatal || !strings.Contains(e.Message, bad.says) {
			t.Errorf("%s: told %+v, want %s: …%s…", name, e, bad.code, bad.says)
		}
		c.closed(bad.closeCode)
		if bad.then != nil {
			if left := next[*envelope.PeerLeft](a); left.Reason != "dropped" {
				t.Errorf("%s: %+v", name, left)
			}
			next[*envelope.PeerLeft](b)
		}
		a.want(wb.Self.ID, "ice-restart")
		if s := next[*envelope.Signal](b); s.From != wa.Self.ID {
			t.Errorf("%s: signal %+v", name, s)
		}
	}
}

// skipUnknownPeer reads up to the first fatal error.
func skipUnknownPeer(c *wire) *envelope.Error {
	c.t.Helper()
	for {
		if e := next[*envelope.Error](c); e.Code != envelope.CodeUnknownPeer {
			return e
		}
	}
}

func TestSlowReaderIsDropped(t *testing.T) {
	// What is under way has to be read within linger, by a busy machine, too: so
	// let it be little.
	r := newNarrowRig(t, Config{MessageRate: 1e6, MessageBurst: 1e6, ByteRate: 1 << 30, ByteBurst: 1 << 30, QueueBytes: 512 << 10})
	room := r.room()
	a, wa := r.join(room, "Ada")
	b, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)

	slow := r.open(room)
	slow.send(`{"type":"join","v":1,"name":"slow","kind":"browser"}`)
	id := next[*envelope.PeerJoined](a).Peer.ID
	next[*envelope.PeerJoined](b)

	// Ada sends to both, until the slow one is out. It takes a while, because
	// the kernel's buffers have to fill first.
	sdp, err := json.Marshal("v=0" + strings.Repeat("x", 40<<10))
	if err != nil {
		t.Fatal(err)
	}
	rest := fmt.Sprintf(`","session":1,"description":{"type":"offer","sdp":%s}}`, sdp)
	sent := 0
	for r.Stats().Dropped == 0 {
		a.send(`{"type":"signal","to":"` + id + rest)
		a.want(wb.Self.ID, "ice-restart")
		left := false // the news may come first
		for m := envelope.Message(nil); ; {
			if m, err = b.read(); err != nil {
				t.Fatal(err)
			}
			if s, ok := m.(*envelope.Signal); ok && s.From == wa.Self.ID {
				break
			}
			if p, ok := m.(*envelope.PeerLeft); !ok || p.ID != id || left {
				t.Fatalf("got %+v", m)
			}
			left = true
		}
		if left {
			break
		}
		if sent++; sent > 1000 {
			t.Fatal("40 MB are waiting for somebody who does not read")
		}
	}
	// It wakes up, and behind what was under way already it reads why.
	for {
		m, err := slow.read()
		if err != nil {
			t.Fatalf("not told why: %v", err)
		}
		if e, ok := m.(*envelope.Error); ok {
			if e.Code != envelope.CodeTooSlow || !e.Fatal {
				t.Errorf("told %+v", e)
			}
			break
		}
	}
	slow.closed(websocket.ClosePolicyViolation)
	if left := next[*envelope.PeerLeft](a); left.ID != id || left.Reason != "dropped" {
		t.Errorf("left %+v", left)
	}
	if s := r.Stats(); s.Dropped != 1 || s.Refused[envelope.CodeTooSlow] != 1 || s.Peers != 2 {
		t.Errorf("stats %+v", s)
	}
	eventually(t, "its socket is gone", func() bool { return r.Stats().Sockets == 2 })
}

func TestSilentSocketsDoNoHarm(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, wa := r.join(room, "Ada")
	b, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)
	var first *wire
	for i := range 1000 {
		c := r.open(room)
		if i == 0 {
			first = c
		}
		if i%100 == 0 {
			a.want(wb.Self.ID, "ice-restart")
			next[*envelope.Signal](b)
			b.want(wa.Self.ID, "new-session")
			next[*envelope.Signal](a)
		}
		if s := r.Stats(); s.Unjoined > 64 {
			t.Fatalf("%d sockets that have not joined", s.Unjoined)
		}
	}
	first.refused(envelope.CodeRateLimited, websocket.ClosePolicyViolation)
	// With the place of its address taken by silent sockets, one that speaks gets in.
	c, w := r.join(room, "Cy")
	if len(w.Peers) != 2 {
		t.Errorf("welcome %+v", w)
	}
	next[*envelope.PeerJoined](a)
	c.want(wa.Self.ID, "ice-restart")
	next[*envelope.Signal](a)
}

func TestSocketsAreBounded(t *testing.T) {
	r := newRig(t, Config{MaxSockets: 2})
	room := r.room()
	a, _ := r.join(room, "Ada")
	r.open(room)
	_, resp, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/rooms/"+room+"/ws", nil)
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the third socket: %v, %v", resp, err)
	}
	a.send(`{"type":"bye"}`)
	a.closed(websocket.CloseNormalClosure)
	a.ws.Close()
	eventually(t, "its place is free", func() bool { return r.Stats().Sockets == 1 })
	r.open(room)
	// A request that is no upgrade leaves no trace.
	for range 5 {
		resp, err := http.Get("http://" + r.addr + "/rooms/" + room + "/ws")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	if s := r.Stats(); s.Sockets != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestJoinsOfAnAddressAreLimited(t *testing.T) {
	header := func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("Client")) }
	r := newRig(t, Config{JoinRate: 1e-9, JoinBurst: 2, ClientAddr: header})
	room := r.room()
	join := func(addr string) *wire {
		ws, _, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/rooms/"+room+"/ws", http.Header{"Client": {addr}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ws.Close() })
		c := &wire{t, ws}
		c.send(`{"type":"join","v":1,"name":"x","kind":"go"}`)
		return c
	}
	next[*envelope.Welcome](join("2001:db8::1"))
	next[*envelope.Welcome](join("2001:db8::2"))
	join("2001:db8::ffff").refused(envelope.CodeRateLimited, websocket.ClosePolicyViolation) // the same /64
	next[*envelope.Welcome](join("2001:db8:0:1::1"))
	next[*envelope.Welcome](join("192.0.2.1"))
	next[*envelope.Welcome](join("::ffff:192.0.2.1"))
	join("192.0.2.1").refused(envelope.CodeRateLimited, websocket.ClosePolicyViolation)
}

func TestRoomsAreLimited(t *testing.T) {
	r := newRig(t, Config{CreateRate: 1e-9, CreateBurst: 2, MaxRooms: 3})
	one, two, three := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	for i, c := range []struct {
		addr netip.Addr
		want error
	}{{one, nil}, {one, nil}, {one, ErrRateLimited}, {two, nil}, {three, ErrTooManyRooms}} {
		if _, err := r.Create(c.addr); err != c.want {
			t.Errorf("room %d: %v, want %v", i, err, c.want)
		}
	}
}
