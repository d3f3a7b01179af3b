package peer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"peerlab/signaling"
	"peerlab/signaling/envelope"
	"peerlab/trace"
)

func TestTwoPeersMeetAndChat(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	a, b, ab, ba := r.pair(nil)

	if err := ab.Chat().Send("hello <b>"); err != nil {
		t.Fatal(err)
	}
	if got := next(t, b.chats, "chat"); got.Text != "hello <b>" {
		t.Errorf("got %q", got.Text)
	}
	if err := ba.Chat().Send("hello to you"); err != nil {
		t.Fatal(err)
	}
	if got := next(t, a.chats, "chat"); got.Text != "hello to you" {
		t.Errorf("got %q", got.Text)
	}
	if err := ab.Chat().Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if p := ab.Path(); !p.Connected || p.Relayed || p.Protocol != "udp" {
		t.Errorf("path %+v", p)
	}
	b.leave()
	a.take(ab.Done(), "the link of one who left")
	if a.Links() != nil && len(a.Links()) != 0 {
		t.Errorf("links %v", a.Links())
	}
}

func sumOf(t *testing.T, g Generated) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(g, 0, g.Size)); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestAFileArrivesWithItsHash(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	_, b, ab, _ := r.pair(nil)
	data := Generated{Size: 8_000_001, Seed: 7}
	sent, err := ab.Files().Send(File{Offer: Offer{Name: "big.bin", Size: data.Size}, Source: data})
	if err != nil {
		t.Fatal(err)
	}
	got := next(t, b.files, "transfer")
	sent.Pause()
	if s := sent.Status(); !s.PausedHere {
		t.Errorf("%+v", s)
	}
	eventually(t, "paused there", func() bool { return got.Status().PausedThere })
	sent.Resume()
	if s, err := sent.Wait(t.Context()); err != nil || s.State != Done {
		t.Fatalf("%+v %v", s, err)
	}
	if s := got.Status(); s.State != Done || s.SHA256 != sumOf(t, data) || s.Moved != data.Size {
		t.Errorf("received %+v", s)
	}
}

func TestTheRecordShowsTheLadder(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	log := trace.New(0)
	b := r.join("ben", nil)
	a := r.join("ann", func(c *Config) { c.Trace = log }) // the newcomer offers
	l := a.link()
	b.link()
	l.Chat().Send("first")
	if err := l.Chat().Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var order []string
	seen := map[string]bool{}
	for _, e := range log.Events() {
		step := fmt.Sprintf("%s %s %s", e.Kind, e.From, e.Name)
		switch e.Kind {
		case trace.State:
			step += " " + e.Text
		case trace.Message:
			if strings.Contains(e.Attrs["sdp"], "a=ice-pwd:") && !strings.Contains(e.Attrs["sdp"], "a=ice-pwd:…") {
				t.Error("the record has an ICE password")
			}
		}
		if !seen[step] {
			seen[step] = true
			order = append(order, step)
		}
	}
	for _, want := range []string{"message ann candidate", "message ben candidate", "message ben first message"} {
		if !seen[want] {
			t.Errorf("no %q in %v", want, order)
		}
	}
	at := 0
	for _, want := range []string{
		"message ann offer", "message ben answer", "state ann ice checking", "span ann connectivity checks",
		"state ann dtls connected", "state ann sctp connected",
		"fact ann from meeting to open channels", "state ann link connected",
	} {
		i := slices.Index(order[at:], want)
		if i < 0 {
			t.Fatalf("no %q after %v in %v", want, order[:at], order[at:])
		}
		at += i
	}
}

func TestASessionIsRenewedBeforeItsKeyIsOld(t *testing.T) {
	t.Parallel() // it mostly waits
	r := newRoom(t, signaling.Config{})
	_, b, ab, ba := r.pair(func(c *Config) { c.Timing.RenewBytes = 1 << 20 })
	data := Generated{Size: 3 << 20, Seed: 2}
	sent, err := ab.Files().Send(File{Offer: Offer{Name: "f", Size: data.Size}, Source: data})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := sent.Wait(t.Context()); err != nil {
		t.Fatalf("%+v %v", s, err)
	}
	eventually(t, "renewed", func() bool {
		n, _ := ab.Usage()
		m, _ := ba.Usage()
		return n > 1 && m == n && ab.State() == StateConnected
	})
	ab.Chat().Send("over the next one")
	next(t, b.chats, "chat")
}

func TestLeavingWhileConnecting(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	for range 5 {
		a, b := r.join("ann", nil), r.join("ben", nil)
		next(t, a.links, "a link")
		a.stop()
		next(t, b.links, "a link")
		b.stop()
	}
}

func TestEveryoneInARoomIsLinked(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	var all []*member
	for i := range 4 {
		all = append(all, r.join(fmt.Sprint("peer ", i), nil))
	}
	for _, m := range all {
		for range 3 {
			m.link()
		}
	}
	for _, l := range all[0].Links() {
		l.Chat().Send("to all")
	}
	for _, m := range all[1:] {
		next(t, m.chats, "chat")
	}
}

// script is a Signaler that says what a test wants.
type script struct {
	in  chan envelope.Message
	out chan envelope.Message
}

func newScript() *script {
	return &script{in: make(chan envelope.Message, 64), out: make(chan envelope.Message, 1024)}
}

func (s *script) Receive(ctx context.Context) (envelope.Message, error) {
	select {
	case m, ok := <-s.in:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *script) Send(_ context.Context, m envelope.Message) error {
	select {
	case s.out <- m:
	default:
	}
	return nil
}

func (s *script) Close() error { return nil }

func (s *script) sends(t *testing.T, what string, is func(envelope.Message) bool) *envelope.Signal {
	t.Helper()
	for {
		if m := next(t, s.out, what); is(m) {
			signal, _ := m.(*envelope.Signal)
			return signal
		}
	}
}

func isOffer(session int32) func(envelope.Message) bool {
	return func(m envelope.Message) bool {
		s, ok := m.(*envelope.Signal)
		return ok && s.Description != nil && s.Description.Type == "offer" && s.Session == session
	}
}

func goPeer(id string, order int) envelope.Peer {
	return envelope.Peer{ID: id, Name: id, Kind: envelope.Go, Order: order}
}

func TestNegotiationFollowsTheRules(t *testing.T) {
	t.Parallel() // it mostly waits
	s := newScript()
	m := join(t, s, func(c *Config) { c.Timing = quick })
	s.in <- &envelope.Welcome{Self: goPeer("me", 2), Peers: []envelope.Peer{goPeer("older", 1)}}
	s.in <- &envelope.PeerJoined{Peer: goPeer("newer", 3)}
	s.in <- &envelope.PeerJoined{Peer: envelope.Peer{ID: "browser", Name: "b", Kind: envelope.Browser, Order: 0}}
	for range 3 {
		next(t, m.links, "a link")
	}
	offer := s.sends(t, "an offer", isOffer(1))
	if offer.To != "older" {
		t.Fatalf("an offer to %s, who is to offer", offer.To)
	}
	candidate := s.sends(t, "a candidate", func(m envelope.Message) bool {
		s, ok := m.(*envelope.Signal)
		return ok && s.Candidate != nil
	})
	if c := candidate.Candidate; c.SDPMid == nil || c.SDPMLineIndex == nil || c.UsernameFragment == nil || !strings.HasPrefix(c.Candidate, "candidate:") {
		t.Errorf("candidate %+v", c)
	}

	// What makes no sense is ignored, and so is what is stale.
	mid, line := "0", uint16(0)
	for _, signal := range []*envelope.Signal{
		{From: "nobody", Session: 1, Want: envelope.WantNewSession},
		{From: "older", Session: 9, Want: envelope.WantNewSession},
		{From: "older", Session: 1, Description: &envelope.Description{Type: "offer", SDP: offer.Description.SDP}},
		{From: "older", Session: 1, Description: &envelope.Description{Type: "answer", SDP: "v=0 nonsense"}},
		{From: "older", Session: 1, Candidate: &envelope.Candidate{Candidate: "candidate:garbage", SDPMid: &mid, SDPMLineIndex: &line}},
		{From: "newer", Session: 3, Want: envelope.WantICERestart},
		{From: "newer", Session: 3, Description: &envelope.Description{Type: "offer", SDP: "garbage"}},
	} {
		s.in <- signal
	}
	// The other side may ask for a new session.
	s.in <- &envelope.Signal{From: "older", Session: 1, Want: envelope.WantNewSession}
	s.sends(t, "a new session", isOffer(2))

	// An offer to the one who answers is answered, in its session.
	s.in <- &envelope.Signal{From: "newer", Session: 7, Description: offer.Description}
	answer := s.sends(t, "an answer", func(m envelope.Message) bool {
		s, ok := m.(*envelope.Signal)
		return ok && s.Description != nil && s.Description.Type == "answer"
	})
	if answer.To != "newer" || answer.Session != 7 {
		t.Errorf("answer to %s in session %d", answer.To, answer.Session)
	}
	// It goes wrong, and the one who answers asks for another.
	want := s.sends(t, "a wish", func(m envelope.Message) bool {
		s, ok := m.(*envelope.Signal)
		return ok && s.Want != ""
	})
	if want.To != "newer" || want.Session != 7 {
		t.Errorf("wish %+v", want)
	}

	// With a new id everybody is somebody else.
	s.in <- &envelope.Welcome{Self: goPeer("me again", 5), Peers: []envelope.Peer{goPeer("older", 1)}}
	if again := s.sends(t, "an offer", isOffer(1)); again.To != "older" {
		t.Errorf("offer to %s", again.To)
	}
	eventually(t, "alone with the older", func() bool { return len(m.Links()) == 1 })
	s.in <- &envelope.PeerLeft{ID: "older", Reason: "bye"}
	eventually(t, "alone", func() bool { return len(m.Links()) == 0 })
	m.leave()
	s.sends(t, "bye", func(m envelope.Message) bool { _, ok := m.(*envelope.Bye); return ok })
}

func TestRunEndsWithTheMembership(t *testing.T) {
	for _, c := range []struct {
		last envelope.Message
		want error
	}{
		{&envelope.Bye{Reason: "shutdown"}, ErrServerBye},
		{nil, io.EOF},
	} {
		s := newScript()
		m := join(t, s, nil)
		s.in <- &envelope.Welcome{Self: goPeer("me", 1)}
		if c.last != nil {
			s.in <- c.last
		} else {
			close(s.in)
		}
		m.take(m.left, "ending")
		if !errors.Is(m.runsErr, c.want) {
			t.Errorf("%v, want %v", m.runsErr, c.want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{RelayTransport: "pigeon"}, {Timing: Timing{Renew: -1}}, {Timing: Timing{RenewBytes: -1}}} {
		if _, err := New(c, newScript()); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestRelaysAreFilteredByTransport(t *testing.T) {
	servers := []envelope.ICEServer{
		{URLs: []string{"stun:192.0.2.1", "gopher://x"}},
		{URLs: []string{"turn:192.0.2.1?transport=udp", "turn:192.0.2.1?transport=tcp"}, Username: "u", Credential: "c"},
		{URLs: []string{"turn:192.0.2.2"}}, // without credentials
	}
	for transport, want := range map[RelayTransport]int{RelayAny: 3, RelayUDP: 2, RelayTCP: 2} {
		p, err := New(Config{RelayTransport: transport}, newScript())
		if err != nil {
			t.Fatal(err)
		}
		p.setRelay(servers, 60)
		n := 0
		for _, s := range p.relay.servers {
			n += len(s.URLs)
		}
		if n != want {
			t.Errorf("%s: %+v", transport, p.relay.servers)
		}
	}
}
