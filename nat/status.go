package nat

import (
	"net/netip"
	"slices"
	"time"
)

// State is what a Mapper is doing.
type State string

const (
	StateOff       State = "off"
	StateSearching State = "searching"
	StateMapped    State = "mapped"     // at least one mapping stands
	StateNoGateway State = "no gateway" // nothing answered; it will search again
	StateFailed    State = "failed"     // a gateway answered, but no mapping stands; see Reason
	StateRemoving  State = "removing"   // closing what it opened
)

// Status is a snapshot of a Mapper, to be shown.
type Status struct {
	State    State           `json:"state"`
	Reason   string          `json:"reason,omitempty"`
	Gateway  *GatewayInfo    `json:"gateway,omitempty"`
	Mappings []MappingStatus `json:"mappings"`
}

// MappingStatus is one mapping and what became of it.
type MappingStatus struct {
	Mapping
	Mapped bool `json:"mapped"`
	// Internal is the address of ours that the router forwards to.
	Internal netip.AddrPort `json:"internal,omitzero"`
	// External is the port got outside, which need not be the one wanted.
	External uint16 `json:"external_port,omitempty"`
	// Expires is when the router forgets it unless it is renewed; zero if permanent.
	Expires time.Time `json:"expires,omitzero"`
	// Permanent tells that the router knows no leases: if this program is
	// killed, the mapping stays.
	Permanent bool `json:"permanent,omitempty"`
	// Foreign tells that someone else had made this very mapping before; it is
	// used, and left alone.
	Foreign bool `json:"foreign,omitempty"`
	// Error is why it is not mapped, or why the last renewal failed.
	Error string `json:"error,omitempty"`
}

// Status is the state of the moment. It is a copy.
func (m *Mapper) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	s.Mappings = slices.Clone(s.Mappings)
	return s
}

// publish makes a snapshot of what Run's goroutine knows.
func (m *Mapper) publish(state State, reason string, gw *Gateway, slots []*slot) {
	s := Status{State: state, Reason: reason, Mappings: make([]MappingStatus, len(slots))}
	if gw != nil {
		info := gw.GatewayInfo
		s.Gateway = &info
	}
	for i, slot := range slots {
		s.Mappings[i] = slot.status()
	}
	m.mu.Lock()
	before := m.status
	m.status = s
	m.mu.Unlock()
	if before.State != state || before.Reason != reason {
		m.log.Info("port mapping", "state", state, "reason", reason)
	}
}
