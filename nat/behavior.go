package nat

import "time"

// Dependence is on what a mapping or a filter of a NAT depends (RFC 4787
// sections 4.1 and 5). Empty is not known.
type Dependence string

// The dependences.
const (
	EndpointIndependent     Dependence = "endpoint-independent"
	AddressDependent        Dependence = "address-dependent"
	AddressAndPortDependent Dependence = "address-and-port-dependent"
	// NotPortDependent is one of the first two: two ports of one server address
	// tell no more.
	NotPortDependent Dependence = "not-port-dependent"
	// DestinationDependent is one of the last two: servers at several addresses, with
	// one port each, tell no more.
	DestinationDependent Dependence = "destination-dependent"
)

// Behavior is what is known of the path between a host and the internet, for
// UDP. The zero Behavior knows nothing.
type Behavior struct {
	// Blocked: no UDP comes back from outside. The rest is not known then.
	Blocked bool `json:"blocked,omitempty"`
	// Translated: the host is seen at another address than its own. If not,
	// Mapping is EndpointIndependent, and Filtering that of a firewall.
	Translated bool       `json:"translated,omitempty"`
	Mapping    Dependence `json:"mapping,omitempty"`
	Filtering  Dependence `json:"filtering,omitempty"`
	// Hairpin: hosts of the inside reach each other by outside addresses (RFC
	// 4787 section 6). Preserves: the outside port is that of the inside. Nil is
	// not known.
	Hairpin   *bool `json:"hairpin,omitempty"`
	Preserves *bool `json:"preserves,omitempty"`
	// Lifetime is how long a silent mapping lives, as MeasureLifetime found it; 0
	// is not known.
	Lifetime time.Duration `json:"lifetime_ns,omitempty"`
}

// Known reports whether anything can be said.
func (b Behavior) Known() bool { return b.Blocked || b.Mapping != "" }

// Kind is the name that people have for it, of RFC 3489's or as near as that
// gets.
func (b Behavior) Kind() string {
	switch {
	case b.Blocked:
		return "UDP blocked"
	case b.Mapping == "":
		return "unknown"
	case !b.Translated:
		return openKind(b.Filtering)
	case b.Mapping == EndpointIndependent:
		return coneKind(b.Filtering)
	case b.Mapping == NotPortDependent:
		return "cone or symmetric by address, " + filterWord(b.Filtering)
	case b.Mapping == AddressDependent:
		return "symmetric by address, " + filterWord(b.Filtering)
	case b.Filtering == AddressAndPortDependent || b.Filtering == "":
		return "symmetric"
	}
	return "symmetric, " + filterWord(b.Filtering)
}

func openKind(filtering Dependence) string {
	switch filtering {
	case EndpointIndependent:
		return "no NAT"
	case "", NotPortDependent:
		return "no NAT, " + filterWord(filtering)
	}
	return "no NAT, firewall"
}

func coneKind(filtering Dependence) string {
	switch filtering {
	case EndpointIndependent:
		return "full cone"
	case AddressDependent:
		return "address-restricted cone"
	case AddressAndPortDependent:
		return "port-restricted cone"
	case NotPortDependent:
		return "full or address-restricted cone"
	}
	return "cone, filtering unknown"
}

func filterWord(filtering Dependence) string {
	switch filtering {
	case EndpointIndependent:
		return "open"
	case AddressDependent:
		return "address-restricted"
	case AddressAndPortDependent:
		return "port-restricted"
	case NotPortDependent:
		return "not port-restricted"
	}
	return "filtering unknown"
}
