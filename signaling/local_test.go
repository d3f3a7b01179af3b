package signaling

import (
	"context"
	"errors"
	"strings"
	"testing"

	"peerlab/signaling/envelope"
)

// signaler is what package peer wants of both ends here.
type signaler interface {
	Send(context.Context, envelope.Message) error
	Receive(context.Context) (envelope.Message, error)
	Close() error
}

var (
	_ signaler = (*Local)(nil)
	_ signaler = (*Client)(nil)
)

func receive[M envelope.Message](t testing.TB, s signaler) M {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		t.Fatalf("wanted %T: %v", *new(M), err)
	}
	got, ok := m.(M)
	if !ok {
		t.Fatalf("got %T %+v, wanted %T", m, m, *new(M))
	}
	return got
}

func TestLocalIsAMember(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, wa := r.join(room, "Ada")
	l, err := r.Join(t.Context(), room, "bot")
	if err != nil {
		t.Fatal(err)
	}
	w := receive[*envelope.Welcome](t, l)
	if w.Self.Kind != envelope.Go || len(w.Peers) != 1 || w.Peers[0] != wa.Self {
		t.Errorf("welcome %+v", w)
	}
	if joined := next[*envelope.PeerJoined](a); joined.Peer != w.Self {
		t.Errorf("joined %+v", joined)
	}
	a.want(w.Self.ID, "ice-restart")
	if s := receive[*envelope.Signal](t, l); s.From != wa.Self.ID || s.Want != envelope.WantICERestart {
		t.Errorf("signal %+v", s)
	}
	sdp := &envelope.Description{Type: "answer", SDP: "v=0\r\n"}
	if err := l.Send(t.Context(), &envelope.Signal{To: wa.Self.ID, Session: 1, Description: sdp}); err != nil {
		t.Fatal(err)
	}
	if s := next[*envelope.Signal](a); s.From != w.Self.ID || *s.Description != *sdp {
		t.Errorf("signal %+v", s)
	}
	if err := l.Send(t.Context(), &envelope.Signal{To: "nobody", Session: 1, Description: sdp}); err != nil {
		t.Fatal(err)
	}
	if e := receive[*envelope.Error](t, l); e.Code != envelope.CodeUnknownPeer {
		t.Errorf("error %+v", e)
	}
	l.Close()
	l.Close()
	if left := next[*envelope.PeerLeft](a); left.ID != w.Self.ID || left.Reason != "bye" {
		t.Errorf("left %+v", left)
	}
	if _, err := l.Receive(t.Context()); err != ErrClosed {
		t.Errorf("Receive after Close: %v", err)
	}
	if err := l.Send(t.Context(), &envelope.Signal{To: wa.Self.ID, Session: 1, Description: sdp}); err != ErrClosed {
		t.Errorf("Send after Close: %v", err)
	}
}

func TestLocalRefusals(t *testing.T) {
	r := newRig(t, Config{MaxPeers: 2})
	room := r.room()
	for _, c := range []struct{ room, name, code string }{
		{strings.Repeat("a", 26), "bot", envelope.CodeNoRoom},
		{room, "", envelope.CodeBadMessage},
		{room, strings.Repeat("x", 65), envelope.CodeBadMessage},
	} {
		var e *envelope.Error
		if _, err := r.Join(t.Context(), c.room, c.name); !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("Join as %q: %v, want %s", c.name, err, c.code)
		}
	}
	l, err := r.Join(t.Context(), room, "bot")
	if err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]envelope.Message{
		"session is missing":          &envelope.Signal{To: "a"},
		"to is missing":               &envelope.Signal{Session: 1},
		"from is filled in":           &envelope.Signal{From: "a", Session: 1},
		"a client sends signal, nat ": &envelope.Welcome{},
	} {
		if err := l.Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Send(%+v): %v, want %q", m, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	receive[*envelope.Welcome](t, l)
	if _, err := l.Receive(ctx); err != context.Canceled {
		t.Errorf("Receive: %v, want context.Canceled", err)
	}
}

func TestLocalThatDoesNotReceiveIsDropped(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	deaf, err := r.Join(t.Context(), room, "deaf")
	if err != nil {
		t.Fatal(err)
	}
	id := r.Peers(room)[0].ID
	other, err := r.Join(t.Context(), room, "other")
	if err != nil {
		t.Fatal(err)
	}
	receive[*envelope.Welcome](t, other)
	for range r.cfg.QueueFrames + 1 {
		if err := other.Send(t.Context(), &envelope.Signal{To: id, Session: 1, Want: envelope.WantICERestart}); err != nil {
			t.Fatal(err)
		}
	}
	if left := receive[*envelope.PeerLeft](t, other); left.ID != id || left.Reason != "dropped" {
		t.Errorf("left %+v", left)
	}
	var e *envelope.Error
	if _, err := deaf.Receive(t.Context()); !errors.As(err, &e) || e.Code != envelope.CodeTooSlow {
		t.Errorf("Receive: %v, want too-slow", err)
	}
	if _, err := deaf.Receive(t.Context()); err != ErrClosed {
		t.Errorf("Receive: %v, want ErrClosed", err)
	}
}
