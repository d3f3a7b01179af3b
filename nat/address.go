package nat

import (
	"net/netip"
	"strings"
	"unicode"

	"peerlab/guard"
)

// dsLite is the link between a home router and its carrier's NAT (RFC 6333 section 5.7).
func dsLite(a netip.Addr) bool {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 0, 0}), 29).Contains(a)
}

// behindCarrier tells an address that only the inside of a carrier's NAT has.
func behindCarrier(a netip.Addr) bool {
	return guard.Classify(a) == guard.ClassCGNAT || dsLite(a)
}

// onLAN tells an address that a home router may have on its inside.
func onLAN(a netip.Addr) bool {
	class := guard.Classify(a)
	return a.Is4() && (class == guard.ClassPrivate || class == guard.ClassLinkLocal)
}

// usable tells an address that an interface can have and others can send to.
func usable(a netip.Addr) bool {
	switch guard.Classify(a) {
	case guard.ClassInvalid, guard.ClassUnspecified, guard.ClassThisNetwork, guard.ClassLoopback,
		guard.ClassMulticast, guard.ClassBroadcast, guard.ClassReserved:
		return false
	}
	return true
}

// outside tells an address that may be the public one of something. All that
// is not plainly of an inside counts, documentation ranges too: isolated labs
// are built of them.
func outside(a netip.Addr) bool {
	switch guard.Classify(a) {
	case guard.ClassPrivate, guard.ClassLinkLocal, guard.ClassUniqueLocal, guard.ClassSiteLocal:
		return false
	}
	return usable(a) && !behindCarrier(a)
}

// parseExternal reads the address a router says it has. A router without a
// connection says "", "0.0.0.0" or nonsense: the zero Addr.
func parseExternal(s string) netip.Addr {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	if a = a.Unmap(); !a.Is4() || !usable(a) {
		return netip.Addr{}
	}
	return a
}

// How many characters are kept of a router's own words, and of an error that
// may quote them.
const (
	maxText  = 80
	maxError = 240
)

// cleanText makes a router's words fit to be shown: printable, on one line, short.
func cleanText(s string) string { return cleanTo(s, maxText) }

func cleanTo(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.Join(strings.Fields(s), " ") {
		if n == limit {
			b.WriteRune('…')
			break
		}
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			continue
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
