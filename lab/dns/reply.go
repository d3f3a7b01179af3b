package dnslab

import (
	"net"
	"net/netip"

	"github.com/miekg/dns"
)

// headerSize is that of every message (RFC 1035 section 4.1.1).
const headerSize = 12

// minUDP is what may be sent by UDP to who tells no size (RFC 1035 section 4.2.1).
const minUDP = 512

// responder turns the bytes of a question into those of its answer.
type responder struct {
	// ask fills in the answer to a question that is in order.
	ask func(m *dns.Msg, q dns.Question, secure bool)
	// most is the largest datagram it sends.
	most int
}

// region reply

// reply answers a query, in at most limit bytes: what has no room is left out,
// and the bit TC says so. Nil: it gets none. An answer to an answer could go on
// for ever.
func (r responder) reply(query []byte, limit func(asked *dns.Msg) int) (reply []byte, asked, told *dns.Msg) {
	if len(query) < headerSize || query[2]&0x80 != 0 {
		return nil, nil, nil
	}
	asked, told = new(dns.Msg), new(dns.Msg)
	if err := asked.Unpack(query); err != nil {
		told.Id, told.Response, told.Rcode = uint16(query[0])<<8|uint16(query[1]), true, dns.RcodeFormatError
		reply, err = told.Pack()
		if err != nil {
			return nil, nil, nil
		}
		return reply, nil, told
	}
	told.SetReply(asked)
	opt := asked.IsEdns0()
	if opt != nil {
		told.SetEdns0(uint16(r.most), opt.Do())
	}
	switch {
	case asked.Opcode != dns.OpcodeQuery:
		told.Rcode = dns.RcodeNotImplemented
	case len(asked.Question) != 1 || len(asked.Answer)+len(asked.Ns) > 0:
		told.Rcode = dns.RcodeFormatError
	case opt != nil && opt.Version() != 0:
		told.Rcode = dns.RcodeBadVers
	default:
		r.ask(told, asked.Question[0], opt != nil && opt.Do())
	}
	return fit(told, limit(asked)), asked, told
}

// fit packs m, without its records if they are too many. RFC 2181 section 9
// leaves it to the server what it keeps; who sees TC asks again anyway.
func fit(m *dns.Msg, limit int) []byte {
	m.Compress = true
	packed, err := m.Pack()
	if err == nil && len(packed) > limit && limit >= minUDP {
		m.Truncate(limit)
		packed, err = m.Pack()
	}
	if err == nil && len(packed) > limit {
		m.Truncated, m.Answer, m.Ns = true, nil, nil
		packed, err = m.Pack()
	}
	if err != nil || len(packed) > limit {
		return nil
	}
	return packed
}

// endregion

// datagram is the limit for an answer by UDP: what the asker said it takes and
// what we send at most. A stranger, anybody who is not on this machine, gets no
// more bytes than he sent: the address in a datagram is anybody's to write, and
// a small question with a large answer would be a weapon against who has it.
// With TC he comes back by TCP, where his address is true.
func (r responder) datagram(query []byte, stranger bool) func(*dns.Msg) int {
	return func(asked *dns.Msg) int {
		if stranger {
			return len(query)
		}
		size := minUDP
		if opt := asked.IsEdns0(); opt != nil {
			size = max(size, min(int(opt.UDPSize()), r.most))
		}
		return size
	}
}

// stream is the limit where messages have a length before them.
func stream(*dns.Msg) int { return dns.MaxMsgSize }

// isStranger tells whether the address is another machine's.
func isStranger(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err != nil || !at.Addr().Unmap().IsLoopback()
}
