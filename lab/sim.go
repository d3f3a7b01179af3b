package lab

import (
	"fmt"
	"net/netip"

	"peerlab/netsim"
)

// Forge sends a datagram whose source address is a lie, as netsim.Host.Forge
// does. On the loopback that would need a raw socket: the error is ErrNoLink there.
func (h *Host) Forge(from, to netip.AddrPort, payload []byte) error {
	if h.sim == nil {
		return fmt.Errorf("%s forges a datagram: %w", h.name, ErrNoLink)
	}
	if err := h.sim.Forge(from, to, payload); err != nil {
		return fmt.Errorf("%s forges a datagram: %w", h.name, err)
	}
	return nil
}

// Sockets lists the sockets of an emulated host as they are now, as
// netsim.Host.Sockets does. It is nil on the loopback, where the kernel has them.
func (h *Host) Sockets() []netsim.Socket {
	if h.sim == nil {
		return nil
	}
	return h.sim.Sockets()
}
