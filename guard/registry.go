package guard

import "net/netip"

// classify4 follows the IANA IPv4 Special-Purpose Address Registry and the
// multicast block. It is written as a switch on the first octet because a relay
// asks it for every packet.
func classify4(b [4]byte) Class {
	switch b[0] {
	case 0:
		if b == [4]byte{} {
			return ClassUnspecified
		}
		return ClassThisNetwork
	case 10:
		return ClassPrivate
	case 100:
		if b[1]&0xc0 == 64 { // 100.64.0.0/10
			return ClassCGNAT
		}
	case 127:
		return ClassLoopback
	case 169:
		if b[1] == 254 {
			return ClassLinkLocal
		}
	case 172:
		if b[1]&0xf0 == 16 { // 172.16.0.0/12
			return ClassPrivate
		}
	case 192:
		return classify192(b)
	case 198:
		if b[1]&0xfe == 18 { // 198.18.0.0/15
			return ClassBenchmarking
		}
		if b[1] == 51 && b[2] == 100 {
			return ClassDocumentation
		}
	case 203:
		if b[1] == 0 && b[2] == 113 {
			return ClassDocumentation
		}
	case 255:
		if b == [4]byte{255, 255, 255, 255} {
			return ClassBroadcast
		}
		return ClassReserved
	default:
		if b[0] >= 240 {
			return ClassReserved
		}
		if b[0] >= 224 {
			return ClassMulticast
		}
	}
	return ClassPublic
}

// classify192 is the crowded part of the registry: 192.0.0.0/8.
func classify192(b [4]byte) Class {
	switch [2]byte{b[1], b[2]} {
	case [2]byte{0, 0}: // protocol assignments, with PCP and TURN anycast, DS-Lite, NAT64 discovery
		return ClassProtocol
	case [2]byte{0, 2}:
		return ClassDocumentation
	case [2]byte{31, 196}, [2]byte{175, 48}:
		return ClassAS112
	case [2]byte{52, 193}:
		return ClassAMT
	case [2]byte{88, 99}:
		return ClassRelayAnycast
	}
	if b[1] == 168 {
		return ClassPrivate
	}
	return ClassPublic
}

// row6 is one row of the IANA IPv6 Special-Purpose Address Registry.
type row6 struct {
	prefix netip.Prefix
	class  Class
}

// p6 makes a row; bytes are the prefix's leading octets, the rest are zero.
func p6(class Class, bits int, octets ...byte) row6 {
	var b [16]byte
	copy(b[:], octets)
	return row6{netip.PrefixFrom(netip.AddrFrom16(b), bits), class}
}

// registry6 has the most specific rows first. IPv6 relaying is not on any hot
// path here, so a list that can be read beside the registry is enough.
var registry6 = [...]row6{
	p6(ClassUnspecified, 128),
	p6(ClassLoopback, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	p6(ClassTranslated, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
	p6(ClassTranslated, 96),
	p6(ClassNAT64, 96, 0, 0x64, 0xff, 0x9b),
	p6(ClassLocalNAT64, 48, 0, 0x64, 0xff, 0x9b, 0, 1),
	p6(ClassDiscard, 64, 1, 0),
	p6(ClassDiscard, 64, 1, 0, 0, 0, 0, 0, 0, 1),
	p6(ClassTeredo, 32, 0x20, 0x01),
	p6(ClassBenchmarking, 48, 0x20, 0x01, 0, 2),
	p6(ClassAMT, 32, 0x20, 0x01, 0, 3),
	p6(ClassAS112, 48, 0x20, 0x01, 0, 4, 1, 0x12),
	p6(ClassORCHID, 28, 0x20, 0x01, 0, 0x10),
	p6(ClassORCHID, 28, 0x20, 0x01, 0, 0x20),
	p6(ClassORCHID, 28, 0x20, 0x01, 0, 0x30),
	p6(ClassProtocol, 23, 0x20, 0x01), // with 2001:1::1, ::2 and ::3, anycast services
	p6(ClassDocumentation, 32, 0x20, 0x01, 0x0d, 0xb8),
	p6(Class6to4, 16, 0x20, 0x02),
	p6(ClassAS112, 48, 0x26, 0x20, 0, 0x4f, 0x80, 0),
	p6(ClassDocumentation, 20, 0x3f, 0xff),
	p6(ClassPublic, 3, 0x20), // 2000::/3, all of global unicast
	p6(ClassSRv6, 16, 0x5f, 0),
	p6(ClassUniqueLocal, 7, 0xfc),
	p6(ClassLinkLocal, 10, 0xfe, 0x80),
	p6(ClassSiteLocal, 10, 0xfe, 0xc0),
	p6(ClassMulticast, 8, 0xff),
}

func classify6(a netip.Addr) Class {
	for i := range registry6 {
		if registry6[i].prefix.Contains(a) {
			return registry6[i].class
		}
	}
	return ClassReserved
}
