package nat

import (
	"fmt"
	"net"
	"net/netip"
)

// maxLinks bounds how many networks are searched; a container host has dozens.
const maxLinks = 16

// link is one private IPv4 network this host is on.
type link struct {
	name   string
	prefix netip.Prefix // our address on it and its mask

	listen func() (net.PacketConn, error) // a socket that multicasts on this link
	trusts func(netip.Addr) bool          // may a gateway have this address?
	source net.IP                         // what TCP to the gateway is bound to
}

// addr is our own address on the link.
func (l link) addr() netip.Addr { return l.prefix.Addr() }

// links lists the networks on which a home router may be found: up, able to
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
		for _, prefix := range prefixes(ifi) {
			if onLAN(prefix.Addr()) && len(found) < maxLinks {
				found = append(found, newLink(ifi, prefix, ssdp))
			}
		}
	}
	return found, nil
}

func newLink(ifi net.Interface, prefix netip.Prefix, ssdp netip.AddrPort) link {
	// ListenMulticastUDP is the portable way to choose the interface that
	// multicast leaves by. Port 0: we want the answers, not the announcements.
	group := &net.UDPAddr{IP: ssdp.Addr().AsSlice()}
	return link{
		name:   ifi.Name,
		prefix: prefix,
		listen: func() (net.PacketConn, error) { return net.ListenMulticastUDP("udp4", &ifi, group) },
		trusts: func(a netip.Addr) bool {
			return onLAN(a) && prefix.Contains(a) && a != prefix.Addr()
		},
		source: prefix.Addr().AsSlice(),
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
