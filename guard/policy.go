package guard

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrPolicy is returned for a policy name that is none of auto, public, lan, any.
var ErrPolicy = errors.New("guard: policy is not one of auto, public, lan, any")

// Reason says why an address was refused: the name of the class that was not
// allowed. It is made for counters, so there are few of them.
type Reason string

// Policy says which classes may be reached. The zero Policy is Auto.
type Policy uint8

const (
	// Auto stands for the policy that fits where the server is; see Resolve.
	// Unresolved it allows what Public allows.
	Auto Policy = iota
	// Public allows public unicast only.
	Public
	// LAN allows what Public does, and the local network: private, unique-local,
	// link-local and CGNAT addresses. Never loopback.
	LAN
	// Any allows all a datagram can go to, this host's own services included;
	// only multicast, broadcast and unspecified addresses are refused. It is for
	// labs and benchmarks on a machine of one's own.
	Any
)

// ParsePolicy reads a policy as written in a flag.
func ParsePolicy(s string) (Policy, error) {
	for p := Auto; p <= Any; p++ {
		if s == p.String() {
			return p, nil
		}
	}
	return Auto, fmt.Errorf("%w: %q", ErrPolicy, s)
}

func (p Policy) String() string {
	switch p {
	case Public:
		return "public"
	case LAN:
		return "lan"
	case Any:
		return "any"
	default:
		return "auto"
	}
}

// MarshalText writes the policy as in a flag.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the policy as in a flag; the error is ErrPolicy.
func (p *Policy) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePolicy(string(text))
	return err
}

// Resolve turns Auto into the policy for a server whose relay address is relay:
// Public when the whole internet can reach it, else LAN, as its peers are then
// on the same network it is. Other policies stay what they are.
func (p Policy) Resolve(relay netip.Addr) Policy {
	switch {
	case p != Auto:
		return p
	case Classify(relay) == ClassPublic:
		return Public
	default:
		return LAN
	}
}

// Allow reports whether a may be reached: its own class and the class of every
// IPv4 address embedded in it have to be allowed. If not, the reason names the
// class that was in the way.
func (p Policy) Allow(a netip.Addr) (Reason, bool) {
	if c := Classify(a); !p.allows(c) {
		return Reason(c.String()), false
	}
	for _, inner := range Embedded(a) {
		if c := Classify(inner); !p.allows(c) {
			return Reason(c.String()), false
		}
	}
	return "", true
}

func (p Policy) allows(c Class) bool {
	switch p {
	case Any:
		switch c {
		case ClassInvalid, ClassUnspecified, ClassThisNetwork, ClassMulticast, ClassBroadcast:
			return false
		}
		return true
	case LAN:
		return c.Scope() == ScopePublic || c.Scope() == ScopeLAN
	default:
		return c.Scope() == ScopePublic
	}
}
