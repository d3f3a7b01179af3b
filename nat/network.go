package nat

import (
	"context"
	"net"
	"net/netip"
)

// Network is the sockets of one host: of this one, or of one on an emulated
// network. Networks are "tcp" and "udp", addresses literal.
type Network interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// ListenPacket opens a UDP socket; port 0 is any. It need not receive multicast.
	ListenPacket(network, address string) (net.PacketConn, error)
}

// linkOn is the one link of a host whose sockets are given, with its address
// and the size of its network. Who is in it is a neighbour.
func linkOn(n Network, local netip.Prefix) link {
	return link{
		name:   "a given network",
		listen: func() (net.PacketConn, error) { return n.ListenPacket("udp", ":0") },
		local: func(neighbour netip.Addr) netip.Addr {
			if !onLAN(neighbour) || !local.Contains(neighbour) || neighbour == local.Addr() {
				return netip.Addr{}
			}
			return local.Addr()
		},
		dial: func(netip.Addr) dialer {
			return func(ctx context.Context, address string) (net.Conn, error) { return n.DialContext(ctx, "tcp", address) }
		},
	}
}
