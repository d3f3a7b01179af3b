package netlab

import (
	"fmt"
	"net/netip"
)

// bridge is the name of a segment's bridge in the namespace that holds it.
const bridge = "lan0"

// Segment is one Ethernet: a bridge with hosts and routers plugged into it.
type Segment struct {
	lab *Lab
	// ns holds the bridge. It is the segment's default gateway.
	ns *namespace
	// gateway is the address of ns, with the length of the network.
	gateway netip.Prefix
	// last is the last address given out.
	last netip.Addr
	// ports counts the plugs ever made, to name them.
	ports int
}

// segment puts a bridge with the given address into the namespace.
func (l *Lab) segment(ns *namespace, gateway netip.Prefix) *Segment {
	l.t.Helper()
	l.must(ns.ip(
		"link add "+bridge+" type bridge",
		fmt.Sprintf("addr add %s dev %s", gateway, bridge),
		"link set "+bridge+" up",
	))
	first := gateway.Addr().As4()
	first[3] = 9
	return &Segment{lab: l, ns: ns, gateway: gateway, last: netip.AddrFrom4(first)}
}

// Host plugs a new host into the segment.
func (s *Segment) Host(name string) *Host {
	s.lab.t.Helper()
	h := &Host{lab: s.lab, ns: s.lab.namespace(name)}
	s.lab.must(h.plugInto(s))
	return h
}

// Router plugs a new router into the segment, with a LAN of its own behind it.
// Plugged into another router's LAN it makes a double NAT.
func (s *Segment) Router(name string, nat NAT) *Router {
	s.lab.t.Helper()
	r := &Router{Host: s.Host(name), nat: nat}
	s.lab.must(r.start())
	r.LAN = s.lab.segment(r.ns, s.lab.nextLAN())
	return r
}

// nextAddr gives out the next address of the segment.
func (s *Segment) nextAddr() (netip.Prefix, error) {
	next := s.last.Next()
	if bits := next.As4(); bits[3] == 255 {
		return netip.Prefix{}, fmt.Errorf("no address left in %s", s.gateway.Masked())
	}
	s.last = next
	return netip.PrefixFrom(next, s.gateway.Bits()), nil
}
