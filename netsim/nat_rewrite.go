package netsim

import (
	"encoding/binary"
	"net/netip"
)

// ICMP types, RFC 792.
const (
	icmpEchoReply   = 0
	icmpUnreachable = 3
	icmpEchoRequest = 8
	icmpExceeded    = 11
	icmpParameter   = 12
)

// end is which end of a packet is rewritten: where its address and port stand
// in the headers.
type end struct{ address, port int }

var (
	source      = end{address: 12, port: 0}
	destination = end{address: 16, port: 2}
)

// packet is an IPv4 packet whose headers have been looked at: they are as long
// as they say.
type packet struct {
	b      []byte
	header int // bytes
	proto  byte
	first  bool // it has the header of the next protocol: it is no later fragment
}

// open looks at a packet; ok is false for one that is malformed.
func open(b []byte) (p packet, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return packet{}, false
	}
	p = packet{b: b, header: int(b[0]&0xf) * 4, proto: b[9], first: binary.BigEndian.Uint16(b[6:])&0x1fff == 0}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if p.header < 20 || total < p.header || total > len(b) {
		return packet{}, false
	}
	p.b = b[:total]
	least := 0
	switch p.proto {
	case protoTCP:
		least = 20
	case protoUDP, protoICMP:
		least = 8
	}
	return p, !p.first || len(p.rest()) >= least
}

func (p packet) rest() []byte { return p.b[p.header:] }

// id is what the parts of one datagram have in common.
func (p packet) id() uint16 { return binary.BigEndian.Uint16(p.b[4:]) }

// fragmented tells whether more of the same datagram comes in other packets.
func (p packet) fragmented() bool { return binary.BigEndian.Uint16(p.b[6:])&0x3fff != 0 }

func (p packet) addr(e end) netip.Addr {
	return netip.AddrFrom4([4]byte(p.b[e.address : e.address+4]))
}

// endpoint is the address with its port, 0 where there is none.
func (p packet) endpoint(e end) netip.AddrPort {
	if !p.first || p.proto != protoTCP && p.proto != protoUDP {
		return netip.AddrPortFrom(p.addr(e), 0)
	}
	return netip.AddrPortFrom(p.addr(e), binary.BigEndian.Uint16(p.rest()[e.port:]))
}

// rewrite puts another address and, in what is no later fragment, another port at
// one end. Checksums are updated, not made anew (RFC 1624), so that what was
// broken on its way stays so.
func (p packet) rewrite(e end, to netip.AddrPort) {
	address := to.Addr().As4()
	var sum []byte // of the next protocol, which covers the addresses (RFC 9293 section 3.1)
	if rest := p.rest(); p.first {
		switch {
		case p.proto == protoTCP && len(rest) >= 18:
			sum = rest[16:18]
		case p.proto == protoUDP && len(rest) >= 8 && binary.BigEndian.Uint16(rest[6:]) != 0: // 0: it has none
			sum = rest[6:8]
		}
	}
	was := p.b[e.address : e.address+4]
	adjust(p.b[10:12], was, address[:])
	adjust(sum, was, address[:])
	copy(was, address[:])
	if !p.first || p.proto != protoTCP && p.proto != protoUDP {
		return
	}
	port := binary.BigEndian.AppendUint16(nil, to.Port())
	at := p.rest()[e.port : e.port+2]
	adjust(sum, at, port)
	copy(at, port)
	if p.proto == protoUDP && sum != nil && sum[0] == 0 && sum[1] == 0 {
		sum[0], sum[1] = 0xff, 0xff // RFC 768: 0 would mean none
	}
}

// icmp is the type of an ICMP message.
func (p packet) icmp() byte { return p.rest()[0] }

// echo is the identifier of an echo request or reply; setEcho changes it.
func (p packet) echo() uint16 { return binary.BigEndian.Uint16(p.rest()[4:]) }

func (p packet) setEcho(id uint16) {
	at, now := p.rest()[4:6], binary.BigEndian.AppendUint16(nil, id)
	adjust(p.rest()[2:4], at, now)
	copy(at, now)
}

// isError tells whether an ICMP message is about another packet, which it quotes.
func (p packet) isError() bool {
	t := p.icmp()
	return t == icmpUnreachable || t == icmpExceeded || t == icmpParameter
}

// quoted is the packet that an ICMP error is about, cut short: its header and
// eight bytes at least (RFC 792). ok is false if that is not there.
func (p packet) quoted() (q packet, ok bool) {
	b := p.rest()[8:]
	if len(b) < 20 || b[0]>>4 != 4 {
		return packet{}, false
	}
	q = packet{b: b, header: int(b[0]&0xf) * 4, proto: b[9], first: binary.BigEndian.Uint16(b[6:])&0x1fff == 0}
	return q, q.header >= 20 && len(b) >= q.header+8 && q.first && (q.proto == protoTCP || q.proto == protoUDP)
}

// sumICMP makes the checksum of an ICMP message anew, after what it quotes has
// been rewritten.
func (p packet) sumICMP() {
	rest := p.rest()
	rest[2], rest[3] = 0, 0
	var sum uint32
	for i := 0; i < len(rest); i += 2 {
		word := uint32(rest[i]) << 8
		if i+1 < len(rest) {
			word |= uint32(rest[i+1])
		}
		sum += word
	}
	binary.BigEndian.PutUint16(rest[2:], ^fold16(sum))
}

// hop takes one from the time to live and tells whether any is left.
func (p packet) hop() bool {
	if p.b[8] <= 1 {
		return false
	}
	was := [2]byte{p.b[8], p.b[9]}
	p.b[8]--
	adjust(p.b[10:12], was[:], p.b[8:10])
	return true
}

// adjust updates a checksum for bytes that change, an even number of them at an even place:
// RFC 1624, equation 3. An empty one is none.
func adjust(sum, was, now []byte) {
	if len(sum) == 0 {
		return
	}
	s := uint32(^binary.BigEndian.Uint16(sum))
	for i := 0; i < len(was); i += 2 {
		s += uint32(^binary.BigEndian.Uint16(was[i:])) + uint32(binary.BigEndian.Uint16(now[i:]))
	}
	binary.BigEndian.PutUint16(sum, ^fold16(s))
}

func fold16(s uint32) uint16 {
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}
