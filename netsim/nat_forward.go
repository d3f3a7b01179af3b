package netsim

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// outboundLocked translates a packet from the inside and sends it on.
func (nat *NAT) outboundLocked(view *buffer.View) {
	p, ok := open(view.AsSlice())
	var why string
	switch {
	case !ok:
		why = WhyMalformed
	case nat.cfg.BlockUDP && p.proto == protoUDP:
		why = WhyBlocked
	case !p.hop():
		why = WhyTTL
	default:
		why = nat.translateOut(p)
	}
	to := p.addrOrNone(destination)
	if why != "" {
		nat.net.refuseLocked(nat.outer, nat.out.label(to), view, why)
		return
	}
	if to == nat.external {
		if !nat.cfg.Hairpin {
			nat.net.refuseLocked(nat.outer, nat.firstInside(), view, WhyNoHairpin)
			return
		}
		nat.inboundLocked(view)
		return
	}
	nat.net.carryLocked(nat.outer, nat.out.next(to), nat.out, view)
}

// inboundLocked translates a packet from outside and sends it on, if the NAT
// has a mapping for it that lets it in.
func (nat *NAT) inboundLocked(view *buffer.View) {
	p, ok := open(view.AsSlice())
	var why string
	whose := nat.firstInside()
	switch {
	case !ok:
		why = WhyMalformed
	case nat.cfg.BlockUDP && p.proto == protoUDP:
		why = WhyBlocked
	case !p.hop():
		why = WhyTTL
	default:
		var m *mapping
		if m, why = nat.translateIn(p); m != nil {
			whose = nat.in.label(m.key.inside.Addr())
		}
	}
	if why != "" {
		nat.net.refuseLocked(nat.inner, whose, view, why)
		return
	}
	nat.net.carryLocked(nat.inner, nat.in.next(p.addr(destination)), nat.in, view)
}

// translateOut rewrites the source of a packet; why says why it can't.
func (nat *NAT) translateOut(p packet) (why string) {
	from, to := p.endpoint(source), p.endpoint(destination)
	outside := netip.AddrPortFrom(nat.external, 0)
	t := &nat.table
	switch {
	case !p.first:
		if !t.parts.known(nat, p, source) {
			return WhyFragment
		}
		return ""
	case p.proto == protoICMP && p.isError():
		q, ok := p.quoted()
		if !ok {
			return WhyMalformed
		}
		// It is about a packet that came in by a mapping, which tells what it was outside.
		m := t.find(q.proto, q.endpoint(destination), q.endpoint(source))
		if m == nil {
			return WhyNoMapping
		}
		q.rewrite(destination, netip.AddrPortFrom(nat.external, m.port))
		p.sumICMP()
	case p.proto == protoICMP && p.icmp() == icmpEchoRequest:
		m := t.outbound(protoICMP, netip.AddrPortFrom(from.Addr(), p.echo()), to)
		if m == nil {
			return WhyNoPort
		}
		p.setEcho(m.port)
	case p.proto == protoTCP || p.proto == protoUDP:
		m := t.outbound(p.proto, from, to)
		if m == nil {
			return WhyNoPort
		}
		outside = netip.AddrPortFrom(nat.external, m.port)
		t.parts.remember(nat, p, source, outside)
	default:
		return WhyProtocol
	}
	p.rewrite(source, outside)
	return ""
}

// translateIn rewrites the destination of a packet. m is the mapping, if there
// is one, also if it does not let the packet in.
func (nat *NAT) translateIn(p packet) (m *mapping, why string) {
	from, to := p.endpoint(source), p.endpoint(destination)
	t := &nat.table
	switch {
	case !p.first:
		if !t.parts.known(nat, p, destination) {
			return nil, WhyFragment
		}
		return nil, ""
	case p.proto == protoICMP && p.isError():
		q, ok := p.quoted()
		if !ok {
			return nil, WhyMalformed
		}
		if m = t.byPort[portKey{q.proto, q.endpoint(source).Port()}]; m == nil || q.addr(source) != nat.external {
			return nil, WhyNoMapping
		}
		q.rewrite(source, m.key.inside)
		p.sumICMP()
		p.rewrite(destination, netip.AddrPortFrom(m.key.inside.Addr(), 0))
		return m, ""
	case p.proto == protoICMP && p.icmp() == icmpEchoReply:
		if m, why = t.inbound(protoICMP, p.echo(), from); why == "" {
			p.setEcho(m.key.inside.Port())
			p.rewrite(destination, netip.AddrPortFrom(m.key.inside.Addr(), 0))
		}
		return m, why
	case p.proto == protoTCP || p.proto == protoUDP:
		if m, why = t.inbound(p.proto, to.Port(), from); why == "" {
			t.parts.remember(nat, p, destination, m.key.inside)
			p.rewrite(destination, m.key.inside)
		}
		return m, why
	}
	return nil, WhyProtocol
}

// find is the mapping that packets from inside to dst have, without making one.
func (t *table) find(proto byte, inside, dst netip.AddrPort) *mapping {
	if m := t.byKey[mapKey{proto: proto, inside: inside}]; m != nil && m.static {
		return m
	}
	return t.byKey[mapKey{proto, inside, t.nat.cfg.Mapping.toward(dst)}]
}

// firstInside names who is drawn as the one that a packet without a mapping
// does not reach.
func (nat *NAT) firstInside() string {
	for i := 2; i <= nat.in.last; i++ {
		a := nat.in.prefix.Addr().As4()
		a[3] = byte(i)
		if to := nat.in.nodes[netip.AddrFrom4(a)]; to != nil {
			return to.label()
		}
	}
	return nat.name
}

// label names who has the address in this network, or is the way to it.
func (s *subnet) label(a netip.Addr) string {
	if to := s.next(a); to != nil {
		return to.label()
	}
	return a.String()
}

func (p packet) addrOrNone(e end) netip.Addr {
	if p.b == nil {
		return netip.Addr{}
	}
	return p.addr(e)
}

const (
	maxFragmented = 64               // datagrams in parts that a NAT keeps in mind
	fragmentLife  = 30 * time.Second // of which it is no use to know more (RFC 791)
)

// fragments remember for datagrams in parts where the first part went, since
// the others have no ports (RFC 4787 REQ-14, parts in order).
type fragments struct{ list []fragment }

type fragment struct {
	src, dst netip.Addr
	id       uint16
	proto    byte
	end      end
	to       netip.AddrPort
	until    time.Duration
}

func (f *fragments) remember(nat *NAT, p packet, e end, to netip.AddrPort) {
	if !p.fragmented() {
		return
	}
	if len(f.list) == maxFragmented {
		f.list = f.list[1:]
	}
	f.list = append(f.list, fragment{
		src: p.addr(source), dst: p.addr(destination), id: p.id(), proto: p.proto, end: e, to: to,
		until: time.Since(nat.net.begin) + fragmentLife,
	})
}

// known rewrites a later part as the first one was.
func (f *fragments) known(nat *NAT, p packet, e end) bool {
	now := time.Since(nat.net.begin)
	for _, one := range f.list {
		if one.src == p.addr(source) && one.dst == p.addr(destination) && one.id == p.id() && one.proto == p.proto && one.end == e && now < one.until {
			p.rewrite(e, one.to)
			return true
		}
	}
	return false
}
