package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bystanders use a server in the ordinary way while somebody else attacks it:
// two members of a room that talk, and two relayed clients, over UDP and TCP,
// that hear their echo. Each round has a number, and the next one begins only
// when the last is complete and in order.
type bystanders struct {
	t     testing.TB
	room  string
	ann   *member
	loops []*loop
}

// loop is one conversation.
type loop struct {
	name   string
	rounds atomic.Int64
	ended  chan struct{} // closed with err set
	err    error
}

// betweenRounds keeps a member below its message rate.
const betweenRounds = 25 * time.Millisecond

// newBystanders starts the conversations. They go on until the test ends, or
// stop is called.
func newBystanders(t testing.TB, s *server, from, peer vantage) (b *bystanders, stop func()) {
	t.Helper()
	room := s.room()
	ann, bob := s.join(t, from, room, "ann"), s.join(t, from, room, "bob")
	ann.expect("peer-joined")
	to, entry := echo(t, peer), relayEntry(t, ann)
	udp, tcp := allocate(t, from, entry, "udp"), allocate(t, from, entry, "tcp")

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	one, other := listen(ann, bob.welcome.Self.ID), listen(bob, ann.welcome.Self.ID)
	b = &bystanders{t: t, room: room, ann: ann}
	for name, round := range map[string]func(n int) error{
		"the pair in the room": func(n int) error { return talk(one, other, n) },
		"the echo over UDP":    func(n int) error { return hear(udp, to, n, time.Second) },
		"the echo over TCP":    func(n int) error { return hear(tcp, to, n, patience) },
	} {
		l := &loop{name: name, ended: make(chan struct{})}
		b.loops = append(b.loops, l)
		running.Go(func() { l.run(ctx, round) })
	}
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return b, stop
}

func (l *loop) run(ctx context.Context, round func(n int) error) {
	defer close(l.ended)
	tick := time.NewTicker(betweenRounds)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if l.err = round(n); l.err != nil {
			l.err = fmt.Errorf("round %d: %w", n, l.err)
			return
		}
		l.rounds.Store(int64(n))
	}
}

// stillTalk expects every conversation to have gone on without a fault, and to
// go on.
func (b *bystanders) stillTalk(t testing.TB) {
	t.Helper()
	const more = 3
	for _, l := range b.loops {
		from := l.rounds.Load()
		eventually(t, l.name+" to go on", 2*patience, func() bool {
			select {
			case <-l.ended:
				t.Fatalf("%s: %v", l.name, l.err)
			default:
			}
			return l.rounds.Load() >= from+more
		})
	}
}

// talker is a member who always listens, as a browser does.
type talker struct {
	*member
	heard chan message
}

// listen passes on what m is told by the server, or by that other member. What
// others in the room say is passed over.
func listen(m *member, other string) talker {
	heard := make(chan message, 1)
	go func() {
		defer close(heard)
		m.ws.SetReadDeadline(time.Time{})
		for {
			_, data, err := m.ws.ReadMessage()
			if err != nil {
				return
			}
			var msg message
			if json.Unmarshal(data, &msg) != nil {
				return
			}
			if msg.From == other || msg.Type == "error" || msg.Type == "bye" {
				heard <- msg
			}
		}
	}()
	return talker{m, heard}
}

// talk sends a number from one member to the other and back.
func talk(a, b talker, n int) error {
	for _, way := range [][2]talker{{a, b}, {b, a}} {
		from, to := way[0], way[1]
		if err := from.write(candidateMessage(to.welcome.Self.ID, strconv.Itoa(n))); err != nil {
			select {
			case got := <-from.heard:
				err = fmt.Errorf("%w: %s hears %+v", err, from.welcome.Self.Name, got)
			case <-time.After(patience):
			}
			return err
		}
		select {
		case got := <-to.heard:
			if got.Candidate == nil || got.Candidate.Candidate != strconv.Itoa(n) {
				return fmt.Errorf("%s hears %+v, want number %d", to.welcome.Self.Name, got, n)
			}
		case got := <-from.heard:
			return fmt.Errorf("%s hears %+v", from.welcome.Self.Name, got)
		case <-time.After(patience):
			return fmt.Errorf("%s hears nothing in %v", to.welcome.Self.Name, patience)
		}
	}
	return nil
}

// hear sends a number through the relay until it has come back. Sending it again
// is for UDP, which may lose one when the machine is busy; what came twice is
// passed over.
func hear(through net.PacketConn, to netip.AddrPort, n int, again time.Duration) error {
	buf := make([]byte, 64)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		// Pion's client waits for more behind a frame of less than nine bytes.
		if _, err := through.WriteTo(fmt.Appendf(nil, "%016d", n), net.UDPAddrFromAddrPort(to)); err != nil {
			return err
		}
		through.SetReadDeadline(time.Now().Add(again))
		for {
			length, _, err := through.ReadFrom(buf)
			if err != nil {
				break // in time there is another try
			}
			got, err := strconv.Atoi(string(buf[:length]))
			if err != nil || got > n {
				return fmt.Errorf("%q comes back", buf[:length])
			}
			if got == n {
				return nil
			}
		}
	}
	return fmt.Errorf("no echo in %v", patience)
}
