package nat

// Words that stand where a mapping does in what peers tell each other, beside
// the dependences.
const (
	mappingNone    = "none"        // not translated
	mappingBlocked = "udp-blocked" // no UDP comes back
	mappingUnknown = "unknown"
)

// Words are the mapping and the filtering of b as a peer tells them to a room
// (the signaling protocol, "What stands before a peer"); filtering is empty if
// it is not known.
func (b Behavior) Words() (mapping, filtering string) {
	switch {
	case b.Blocked:
		return mappingBlocked, ""
	case b.Mapping == "" || b.Mapping == DestinationDependent: // the latter is no word of the protocol
		return mappingUnknown, ""
	case !b.Translated:
		return mappingNone, string(b.Filtering)
	}
	return string(b.Mapping), string(b.Filtering)
}

// FromWords is the Behavior that was told by these. Words that are none of them
// tell nothing.
func FromWords(mapping, filtering string) Behavior {
	f := Dependence(filtering)
	switch d := Dependence(mapping); d {
	case mappingBlocked:
		return Behavior{Blocked: true}
	case mappingNone:
		return Behavior{Mapping: EndpointIndependent, Filtering: f}
	case EndpointIndependent, AddressDependent, AddressAndPortDependent, NotPortDependent:
		return Behavior{Translated: true, Mapping: d, Filtering: f}
	}
	return Behavior{}
}
