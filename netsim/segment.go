package netsim

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers of IPv4.
const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)

// Flags of a TCP header, RFC 9293 section 3.1.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// segment is the part of a packet's headers that the link and the flows need.
// It is read here, and not by the tap's decoder, as it is needed for every
// packet, tapped or not.
type segment struct {
	proto    byte
	src, dst netip.AddrPort // ports are 0 when there are none, or in a later fragment

	flags    byte
	seq, ack uint32
	win      uint16
	length   int    // bytes of payload
	options  []byte // of TCP
}

// parse reads an IPv4 packet. What is too short for its own headers is a
// segment without ports and of no use, but never a failure.
func parse(b []byte) segment {
	if len(b) < 20 || b[0]>>4 != 4 {
		return segment{}
	}
	s := segment{
		proto: b[9],
		src:   netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0),
		dst:   netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0),
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || total < header || total > len(b) {
		return s
	}
	rest := b[header:total]
	if s.length = len(rest); binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		return s // not the first fragment: the ports were in that one
	}
	switch {
	case s.proto == protoTCP && len(rest) >= 20:
		offset := int(rest[12]>>4) * 4
		if offset < 20 || offset > len(rest) {
			return s
		}
		s.seq, s.ack = binary.BigEndian.Uint32(rest[4:]), binary.BigEndian.Uint32(rest[8:])
		s.flags, s.win = rest[13], binary.BigEndian.Uint16(rest[14:])
		s.options, s.length = rest[20:offset], len(rest)-offset
	case s.proto == protoUDP && len(rest) >= 8:
		s.length = len(rest) - 8
	default:
		return s
	}
	s.src = netip.AddrPortFrom(s.src.Addr(), binary.BigEndian.Uint16(rest))
	s.dst = netip.AddrPortFrom(s.dst.Addr(), binary.BigEndian.Uint16(rest[2:]))
	return s
}

func (s *segment) has(flag byte) bool { return s.flags&flag != 0 }

func (s *segment) kind() Kind {
	switch {
	case s.proto == protoUDP:
		return UDP
	case s.proto == protoICMP:
		return ICMP
	case s.proto != protoTCP || s.flags == 0:
		return Other
	case s.has(flagRST):
		return RST
	case s.has(flagSYN) && s.has(flagACK):
		return SYNACK
	case s.has(flagSYN):
		return SYN
	case s.has(flagFIN):
		return FIN
	case s.length > 0:
		return Data
	default:
		return ACK
	}
}

// size is how much of the sequence space it takes, RFC 9293 section 3.4.
func (s *segment) size() uint32 {
	n := uint32(s.length)
	if s.has(flagSYN) {
		n++
	}
	if s.has(flagFIN) {
		n++
	}
	return n
}

// Kinds of TCP options that the flows look at.
const (
	optionEnd    = 0
	optionNop    = 1
	optionWScale = 3
	optionSACK   = 5
)

// option finds the value of a TCP option, nil if it isn't there.
func (s *segment) option(kind byte) []byte {
	for o := s.options; len(o) > 0; {
		switch {
		case o[0] == optionEnd:
			return nil
		case o[0] == optionNop:
			o = o[1:]
			continue
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return nil
		case o[0] == kind:
			return o[2:o[1]]
		}
		o = o[o[1]:]
	}
	return nil
}
