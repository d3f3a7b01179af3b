package guard

import "net/netip"

// Class is what an address is for, by the IANA special-purpose registries.
type Class uint8

// The classes. Each is one row, or some rows of one purpose, of the registries
// for IPv4, IPv6 and multicast.
const (
	ClassPublic        Class = iota // ordinary global unicast
	ClassInvalid                    // the zero netip.Addr
	ClassUnspecified                // 0.0.0.0 and ::
	ClassThisNetwork                // 0.0.0.0/8, RFC 791
	ClassLoopback                   // 127.0.0.0/8, ::1
	ClassPrivate                    // RFC 1918
	ClassCGNAT                      // 100.64.0.0/10, RFC 6598
	ClassLinkLocal                  // 169.254.0.0/16, fe80::/10
	ClassUniqueLocal                // fc00::/7, RFC 4193
	ClassSiteLocal                  // fec0::/10, deprecated by RFC 3879
	ClassMulticast                  // 224.0.0.0/4, ff00::/8
	ClassBroadcast                  // 255.255.255.255
	ClassDocumentation              // RFC 5737, RFC 3849, RFC 9637
	ClassBenchmarking               // 198.18.0.0/15, 2001:2::/48
	ClassProtocol                   // IETF protocol assignments and their anycast services
	ClassAS112                      // DNS sink, RFC 7534 and RFC 7535
	ClassAMT                        // multicast tunnelling relays, RFC 7450
	ClassRelayAnycast               // 192.88.99.0/24, deprecated by RFC 7526
	ClassDiscard                    // 100::/64 and 100:0:0:1::/64
	ClassORCHID                     // RFC 4843, RFC 7343, and DRIP RFC 9374: names, not places
	ClassSRv6                       // 5f00::/16, RFC 9602
	ClassNAT64                      // 64:ff9b::/96, RFC 6052
	ClassLocalNAT64                 // 64:ff9b:1::/48, RFC 8215
	Class6to4                       // 2002::/16, RFC 3056
	ClassTeredo                     // 2001::/32, RFC 4380
	ClassTranslated                 // ::ffff:0:0:0/96 (SIIT, RFC 2765) and ::/96 (RFC 4291, deprecated)
	ClassReserved                   // 240.0.0.0/4, and IPv6 outside what IANA has given out
	numClasses
)

// Scope says how far an address of a class reaches.
type Scope uint8

// The scopes. ScopeNever is for addresses no peer can sensibly have.
const (
	ScopePublic Scope = iota
	ScopeLAN
	ScopeLoopback
	ScopeNever
)

// classInfo is the name of a class, used for counters, and its scope.
type classInfo struct {
	name  string
	scope Scope
}

func (c Class) info() classInfo {
	switch c {
	case ClassPublic:
		return classInfo{"public", ScopePublic}
	case ClassInvalid:
		return classInfo{"invalid", ScopeNever}
	case ClassUnspecified:
		return classInfo{"unspecified", ScopeNever}
	case ClassThisNetwork:
		return classInfo{"this-network", ScopeNever}
	case ClassLoopback:
		return classInfo{"loopback", ScopeLoopback}
	case ClassPrivate:
		return classInfo{"private", ScopeLAN}
	case ClassCGNAT:
		return classInfo{"cgnat", ScopeLAN}
	case ClassLinkLocal:
		return classInfo{"link-local", ScopeLAN}
	case ClassUniqueLocal:
		return classInfo{"unique-local", ScopeLAN}
	case ClassSiteLocal:
		return classInfo{"site-local", ScopeNever}
	case ClassMulticast:
		return classInfo{"multicast", ScopeNever}
	case ClassBroadcast:
		return classInfo{"broadcast", ScopeNever}
	case ClassDocumentation:
		return classInfo{"documentation", ScopeNever}
	case ClassBenchmarking:
		return classInfo{"benchmarking", ScopeNever}
	case ClassProtocol:
		return classInfo{"protocol-assignment", ScopeNever}
	case ClassAS112:
		return classInfo{"as112", ScopeNever}
	case ClassAMT:
		return classInfo{"amt", ScopeNever}
	case ClassRelayAnycast:
		return classInfo{"6to4-relay-anycast", ScopeNever}
	case ClassDiscard:
		return classInfo{"discard", ScopeNever}
	case ClassORCHID:
		return classInfo{"orchid", ScopeNever}
	case ClassSRv6:
		return classInfo{"srv6", ScopeNever}
	case ClassNAT64:
		return classInfo{"nat64", ScopePublic}
	case ClassLocalNAT64:
		return classInfo{"local-nat64", ScopeNever}
	case Class6to4:
		return classInfo{"6to4", ScopePublic}
	case ClassTeredo:
		return classInfo{"teredo", ScopePublic}
	case ClassTranslated:
		return classInfo{"ipv4-translated", ScopeNever}
	default:
		return classInfo{"reserved", ScopeNever}
	}
}

// String is the class's short name, as in "link-local".
func (c Class) String() string { return c.info().name }

// Scope says how far addresses of this class reach. The transition prefixes
// (NAT64, 6to4, Teredo) are public here: what they hide is for Embedded to say.
func (c Class) Scope() Scope { return c.info().scope }

// Classify finds the class of a by the most specific registry row that has it.
// An IPv4-mapped address (::ffff:a.b.c.d) is that IPv4 address; a zone is ignored.
func Classify(a netip.Addr) Class {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return ClassInvalid
	case a.Is4():
		return classify4(a.As4())
	default:
		return classify6(a.WithZone(""))
	}
}
