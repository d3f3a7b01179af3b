package nat

import (
	"errors"
	"fmt"
	"time"
)

// Protocol is the transport of a mapping, spelt as in NewProtocol.
type Protocol string

const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// Limits on what a Mapper takes on.
const (
	MaxMappings         = 64 // one SOAP call each at every renewal, by a home router
	maxDescriptionBytes = 64 // bytes of a description; routers cut longer ones
	MinLease            = 2 * time.Minute
	MaxLease            = 7 * 24 * time.Hour // WANIPConnection:2 section 2.3.16
)

// Mapping is one port to be opened.
type Mapping struct {
	Protocol     Protocol `json:"protocol"`
	InternalPort uint16   `json:"internal_port"`
	// ExternalPort is the port wanted outside; 0 wants the internal one.
	ExternalPort uint16 `json:"wanted_port"`
	// Exact refuses any other external port if the wanted one is taken: a
	// relay hands out addresses with its own port numbers in them.
	Exact bool `json:"exact,omitempty"`
	// Description is what the router lists the mapping as: printable ASCII, up
	// to 64 bytes. A mapping of ours left by a crash is known by it.
	Description string `json:"description"`
}

// validate names what is wrong with a mapping.
func (m Mapping) validate() error {
	switch {
	case m.Protocol != TCP && m.Protocol != UDP:
		return fmt.Errorf("protocol %q is neither TCP nor UDP", m.Protocol)
	case m.InternalPort == 0:
		return errors.New("internal port is 0")
	case m.Description == "" || len(m.Description) > maxDescriptionBytes:
		return fmt.Errorf("description has %d bytes, wanted 1 to %d", len(m.Description), maxDescriptionBytes)
	}
	for _, c := range []byte(m.Description) {
		if c < ' ' || c > '~' {
			return fmt.Errorf("description %q is not printable ASCII", m.Description)
		}
	}
	return nil
}

// wanted is the external port to try first.
func (m Mapping) wanted() uint16 {
	if m.ExternalPort != 0 {
		return m.ExternalPort
	}
	return m.InternalPort
}

// validateMappings checks a list: each mapping, their number, and that no two
// want the same port.
func validateMappings(list []Mapping) error {
	if len(list) == 0 || len(list) > MaxMappings {
		return fmt.Errorf("%d mappings, wanted 1 to %d", len(list), MaxMappings)
	}
	type port struct {
		protocol Protocol
		number   uint16
	}
	taken := make(map[port]bool)
	for i, m := range list {
		if err := m.validate(); err != nil {
			return fmt.Errorf("mapping %d: %w", i, err)
		}
		p := port{m.Protocol, m.wanted()}
		if taken[p] {
			return fmt.Errorf("mapping %d: external %s port %d is wanted twice", i, p.protocol, p.number)
		}
		taken[p] = true
	}
	return nil
}

// RelayMappings are UDP mappings for the first n ports of a relay's range
// [low, high]. Relay ports are not mapped unless asked for: a whole range of a
// thousand is more than home routers take, and more than should stand open.
//
// They help only a relay that hands out the router's outside address
// (--relay-ip); ports beyond the first n stay unreachable from outside, so the
// relay should be given no larger range than is mapped.
func RelayMappings(low, high uint16, n int) ([]Mapping, error) {
	if low == 0 || high < low {
		return nil, fmt.Errorf("relay ports %d-%d are not a range", low, high)
	}
	if n < 0 || n > MaxMappings {
		return nil, fmt.Errorf("%d relay ports to map, wanted 0 to %d", n, MaxMappings)
	}
	n = min(n, int(high-low)+1)
	list := make([]Mapping, n)
	for i := range list {
		port := low + uint16(i)
		list[i] = Mapping{Protocol: UDP, InternalPort: port, ExternalPort: port, Exact: true,
			Description: fmt.Sprintf("Peerlab relay %d", port)}
	}
	return list, nil
}
