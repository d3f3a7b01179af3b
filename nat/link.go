package nat

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// maxLinks bounds how many interfaces are searched; a container host has dozens.
const maxLinks = 16

// link is one interface of this host by which private IPv4 networks are reached.
type link struct {
	name   string
	listen func() (net.PacketConn, error) // a socket that multicasts by this interface
	// local is our address in the network of a neighbour; the zero Addr if it
	// is not a private address of a network of this interface.
	local func(neighbour netip.Addr) netip.Addr
	// dial is how a neighbour is called from our address in its network.
	dial func(local netip.Addr) dialer
}

// dialer opens a TCP connection to a literal address.
type dialer func(ctx context.Context, address string) (net.Conn, error)

// links lists the interfaces on which a home router may be found: up, able to
// multicast, and numbered with private IPv4 addresses.
func links(ssdp netip.AddrPort) ([]link, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var found []link
	for _, ifi := range interfaces {
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagMulticast == 0 || ifi.Flags&net.FlagLoopback != 0 {
			continue
		}
		private := slices.DeleteFunc(prefixes(ifi), func(p netip.Prefix) bool { return !onLAN(p.Addr()) })
		if len(private) > 0 && len(found) < maxLinks {
			found = append(found, newLink(ifi, private, ssdp))
		}
	}
	return found, nil
}

func newLink(ifi net.Interface, private []netip.Prefix, ssdp netip.AddrPort) link {
	// ListenMulticastUDP is the portable way to choose the interface that
	// multicast leaves by. Port 0: we want the answers, not the announcements.
	group := &net.UDPAddr{IP: ssdp.Addr().AsSlice()}
	return link{
		name:   ifi.Name,
		listen: func() (net.PacketConn, error) { return net.ListenMulticastUDP("udp4", &ifi, group) },
		local: func(neighbour netip.Addr) netip.Addr {
			for _, p := range private {
				if onLAN(neighbour) && p.Contains(neighbour) && neighbour != p.Addr() {
					return p.Addr()
				}
			}
			return netip.Addr{}
		},
		dial: dialFrom,
	}
}

// dialFrom binds TCP to our address, so that the router sees the request come
// from the address it is to forward to.
func dialFrom(local netip.Addr) dialer {
	d := &net.Dialer{Timeout: callTimeout, LocalAddr: &net.TCPAddr{IP: local.AsSlice()}}
	return func(ctx context.Context, address string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp4", address)
	}
}

// LocalAddresses lists the IPv4 addresses of this host's interfaces that are
// up, without loopback.
func LocalAddresses() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var addrs []netip.Addr
	for _, ifi := range interfaces {
		if ifi.Flags&net.FlagUp == 0 {
			continue
		}
		for _, prefix := range prefixes(ifi) {
			if usable(prefix.Addr()) {
				addrs = append(addrs, prefix.Addr())
			}
		}
	}
	return addrs, nil
}

// prefixes lists the IPv4 addresses of an interface. One that vanishes
// meanwhile has none.
func prefixes(ifi net.Interface) []netip.Prefix {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() {
			out = append(out, p)
		}
	}
	return out
}
