package dnslab

import (
	"context"
	"net/netip"

	"github.com/miekg/dns"
)

// pointer is the question for the name of an address: its bytes backwards,
// since the parts of names are read from the right.
func pointer(addr netip.Addr) dns.Question {
	name, err := dns.ReverseAddr(addr.String())
	if err != nil {
		name = "invalid."
	}
	return dns.Question{Name: name, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
}

// pointers are the names in an answer.
func pointers(m *dns.Msg) (names []string) {
	for _, rr := range m.Answer {
		if ptr, ok := rr.(*dns.PTR); ok {
			names = append(names, ptr.Ptr)
		}
	}
	return names
}

// maxNames bounds how many names of one address are asked about.
const maxNames = 4

// region confirm

// confirm looks up the name of an address, and then whether that name has the
// address. The first is written by who has the address, the second by who has
// the name: only together they say something. Not that it is harmless, but
// that both belong to each other.
func confirm(ctx context.Context, r resolver, addr netip.Addr) (name string, believed bool, err error) {
	m, _, err := r.lookup(ctx, pointer(addr))
	if err != nil {
		return "", false, err
	}
	for i, claimed := range pointers(m) {
		if i == 0 {
			name = claimed
		}
		if i == maxNames {
			break
		}
		q := dns.Question{Name: claimed, Qtype: dns.TypeA, Qclass: dns.ClassINET}
		if addr.Is6() {
			q.Qtype = dns.TypeAAAA
		}
		back, _, err := r.lookup(ctx, q)
		if err != nil {
			return name, false, err
		}
		for _, a := range addresses(back) {
			if a == addr {
				return claimed, true, nil
			}
		}
	}
	return name, false, nil
}

// endregion

// addresses are those in an answer, of either kind.
func addresses(m *dns.Msg) (all []netip.Addr) {
	for _, rr := range m.Answer {
		var ip []byte
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A.To4()
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, a)
		}
	}
	return all
}
