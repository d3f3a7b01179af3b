package guard

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// ListenPacket opens a UDP socket of IPv4, at any port, that sends to the
// addresses and ports that the Dialer would connect to, and hears nobody else. A
// write elsewhere is a *Refused. Names are not looked up.
func (d *Dialer) ListenPacket(ctx context.Context) (net.PacketConn, error) {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp4", ":0")
	if err != nil {
		return nil, fmt.Errorf("guard: opening a UDP socket: %w", err)
	}
	return &packetConn{conn, d}, nil
}

type packetConn struct {
	net.PacketConn
	dialer *Dialer
}

func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	at, err := udpAddrPort(to)
	if err != nil {
		return 0, err
	}
	if refused := c.dialer.check(at.Addr().String(), at); refused != nil {
		return 0, refused
	}
	return c.PacketConn.WriteTo(b, to)
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if at, err := udpAddrPort(from); err == nil && c.dialer.check(at.Addr().String(), at) == nil {
			return n, from, nil
		}
	}
}

func udpAddrPort(a net.Addr) (netip.AddrPort, error) {
	udp, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("guard: %v is no UDP address", a)
	}
	at := udp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}
