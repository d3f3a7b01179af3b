package guard

import "net/netip"

// Embedded lists every IPv4 address that the IPv6 address a may lead to. For
// IPv4, and for IPv6 that hides none, the list is empty. One address can have
// more than one: a 6to4 prefix with an ISATAP host part has two.
//
//	::ffff:a.b.c.d            mapped       RFC 4291
//	::a.b.c.d                 compatible   RFC 4291, deprecated
//	::ffff:0:a.b.c.d          translated   RFC 2765, SIIT
//	64:ff9b::a.b.c.d          NAT64        RFC 6052
//	64:ff9b:1:…               local NAT64  RFC 8215, with a /48, /56, /64 or /96 inside
//	2002:aabb:ccdd::          6to4         RFC 3056
//	2001:0:server::~client    Teredo       RFC 4380, both ends
//	…:[02]00:5efe:a.b.c.d     ISATAP       RFC 5214, under any prefix
func Embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	var found []netip.Addr
	add := func(w, x, y, z byte) { found = append(found, netip.AddrFrom4([4]byte{w, x, y, z})) }

	if a.Is4In6() {
		add(b[12], b[13], b[14], b[15])
		return found
	}
	switch class := classify6(a.WithZone("")); class {
	case ClassTranslated, ClassNAT64:
		add(b[12], b[13], b[14], b[15])
	case ClassLocalNAT64:
		found = localNAT64(b)
	case Class6to4:
		add(b[2], b[3], b[4], b[5])
	case ClassTeredo:
		add(b[4], b[5], b[6], b[7])
		add(^b[12], ^b[13], ^b[14], ^b[15])
	}
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		add(b[12], b[13], b[14], b[15])
	}
	return found
}

// localNAT64 reads the IPv4 address at each place RFC 6052 section 2.2 allows
// under a /48. Which prefix length the network chose can't be seen from here, so
// every reading whose suffix is zero, as the RFC wants it, counts; and the
// reading in the last four octets always does when no other one fits.
func localNAT64(b [16]byte) (found []netip.Addr) {
	at := func(end int, w, x, y, z byte) {
		for _, suffix := range b[end:] {
			if suffix != 0 {
				return
			}
		}
		found = append(found, netip.AddrFrom4([4]byte{w, x, y, z}))
	}
	last := [4]byte(b[12:])
	if b[8] == 0 && last != [4]byte{} || b[8] != 0 {
		found = append(found, netip.AddrFrom4(last))
	}
	if b[8] == 0 {
		at(11, b[6], b[7], b[9], b[10])
		at(12, b[7], b[9], b[10], b[11])
		at(13, b[9], b[10], b[11], b[12])
	}
	return found
}
