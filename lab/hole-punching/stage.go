package holepunching

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

const meetingPlace = "rendezvous"

// stage is a network with the rendezvous and two sides.
type stage struct {
	p       Params
	predict bool
	quiet   bool // nothing of it is recorded
	run     *lab.Run
	tally   tally

	doors  [2]net.Addr
	sink   net.Addr // where neighbours send to
	a, b   *side
	holder *holder // of the hole that was shown, nil if there is none
}

// side is a host with its NAT and a neighbour.
type side struct {
	name      string
	kind      kind
	host      *lab.Host
	nat       *netsim.NAT // nil: none
	neighbour *lab.Host   // nil: none
}

// open makes the network.
func (s *stage) open() error {
	host, err := s.run.Host(meetingPlace)
	if err != nil {
		return err
	}
	v := &rendezvous{seen: map[guest]*[2]netip.AddrPort{}}
	for i, port := range []string{":3478", ":3479"} {
		if v.doors[i], err = host.ListenPacket("udp", port); err != nil {
			return err
		}
		s.doors[i] = v.doors[i].LocalAddr()
		s.run.Go(func(context.Context) error { return v.attend(i) })
	}
	sink, err := host.ListenPacket("udp", ":9")
	if err != nil {
		return err
	}
	s.sink = sink.LocalAddr()
	s.run.Go(func(context.Context) error { return discard(sink) })
	if s.a, err = s.side("a", s.p.A); err != nil {
		return err
	}
	s.b, err = s.side("b", s.p.B)
	return err
}

func (s *stage) side(name string, k kind) (*side, error) {
	one := &side{name: name, kind: k}
	var err error
	if k == none {
		one.host, err = s.run.Host(name)
		return one, err
	}
	if one.nat, err = s.run.NAT("nat-"+name, k.nat(s.p)); err != nil {
		return nil, err
	}
	if one.host, err = s.run.HostBehind(one.nat, name); err != nil {
		return nil, err
	}
	one.neighbour, err = s.run.HostBehind(one.nat, "neighbour-"+name)
	return one, err
}

// introduce says who is where, in the order of the lanes.
func (s *stage) introduce() {
	says := func(one *side) {
		s.run.State(trace.UDP, one.name, "address", one.host.Addr().String())
	}
	behaves := func(one *side) {
		if one.nat != nil {
			c := one.nat.Config()
			s.run.State(trace.UDP, one.nat.Name(), "address outside", one.nat.External().String())
			s.run.State(trace.UDP, one.nat.Name(), "behaviour", fmt.Sprintf("%s: mapping %s, filtering %s, ports %s", one.kind, c.Mapping, c.Filtering, c.Ports))
		}
	}
	says(s.a)
	behaves(s.a)
	s.run.State(trace.UDP, meetingPlace, "doors", fmt.Sprintf("%s, %s", s.doors[0], s.doors[1]))
	behaves(s.b)
	says(s.b)
}

// timing of a step: some rounds, and two round trips more than asked for.
func (s *stage) timing() timing {
	link := s.run.Settings().Link()
	wait := s.p.Wait + 4*(link.Delay+link.Jitter)
	return timing{pace: wait / 5, wait: wait}
}

// portsOfATry is how many ports lie between those of two tries.
const portsOfATry = 300

// outcome is how one try ended, for one side and for both.
type outcome struct {
	peer    *peer
	meeting meeting
	path    path
	ok      bool
}

// try lets the two meet and punch, by flows of their own. What they opened stays open.
func (s *stage) try(ctx context.Context, n int) (a, b outcome, err error) {
	results := [2]chan outcome{make(chan outcome, 1), make(chan outcome, 1)}
	for i, one := range []*side{s.a, s.b} {
		p := &peer{name: one.name, mail: make(chan letter, 256)}
		if err := s.socket(one, p, 5000+n*portsOfATry); err != nil {
			return a, b, err
		}
		luck := luckOf(s.run.Settings().Seed, n, one.name)
		s.run.Go(func(ctx context.Context) error {
			results[i] <- s.act(ctx, one, p, n, luck)
			return nil
		})
	}
	for i, out := range []*outcome{&a, &b} {
		select {
		case *out = <-results[i]:
		case <-ctx.Done():
			return a, b, ctx.Err()
		}
	}
	return a, b, nil
}

// luckOf is the randomness of one side in one try: the same for both variants
// and for the same seed. It is hashed since generators with seeds that are
// close to each other begin alike.
func luckOf(seed, try int, name string) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %d %s", seed, try, name))))
}

// socket opens one more socket of a peer and reads on it.
func (s *stage) socket(one *side, p *peer, port int) error {
	pc, err := one.host.ListenPacket("udp", fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	p.socks = append(p.socks, pc)
	s.run.Go(func(context.Context) error { return p.read(pc) })
	return nil
}

// act is the part of one side in a try.
func (s *stage) act(ctx context.Context, one *side, p *peer, n int, luck *rand.Rand) outcome {
	out := outcome{peer: p}
	end := s.begin(one, "meet")
	var met bool
	if out.meeting, met = p.meet(ctx, s.doors, n, s.timing()); !met {
		end("no answer from the rendezvous")
		return out
	}
	end(fmt.Sprintf("I am seen at %s, the other one at %s", out.meeting.me[0], out.meeting.other[0]))
	if err := one.bustle(s.sink, luck.IntN(s.p.Others+1)); err != nil {
		return out
	}
	targets := out.meeting.other[:1]
	if s.predict {
		targets = guesses(out.meeting.other, s.p.Guesses, luck)
		if _, regular := step(out.meeting.me); !regular && len(targets) == 1 {
			for i := 1; i < s.p.Sockets; i++ {
				if s.socket(one, p, 5000+n*portsOfATry+i) != nil {
					break // the run has no more: it goes on with fewer
				}
			}
		}
	}
	end = s.begin(one, "punch "+aim(len(p.socks), targets))
	if out.path, out.ok = p.punch(ctx, targets, s.timing()); out.ok {
		end(fmt.Sprintf("open to %s", out.path.to))
	} else {
		end("nothing came through")
	}
	return out
}

// begin records that a side does something, unless the stage is a quiet one.
func (s *stage) begin(one *side, what string) (end func(string)) {
	if s.quiet {
		return func(string) {}
	}
	return s.run.Begin(trace.App, one.name, what)
}

// bustle is the neighbour at work: so many flows of its own, each a socket.
func (one *side) bustle(to net.Addr, flows int) error {
	if one.neighbour == nil {
		return nil
	}
	for range flows {
		pc, err := one.neighbour.ListenPacket("udp", ":0")
		if err != nil {
			return err
		}
		send(pc, to, "busy")
		if err := pc.Close(); err != nil {
			return err
		}
	}
	return nil
}

func discard(pc net.PacketConn) error {
	buf := make([]byte, 100)
	for {
		if _, _, err := pc.ReadFrom(buf); err != nil {
			return nil // closed
		}
	}
}

func (out *outcome) close() {
	if out.peer == nil {
		return
	}
	for _, pc := range out.peer.socks {
		pc.Close()
	}
}

// tally counts what becomes of the packets of the two.
type tally struct {
	mu      sync.Mutex
	sent    map[string]int // by peer
	refused map[string]int // by NAT
}

func (t *tally) count(p netsim.Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sent == nil {
		t.sent, t.refused = map[string]int{}, map[string]int{}
	}
	switch {
	case p.Why == netsim.WhyFiltered || p.Why == netsim.WhyNoMapping:
		t.refused[p.From]++
	case p.Kind == netsim.UDP && (p.From == "a" || p.From == "b"):
		t.sent[p.From]++
	}
}

// of returns the counts of a peer and its NAT.
func (t *tally) of(one *side) (sent, refused int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent[one.name], t.refused["nat-"+one.name]
}
