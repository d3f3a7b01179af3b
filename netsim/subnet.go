package netsim

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
)

// node is whatever a line leads to: a host, or one side of a NAT.
type node interface {
	label() string            // what the tap calls it
	at() int                  // which lines are its own
	has(a netip.Addr) bool    // whether the address is its own
	receive(pkt *buffer.View) // takes the packet; called without locks
}

// subnet is one network: who has which address in it, and the way out. The
// first of a net is its internet, every other one is behind a NAT. It is
// guarded by Net.mu.
type subnet struct {
	prefix netip.Prefix
	inside *NAT // the way out of it; nil: there is none
	last   int  // the last part of the address given last
	nodes  map[netip.Addr]node
	groups map[netip.Addr][]*Host // multicast, RFC 1112
}

func newSubnet(prefix netip.Prefix, inside *NAT) *subnet {
	return &subnet{prefix: prefix, inside: inside, nodes: make(map[netip.Addr]node), groups: make(map[netip.Addr][]*Host)}
}

// free is the next address that nobody has had so far.
func (s *subnet) free() (netip.Addr, error) {
	for s.last < 254 {
		s.last++
		a := s.prefix.Addr().As4()
		a[3] = byte(s.last)
		if addr := netip.AddrFrom4(a); s.nodes[addr] == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%w: %s has no address left", ErrFull, s.prefix)
}

// next is where a packet to dst goes from this network, nil if nowhere.
func (s *subnet) next(dst netip.Addr) node {
	if to, ok := s.nodes[dst]; ok {
		return to
	}
	if s.inside != nil && !s.prefix.Contains(dst) && !dst.IsMulticast() {
		return s.inside.inner
	}
	return nil
}

// perfect tells whether the lines of this network lose nothing and take no
// time: the Link is that of the internet.
func (s *subnet) perfect() bool { return s.inside != nil }
