package holepunching

import (
	"context"
	"fmt"
	"net/netip"

	"peerlab/lab"
	"peerlab/netsim"
)

// show is the punching that is seen packet by packet, with its facts.
func (s *stage) show(ctx context.Context) error {
	a, b, err := s.try(ctx, 0)
	if err != nil {
		return err
	}
	connected := a.ok && b.ok
	s.run.Fact("connected", truth(connected), "of 1")
	if connected {
		s.run.Fact("first packet through", lab.Milliseconds(min(a.path.first, b.path.first)), "ms")
		s.holder = &holder{stage: s, a: a, b: b}
	}
	for _, one := range []*side{s.a, s.b} {
		sent, refused := s.tally.of(one)
		s.run.Fact("packets sent by "+one.name, float64(sent), "packets")
		if one.nat != nil {
			s.run.Fact("packets refused by nat-"+one.name, float64(refused), "packets")
		}
	}
	s.explain(s.a, s.b, b)
	s.explain(s.b, s.a, a)
	if !connected {
		a.close()
		b.close()
	}
	return nil
}

// explain compares where one was seen by the rendezvous with where its packets
// to the other one came from, as its NAT has it.
func (s *stage) explain(one, other *side, seenBy outcome) {
	seen := seenBy.meeting.other
	if one.nat == nil || !seen[0].IsValid() {
		return
	}
	s.run.Fact(one.name+" seen by the rendezvous at port", float64(seen[0].Port()), "port")
	if port := toward(one.nat, other); port != 0 {
		s.run.Fact(one.name+"'s packets to "+other.name+" come from port", float64(port), "port")
		if port != seen[0].Port() {
			s.run.Note("The rendezvous has seen %s at port %d, and at port %d by its other door. What %s sends to %s comes from port %d, which %s could only guess.",
				one.name, seen[0].Port(), seen[1].Port(), one.name, other.name, port, other.name)
		}
	}
}

// toward is the outside port that a NAT has for packets to the other side, the first of several; 0
// if it has none.
func toward(nat *netsim.NAT, other *side) uint16 {
	at := other.host.Addr()
	if other.nat != nil {
		at = other.nat.External()
	}
	is := func(p netip.AddrPort) bool { return p.Addr() == at }
	for _, m := range nat.Mappings() {
		if m.Toward.IsValid() && is(m.Toward) {
			return m.External.Port()
		}
		if !m.Toward.IsValid() && m.Inside.Port() == 5000 {
			return m.External.Port() // one for all destinations
		}
	}
	return 0
}

// conclude says how it went with both ways, and by which rule.
func conclude(p Params, r *lab.Run, shown []*stage) {
	plainly, guessing := shown[0], shown[1]
	pair := fmt.Sprintf("a (%s) and b (%s)", p.A, p.B)
	a, b := plainly.hidden()
	switch {
	case plainly.holder == nil && !a && !b:
		const late = "The NATs are not the cause: packets were lost on this link, or came later than the two have waited."
		if guessing.holder != nil {
			r.Verdict(lab.Warn, "%s are connected at the second attempt only. %s %s", pair, plainly.rule(), late)
			return
		}
		r.Verdict(lab.Bad, "%s are not connected, though by the rule they would be. %s %s", pair, plainly.rule(), late)
	case plainly.holder != nil:
		r.Verdict(lab.Good, "%s are connected by punching alone. %s", pair, plainly.rule())
	case guessing.holder != nil:
		r.Verdict(lab.Warn, "%s are connected by guessing ports, and only so. %s %s", pair, plainly.rule(), guessing.rule())
	default:
		r.Verdict(lab.Bad, "%s are not connected. %s %s", pair, plainly.rule(), guessing.rule())
	}
}

func (s *stage) name() string {
	if s.predict {
		return prediction
	}
	return plain
}

// hidden tells who can only be reached at a port that nobody has seen.
func (s *stage) hidden() (a, b bool) { return hidden(s.p.A, s.p.B), hidden(s.p.B, s.p.A) }

// rule is what decides about this pair of NATs.
func (s *stage) rule() string {
	switch a, b := s.hidden(); {
	case !a && !b && (s.p.A == symmetric || s.p.B == symmetric):
		return "The port of the symmetric side can't be known, but the other side lets in any port of an address it has written to, and answers to where the knock came from."
	case !a && !b:
		return "Each has one port for all destinations, the one that the rendezvous has seen; both write to it, so both let in."
	case !s.predict:
		return "A symmetric NAT takes a new port for a new destination. The one that the rendezvous has seen leads nowhere else, and the other side's filter wants the exact port."
	case a && b:
		return "Both have to guess the port that the other one's guess is sent from."
	default:
		return "One side has a port that can be known; it has to have knocked at the one that the other NAT takes."
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// aim is what a peer knocks at, and with how many sockets.
func aim(sockets int, targets []netip.AddrPort) string {
	switch {
	case len(targets) == 0:
		return "at nothing"
	case sockets > 1:
		return fmt.Sprintf("at %s from %d sockets", targets[0], sockets)
	case len(targets) > 1:
		return fmt.Sprintf("at %d ports of %s", len(targets), targets[0].Addr())
	}
	return "at " + targets[0].String()
}
