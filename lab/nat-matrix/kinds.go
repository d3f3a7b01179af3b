package natmatrix

import (
	"peerlab/nat"
	"peerlab/netsim"
)

// Kind is what a peer is behind, by the name people have for it.
type Kind string

// The kinds, from the most to the least permeable.
const (
	Open              Kind = "open"
	FullCone          Kind = "full-cone"
	AddressRestricted Kind = "address-restricted"
	PortRestricted    Kind = "port-restricted"
	Symmetric         Kind = "symmetric"
	UDPBlocked        Kind = "udp-blocked"
)

// Kinds in the order of the table.
var Kinds = []Kind{Open, FullCone, AddressRestricted, PortRestricted, Symmetric, UDPBlocked}

// region kinds

// config is how a NAT of this kind behaves, in the terms of RFC 4787: on what
// its mappings depend, and whom they let in.
func (k Kind) config() netsim.NATConfig {
	switch k {
	case FullCone:
		return netsim.NATConfig{Mapping: netsim.EndpointIndependent, Filtering: netsim.EndpointIndependent}
	case AddressRestricted:
		return netsim.NATConfig{Mapping: netsim.EndpointIndependent, Filtering: netsim.AddressDependent}
	case PortRestricted:
		return netsim.NATConfig{Mapping: netsim.EndpointIndependent, Filtering: netsim.AddressAndPortDependent}
	case Symmetric:
		return netsim.NATConfig{Mapping: netsim.AddressAndPortDependent, Filtering: netsim.AddressAndPortDependent}
	case UDPBlocked:
		return netsim.NATConfig{BlockUDP: true}
	}
	return netsim.NATConfig{} // Open has none
}

// endregion

// behavior is what a measurement would find out about it.
func (k Kind) behavior() nat.Behavior {
	if k == Open {
		return nat.Behavior{Mapping: nat.EndpointIndependent, Filtering: nat.EndpointIndependent}
	}
	c := k.config()
	return nat.Behavior{
		Blocked: c.BlockUDP, Translated: true,
		Mapping: dependence(c.Mapping), Filtering: dependence(c.Filtering),
	}
}

func dependence(d netsim.Dependence) nat.Dependence { return nat.Dependence(d) }

// behind is what two NATs in a row are together: each can only take away.
func behind(inner, outer nat.Behavior) nat.Behavior {
	if inner.Blocked || outer.Blocked {
		return nat.Behavior{Blocked: true, Translated: true}
	}
	return nat.Behavior{
		Translated: inner.Translated || outer.Translated,
		Mapping:    worse(inner.Mapping, outer.Mapping),
		Filtering:  worse(inner.Filtering, outer.Filtering),
	}
}

func worse(a, b nat.Dependence) nat.Dependence {
	for _, d := range []nat.Dependence{nat.AddressAndPortDependent, nat.AddressDependent} {
		if a == d || b == d {
			return d
		}
	}
	return nat.EndpointIndependent
}
