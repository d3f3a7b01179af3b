package nat

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// VerdictKind is what stands between this host and the internet.
type VerdictKind string

const (
	Direct    VerdictKind = "direct"     // nothing: the public address is ours
	SingleNAT VerdictKind = "single-nat" // one router, whose outside address is the public one
	DoubleNAT VerdictKind = "double-nat" // another NAT beyond the router
	CGNAT     VerdictKind = "cgnat"      // the carrier's NAT beyond the router
	Unknown   VerdictKind = "unknown"    // too little is known to say
)

// Verdict is a judgement, with a sentence that tells a person what it means.
type Verdict struct {
	Kind     VerdictKind `json:"kind"`
	Sentence string      `json:"sentence"`
}

// Evidence is what a Verdict is made of. Zero addresses are not known.
type Evidence struct {
	Local  []netip.Addr // of this host's interfaces, IPv4
	Router bool         // a router answered
	UPnP   netip.Addr   // outside address of the router, by its own word; some say none
	By     string       // the protocol that it says so by; empty is UPnP
	STUN   netip.Addr   // ours, as the internet sees it
}

// Judge compares the addresses. It is a pure function.
func Judge(e Evidence) Verdict {
	seen := e.STUN.IsValid() && outside(e.STUN)
	switch {
	case seen && slices.Contains(e.Local, e.STUN):
		return verdict(Direct, "This computer has the public address %s itself: no NAT stands before it. "+
			"A firewall may still, but no port needs to be mapped.", e.STUN)
	case e.UPnP.IsValid():
		return judgeRouter(e, seen)
	case allBehindCarrier(e.Local):
		return verdict(CGNAT, "This computer's own address %s is one that carriers use behind their NAT. "+
			"No port can be mapped on that NAT, so others reach you only through a relay or by hole punching.", e.Local[0])
	case e.Router && seen:
		return verdict(Unknown, "The internet sees you as %s, and the router does not say what its outside address is. Many routers say "+
			"none when the one they were given is not public: then there's a second NAT beyond the router, and it may refuse to map ports.", e.STUN)
	case e.Router:
		return verdict(Unknown, "The router does not say what its outside address is and no STUN server on the internet answered: "+
			"there may be no internet here.")
	case seen:
		return verdict(Unknown, "The internet sees you as %s, which is not an address of this computer: there is at least one NAT. "+
			"No router answered by UPnP, so whether there is a second one can't be told, and ports must be forwarded by hand.", e.STUN)
	case e.STUN.IsValid():
		return verdict(Unknown, "The STUN server sees you as %s, which is no public address: it stands inside the same network, "+
			"and tells nothing of how the internet sees you.", e.STUN)
	case len(e.Local) == 0:
		return verdict(Unknown, "This computer has no network address.")
	default:
		return verdict(Unknown, "Neither a STUN server nor a router answered: there may be no internet here, or UDP is blocked. "+
			"The local network still works.")
	}
}

// judgeRouter judges where the router says what its outside address is.
func judgeRouter(e Evidence, seen bool) Verdict {
	beyond := "" // what the internet says, if it says anything
	if seen && e.STUN != e.UPnP {
		beyond = fmt.Sprintf(", but the internet sees %s", e.STUN)
	}
	by := cmp.Or(e.By, "UPnP")
	switch {
	case behindCarrier(e.UPnP):
		return verdict(CGNAT, "%s says the router's outside address is %s%s: there's a second NAT (carrier-grade) beyond your router, "+
			"so mapping a port on it does not make you reachable.", by, e.UPnP, beyond)
	case !outside(e.UPnP):
		return verdict(DoubleNAT, "%s says the router's outside address is %s, a private one%s: there's a second NAT beyond your router "+
			"(often the provider's box), so a port must be mapped on both to make you reachable.", by, e.UPnP, beyond)
	case !seen:
		return verdict(Unknown, "%s says the router's outside address is %s, which looks public, but no STUN server on the internet answered "+
			"to confirm it.", by, e.UPnP)
	case e.STUN == e.UPnP:
		return verdict(SingleNAT, "The router's outside address %s is the one the internet sees: there's one NAT, "+
			"and a port mapped on it makes you reachable.", e.UPnP)
	default:
		return verdict(DoubleNAT, "%s says the router's outside address is %s%s: there's a second NAT beyond your router, or your traffic "+
			"leaves by another way (a VPN, a second line), so mapping a port on it may not make you reachable.", by, e.UPnP, beyond)
	}
}

func verdict(kind VerdictKind, format string, args ...any) Verdict {
	return Verdict{Kind: kind, Sentence: fmt.Sprintf(format, args...)}
}

// allBehindCarrier tells a host that has carrier-grade addresses and no others. One
// beside a private address is more likely a VPN's.
func allBehindCarrier(local []netip.Addr) bool {
	return len(local) > 0 && !slices.ContainsFunc(local, func(a netip.Addr) bool { return !behindCarrier(a) })
}
