package signaling

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

func TestResumeBringsWhatWasMissed(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, wa := r.join(room, "Ada")
	b, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)

	b.ws.NetConn().Close()
	if s := next[*envelope.PeerState](a); s.ID != wb.Self.ID || s.State != "away" {
		t.Errorf("state %+v", s)
	}
	if s := r.Stats(); s.Peers != 2 || s.Away != 1 {
		t.Errorf("stats %+v", s)
	}
	for i := range 3 {
		a.candidate(wb.Self.ID, fmt.Sprint("candidate ", i))
	}
	// One who comes meanwhile learns who is away.
	c, wc := r.join(room, "Cy")
	next[*envelope.PeerJoined](a)
	if s := next[*envelope.PeerState](c); len(wc.Peers) != 2 || s.ID != wb.Self.ID || s.State != "away" {
		t.Errorf("the third sees %+v and %+v", wc.Peers, s)
	}

	b, again := r.resume(room, wb.Resume)
	if !again.Resumed || again.Self != wb.Self || again.Resume == wb.Resume || len(again.Peers) != 2 {
		t.Errorf("welcome %+v", again)
	}
	for i := range 3 {
		if s := next[*envelope.Signal](b); s.From != wa.Self.ID || s.N != int64(i+1) || s.Candidate.Candidate != fmt.Sprint("candidate ", i) {
			t.Errorf("signal %+v", s)
		}
	}
	for _, other := range []*wire{a, c} {
		if s := next[*envelope.PeerState](other); s.ID != wb.Self.ID || s.State != "here" {
			t.Errorf("state %+v", s)
		}
	}
	a.want(wb.Self.ID, "ice-restart")
	if s := next[*envelope.Signal](b); s.Want != envelope.WantICERestart {
		t.Errorf("signal %+v", s)
	}
	if s := r.Stats(); s.Resumed != 1 || s.Joined != 3 || s.Away != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestResumeKeepsTheLast256(t *testing.T) {
	r := newRig(t, Config{MessageBurst: 1000})
	room := r.room()
	a, _ := r.join(room, "Ada")
	b, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)
	b.ws.NetConn().Close()
	next[*envelope.PeerState](a)
	for i := range 300 {
		a.candidate(wb.Self.ID, fmt.Sprint(i))
	}
	a.want("nobody", "ice-restart")
	next[*envelope.Error](a) // now all are in
	b, _ = r.resume(room, wb.Resume)
	for i := 300 - maxMissed; i < 300; i++ {
		if s := next[*envelope.Signal](b); s.Candidate.Candidate != fmt.Sprint(i) {
			t.Fatalf("signal %+v, want %d", s.Candidate, i)
		}
	}
}

func TestReplacedWhileStillOpen(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, wa := r.join(room, "Ada")
	old, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)
	fresh, again := r.resume(room, wb.Resume)
	if !again.Resumed || again.Self != wb.Self {
		t.Errorf("welcome %+v", again)
	}
	if bye := next[*envelope.Bye](old); bye.Reason != "replaced" {
		t.Errorf("bye %+v", bye)
	}
	old.closed(websocket.CloseNormalClosure)
	eventually(t, "the old socket is gone", func() bool { return r.Stats().Sockets == 2 })
	// For Ada nothing happened.
	fresh.want(wa.Self.ID, "ice-restart")
	if s := next[*envelope.Signal](a); s.From != wb.Self.ID {
		t.Errorf("signal %+v", s)
	}
}

// TestSignalsOnADeadPathAreNotLost has a client whose socket looks alive to
// the server but is read by nobody, as after a change of network.
func TestSignalsOnADeadPathAreNotLost(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, _ := r.join(room, "Ada")
	b, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)

	// What b reads, and whose ping it answers, is delivered …
	a.candidate(wb.Self.ID, "seen")
	next[*envelope.Signal](b)
	answered := make(chan struct{})
	b.ws.SetPingHandler(func(data string) error {
		defer close(answered)
		return b.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(patience))
	})
	go b.read() // to its end
	<-answered
	eventually(t, "the answer to the ping is in", func() bool { return unconfirmed(r.Hub, room, wb.Self.ID) == 0 })
	b.ws.SetPingHandler(func(string) error { return nil })

	// … what nobody answers for is not.
	a.candidate(wb.Self.ID, "lost 1")
	a.candidate(wb.Self.ID, "lost 2")
	a.want("nobody", "ice-restart")
	next[*envelope.Error](a)
	fresh, _ := r.resume(room, wb.Resume)
	for i, want := range []string{"lost 1", "lost 2"} {
		if s := next[*envelope.Signal](fresh); s.Candidate.Candidate != want || s.N != int64(i+2) {
			t.Errorf("signal %+v %+v, want %q", s, s.Candidate, want)
		}
	}
}

func unconfirmed(h *Hub, room, id string) int {
	r := h.room(room)
	r.mu.Lock()
	defer r.mu.Unlock()
	var q queue
	r.members[id].out.missed(&q)
	return len(q.frames)
}

func TestTokensWorkOnce(t *testing.T) {
	r := newRig(t, Config{})
	room, other := r.room(), r.room()
	_, w := r.join(room, "Ada")
	_, second := r.resume(room, w.Resume)
	for name, c := range map[string]struct{ room, token string }{
		"spent":           {room, w.Resume},
		"invented":        {room, "abc"},
		"of another room": {other, second.Resume},
	} {
		if _, got := r.resume(c.room, c.token); got.Resumed || got.Self.ID == w.Self.ID {
			t.Errorf("%s: welcome %+v", name, got)
		}
	}
	c, third := r.resume(room, second.Resume)
	if !third.Resumed {
		t.Errorf("welcome %+v", third)
	}
	c.send(`{"type":"bye"}`)
	c.closed(websocket.CloseNormalClosure)
	if _, got := r.resume(room, third.Resume); got.Resumed {
		t.Errorf("a place was resumed after bye: %+v", got)
	}
}

// TestResumingIsNotJoining has all joins of an address spent.
func TestResumingIsNotJoining(t *testing.T) {
	r := newRig(t, Config{JoinRate: 1e-9, JoinBurst: 2})
	room := r.room()
	_, wa := r.join(room, "Ada")
	_, wb := r.join(room, "Bo")
	first := wa.Resume
	stranger := func(token string) {
		t.Helper()
		c := r.open(room)
		c.send(`{"type":"join","v":1,"name":"Cy","kind":"go","resume":"` + token + `"}`)
		c.refused(envelope.CodeRateLimited, websocket.ClosePolicyViolation)
	}
	stranger("abc")
	for _, w := range []*envelope.Welcome{wa, wb} {
		for range 2 {
			_, again := r.resume(room, w.Resume)
			if !again.Resumed {
				t.Errorf("welcome %+v", again)
			}
			*w = *again
		}
	}
	stranger(first) // it is spent
	// Who comes back too often disturbs the others as well.
	stranger(wa.Resume)
	if s := r.Stats(); s.Joined != 2 || s.Resumed != 4 || s.Peers != 2 {
		t.Errorf("stats %+v", s)
	}
}

// TestResumingRefillsNothing has a client that hopes for a fresh allowance.
func TestResumingRefillsNothing(t *testing.T) {
	offer := func(to string) string {
		return `{"type":"signal","to":"` + to + `","session":1,"description":{"type":"offer","sdp":"v=0` + strings.Repeat("x", 40<<10) + `"}}`
	}
	want := func(to string) string {
		return `{"type":"signal","to":"` + to + `","session":1,"want":"ice-restart"}`
	}
	for name, c := range map[string]struct {
		cfg     Config
		before  int // messages, join included
		message func(to string) string
	}{
		"messages": {Config{MessageRate: 1e-9, MessageBurst: 10}, 10, want},
		"bytes":    {Config{ByteRate: 1e-9, ByteBurst: 70 << 10}, 2, offer},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.cfg)
			room := r.room()
			a, wa := r.join(room, "Ada")
			b, wb := r.join(room, "Bo")
			next[*envelope.PeerJoined](a)
			for range c.before - 1 {
				b.send(c.message(wa.Self.ID))
				next[*envelope.Signal](a)
			}
			b, again := r.resume(room, wb.Resume)
			if !again.Resumed {
				t.Errorf("welcome %+v", again)
			}
			b.send(c.message(wa.Self.ID))
			b.refused(envelope.CodeRateLimited, websocket.ClosePolicyViolation)
		})
	}
}
