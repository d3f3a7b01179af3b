package peer

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"peerlab/leaks"
	"peerlab/signaling"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// room is a room of a real Hub in this process.
type room struct {
	t   testing.TB
	hub *signaling.Hub
	id  string
}

func newRoom(t testing.TB, cfg signaling.Config) *room {
	t.Helper()
	hub, err := signaling.NewHub(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close() })
	id, err := hub.Create(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	return &room{t, hub, id}
}

// member is a Peer that runs, and leaves at the end of the test.
type member struct {
	*Peer
	t       testing.TB
	leave   context.CancelFunc
	left    chan struct{}
	links   chan *Link
	chats   chan ChatMessage
	files   chan *Transfer
	states  chan State
	runsErr error
}

// join adds a member named so. It is up to adjust to change its Config.
func (r *room) join(name string, adjust func(*Config)) *member {
	r.t.Helper()
	local, err := r.hub.Join(r.t.Context(), r.id, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return join(r.t, local, adjust)
}

func join(t testing.TB, s Signaler, adjust func(*Config)) *member {
	t.Helper()
	m := &member{
		t: t, left: make(chan struct{}), links: make(chan *Link, 64), chats: make(chan ChatMessage, 1024),
		files: make(chan *Transfer, 64), states: make(chan State, 1024),
	}
	cfg := Config{Loopback: true, Handlers: Handlers{
		Link:     func(l *Link) { m.links <- l },
		State:    m.note,
		Chat:     func(_ *Link, c ChatMessage) { m.chats <- c },
		Transfer: func(_ *Link, t *Transfer) { m.files <- t },
		Accept:   func(context.Context, *Link, Offer) (Sink, error) { return Discard{}, nil },
	}}
	if adjust != nil {
		adjust(&cfg)
	}
	p, err := New(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	m.Peer = p
	var ctx context.Context
	ctx, m.leave = context.WithCancel(context.Background())
	go func() {
		defer close(m.left)
		m.runsErr = p.Run(ctx)
	}()
	t.Cleanup(m.stop)
	return m
}

// note keeps a state for until, as long as there is room.
func (m *member) note(_ *Link, s State) {
	select {
	case m.states <- s:
	default:
	}
}

func (m *member) stop() {
	m.leave()
	m.take(m.left, "leaving")
}

func (m *member) take(c <-chan struct{}, what string) {
	m.t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		m.t.Errorf("%s takes too long", what)
	}
}

// link waits for the next link and its channels.
func (m *member) link() *Link {
	m.t.Helper()
	l := next(m.t, m.links, "a link")
	m.connected(l)
	return l
}

func (m *member) connected(l *Link) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if err := l.Connected(ctx); err != nil {
		m.t.Fatalf("connect to %s: %v", l.Remote().Name, err)
	}
}

// until waits for a state of any link.
func (m *member) until(want State) {
	m.t.Helper()
	for next(m.t, m.states, string(want)) != want {
	}
}

func next[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited too long for %s", what)
		panic("unreachable")
	}
}

// pair joins two peers and waits for their links.
func (r *room) pair(adjust func(*Config)) (a, b *member, ab, ba *Link) {
	r.t.Helper()
	a, b = r.join("ann", adjust), r.join("ben", adjust)
	return a, b, a.link(), b.link()
}
