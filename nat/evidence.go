package nat

import (
	"net/netip"
	"slices"
)

// changes are the answers that were asked for from where nothing was sent to.
// Without a name, a test was not made.
type changes struct{ port, address Test }

// evidence is all that a discovery heard, from which its Behavior follows.
type evidence struct {
	server, other netip.AddrPort // other: not valid if the server has none
	seen          []Test         // of one socket, toward several addresses and ports
	changes       changes
	hairpin       hairpin
	local         []netip.Addr // of the host
	port          uint16       // of the socket
}

// judge tells what follows, and what does not and why.
func (e evidence) judge() (b Behavior, untold []string) {
	mapped := e.mappedAt()
	b.Translated = mapped.Port() != e.port || !isOwn(mapped.Addr(), e.local)
	why := ""
	if b.Translated {
		preserves := mapped.Port() == e.port
		b.Preserves = &preserves
		if b.Mapping, why = e.mapping(); why != "" {
			untold = append(untold, why)
		}
	} else {
		b.Mapping = EndpointIndependent
	}
	if b.Filtering, why = e.filtering(); why != "" {
		untold = append(untold, why)
	}
	if b.Translated {
		if b.Hairpin, why = e.hairpinning(b); why != "" {
			untold = append(untold, why)
		}
	}
	return b, untold
}

func isOwn(a netip.Addr, local []netip.Addr) bool {
	return a.IsLoopback() || slices.Contains(local, a)
}

// mappedAt is where the server saw the socket.
func (e evidence) mappedAt() netip.AddrPort {
	if t := e.toward(e.server); t != nil {
		return t.Mapped
	}
	return netip.AddrPort{}
}

// toward finds the answered test of an address, or nil.
func (e evidence) toward(a netip.AddrPort) *Test {
	for i := range e.seen {
		if t := &e.seen[i]; t.Asked == a && t.Answered() {
			return t
		}
	}
	return nil
}

// compared is how often a mapping was the same toward two destinations, and how
// often another.
type compared struct{ same, another int }

func (c *compared) count(same bool) {
	if same {
		c.same++
	} else {
		c.another++
	}
}

// mapping compares how the socket is seen from several places (RFC 5780 section
// 4.3).
func (e evidence) mapping() (d Dependence, untold string) {
	var byPort, byAddress compared // destinations that differ in the port alone; in the address
	for i, a := range e.seen {
		for _, b := range e.seen[i+1:] {
			switch {
			case !a.Answered() || !b.Answered() || a.Asked == b.Asked:
			case a.Asked.Addr() == b.Asked.Addr():
				byPort.count(a.Mapped == b.Mapped)
			default:
				byAddress.count(a.Mapped == b.Mapped)
			}
		}
	}
	switch {
	case byPort.another > 0:
		return AddressAndPortDependent, ""
	case byAddress.another > 0 && byPort.same > 0:
		return AddressDependent, ""
	case byAddress.another > 0:
		return DestinationDependent, "Whether mappings depend on the port of the destination or on its address alone: no two ports of one address answered."
	case byAddress.same > 0:
		return EndpointIndependent, ""
	case byPort.same > 0:
		return NotPortDependent, "Whether mappings depend on the address of the destination: only one address answered, and two ports of one address can't tell."
	}
	return "", "How mappings are made: only one address and port answered, and it takes two to compare."
}

// filtering tells who may answer (RFC 5780 section 4.4). Silence tells of a filter
// only if whoever was to answer is heard when written to.
func (e evidence) filtering() (d Dependence, untold string) {
	port, address := e.changes.port, e.changes.address
	otherPort := e.toward(netip.AddrPortFrom(e.server.Addr(), e.other.Port())) != nil
	switch {
	case !e.other.IsValid():
		return "", "Whom a mapping lets in: the server has no other address or port to answer from."
	case address.Answered():
		return EndpointIndependent, ""
	case port.Answered() && address.silent && e.toward(e.other) != nil:
		return AddressDependent, ""
	case port.Answered():
		return NotPortDependent, "Whether a mapping lets in other addresses: the server has no other one that answers."
	case port.silent && otherPort:
		return AddressAndPortDependent, ""
	case port.Name == "":
		return "", "Whom a mapping lets in: the server did not answer on the socket for it."
	case port.silent:
		return "", "Whom a mapping lets in: the server's other port does not answer even when it is asked, so its silence tells nothing."
	}
	return "", "Whom a mapping lets in: the server would not answer from its other port (" + port.Error + ")."
}

// hairpinning tells whether packets come back in by outside addresses. That none
// did means something only if they would have been let in.
func (e evidence) hairpinning(b Behavior) (yes *bool, untold string) {
	switch {
	case e.hairpin.heard:
		return new(true), ""
	case !e.hairpin.tried:
		return nil, "Hairpinning: the server did not answer on the sockets for it."
	case b.Mapping == EndpointIndependent || b.Filtering == EndpointIndependent:
		return new(false), ""
	}
	return nil, "Hairpinning: nothing came back, but if mappings depend on the destination the NAT's own filter may be why."
}
