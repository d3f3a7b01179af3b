package netsim

import (
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Forge sends a datagram whose source address is a lie, as a raw socket does
// where no router looks (RFC 2827). Whatever it causes goes to whoever has that
// address. It must fit into one packet; the error is ErrConfig if not, or for
// an address that is not IPv4, and net.ErrClosed.
func (h *Host) Forge(from, to netip.AddrPort, payload []byte) error {
	size := header.IPv4MinimumSize + header.UDPMinimumSize + len(payload)
	switch {
	case !from.Addr().Is4() || !to.Addr().Is4():
		return fmt.Errorf("%w: forging a datagram from %s to %s: not IPv4", ErrConfig, from, to)
	case size > h.net.cfg.MTU:
		return fmt.Errorf("%w: a forged datagram of %d bytes does not fit into one packet", ErrConfig, len(payload))
	case h.net.isClosed():
		return opError("forge", "udp", udpAddr(from), udpAddr(to), net.ErrClosed)
	}
	view := buffer.NewViewSize(size)
	src, dst := tcpip.AddrFrom4(from.Addr().As4()), tcpip.AddrFrom4(to.Addr().As4())
	ip := header.IPv4(view.AsSlice())
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(size), TTL: 64, Protocol: protoUDP, SrcAddr: src, DstAddr: dst,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	udp := header.UDP(ip.Payload())
	udp.Encode(&header.UDPFields{SrcPort: from.Port(), DstPort: to.Port(), Length: uint16(len(udp))})
	copy(udp.Payload(), payload)
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, src, dst, uint16(len(udp)))
	udp.SetChecksum(^udp.CalculateChecksum(checksum.Checksum(payload, sum)))
	h.net.send(h, view)
	return nil
}
