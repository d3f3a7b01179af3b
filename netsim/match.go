package netsim

import (
	"fmt"
	"slices"
)

// Kind is what a packet does in its protocol, the coarse name used to count
// draws and to pick packets to drop.
type Kind string

// The kinds. Each packet has exactly one: of a segment with several of them
// the first in this list counts.
const (
	Any    Kind = "" // in a Match: every packet
	RST    Kind = "RST"
	SYNACK Kind = "SYN-ACK"
	SYN    Kind = "SYN"
	FIN    Kind = "FIN"  // with or without data
	Data   Kind = "data" // carries bytes of the stream, retransmitted or not
	ACK    Kind = "ACK"  // nothing but an acknowledgement
	UDP    Kind = "UDP"
	ICMP   Kind = "ICMP"
	Other  Kind = "other"
)

var kinds = []Kind{Any, RST, SYNACK, SYN, FIN, Data, ACK, UDP, ICMP, Other}

// maxRules bounds the drops that wait for their packets.
const maxRules = 64

// maxNth bounds how far ahead a drop can wait, and how many it drops.
const maxNth = 1_000_000

// Match picks packets to drop.
type Match struct {
	// From and To are names of hosts or NATs, at the two ends of one line; empty is any.
	From, To string
	// Kind is the kind of packet; Any is each.
	Kind Kind
	// Nth says which matching packet, counted from now on, is the first to be
	// dropped; 0 and 1 are the next one.
	Nth int
}

// rule is a Match that waits for its packets.
type rule struct {
	Match
	skip, left int
}

// takes reports whether this packet is one to drop, and counts it.
func (r *rule) takes(from, to string, k Kind) bool {
	if r.From != "" && r.From != from || r.To != "" && r.To != to || r.Kind != Any && r.Kind != k {
		return false
	}
	if r.skip > 0 {
		r.skip--
		return false
	}
	r.left--
	return true
}

// DropNext drops the Nth packet that matches and those matching after it,
// count in all, before they reach the queue. A retransmission counts as what it
// repeats: dropping 2 SYN drops the first one and its repetition. Errors are ErrHost for a host
// that isn't there, ErrConfig for a bad kind or number, ErrFull when 64 drops
// are waiting already.
func (n *Net) DropNext(m Match, count int) error {
	if !slices.Contains(kinds, m.Kind) {
		return fmt.Errorf("%w: %q is not a kind of packet", ErrConfig, m.Kind)
	}
	if m.Nth < 0 || m.Nth > maxNth || count < 1 || count > maxNth {
		return fmt.Errorf("%w: dropping %d packets from number %d on", ErrConfig, count, m.Nth)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range []*string{&m.From, &m.To} {
		if *name == "" {
			continue
		}
		switch h, nat := n.byName[fold(*name)], n.nats[fold(*name)]; {
		case h != nil:
			*name = h.name
		case nat != nil:
			*name = nat.name
		default:
			return fmt.Errorf("%w: there is no host %q", ErrHost, *name)
		}
	}
	if len(n.rules) >= maxRules {
		return fmt.Errorf("%w: %d drops are waiting for their packets", ErrFull, maxRules)
	}
	n.rules = append(n.rules, &rule{Match: m, skip: max(0, m.Nth-1), left: count})
	return nil
}

// dropLocked tells whether a waiting drop takes this packet. Only one rule
// counts it, so two drops of "the next SYN" take two.
func (n *Net) dropLocked(from, to string, k Kind) bool {
	for i, r := range n.rules {
		if r.takes(from, to, k) {
			if r.left == 0 {
				n.rules = slices.Delete(n.rules, i, i+1)
			}
			return true
		}
	}
	return false
}
