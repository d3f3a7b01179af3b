package nat

import (
	"net/netip"
	"strings"
	"unicode"
)

// sharedSpace is the Shared Address Space of carrier-grade NAT (RFC 6598).
// dsLite is the link between a home router and its carrier's AFTR (RFC 6333 section 5.7).
func inSharedSpace(a netip.Addr) bool {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10).Contains(a) ||
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 0, 0}), 29).Contains(a)
}

// onLAN tells an address that a home router may have on its inside.
func onLAN(a netip.Addr) bool {
	return a.Is4() && (a.IsPrivate() || a.IsLinkLocalUnicast())
}

// usable tells an address that a host can have at all.
func usable(a netip.Addr) bool {
	if !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() {
		return false
	}
	// 0/8 is "this network", 240/4 is reserved and holds the broadcast address.
	if a.Is4() {
		first := a.As4()[0]
		return first != 0 && first < 240
	}
	return true
}

// outside tells an address that may be the public one of something. The
// documentation ranges count as public, since isolated labs are built of them.
func outside(a netip.Addr) bool {
	return usable(a) && !a.IsPrivate() && !a.IsLinkLocalUnicast() && !inSharedSpace(a)
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
