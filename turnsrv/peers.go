package turnsrv

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"peerlab/guard"
)

// Reasons for which a peer is refused, beside the classes guard names.
const (
	reasonOwnHost    guard.Reason = "own-host"    // a port of this host outside the relay range
	reasonPeerFamily guard.Reason = "peer-family" // an IPv6 peer; we relay IPv4
	reasonPortZero   guard.Reason = "port-zero"
)

// peerRules says which peers may be relayed to.
//
// TURN permissions are for an address and all its ports (RFC 8656 section 9),
// so allowAddr answers for CreatePermission, and allow, which knows the port as
// well, for every packet.
type peerRules struct {
	policy guard.Policy
	relay  netip.Addr // the server's own relay address
	ports  PortRange
	extra  []netip.Addr
	host   atomic.Pointer[map[netip.Addr]struct{}] // addresses of this host
}

func newPeerRules(c Config) (*peerRules, error) {
	r := &peerRules{policy: c.Policy, relay: c.RelayIP, ports: c.RelayPorts, extra: c.HostAddrs}
	return r, r.refresh()
}

// refresh reads the addresses of this host again: they come and go with Wi-Fi,
// VPNs and DHCP.
func (r *peerRules) refresh() error {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("listing this host's addresses: %w", err)
	}
	host := map[netip.Addr]struct{}{r.relay: {}}
	for _, a := range r.extra {
		host[a.Unmap()] = struct{}{}
	}
	for _, a := range addrs {
		if prefix, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(prefix.IP); ok {
				host[ip.Unmap()] = struct{}{}
			}
		}
	}
	r.host.Store(&host)
	return nil
}

// has reports whether a is an address of this host.
func (r *peerRules) has(a netip.Addr) bool {
	_, own := (*r.host.Load())[a]
	return own || a.IsLoopback()
}

// allowAddr reports whether any port of peer a may be relayed to. a is as the
// client sent it: an IPv4-mapped address is an IPv6 one.
func (r *peerRules) allowAddr(a netip.Addr) (guard.Reason, bool) {
	if a == r.relay {
		return "", true // to another relayed address, which is how two clients meet
	}
	if reason, ok := r.policy.Allow(a); !ok {
		return reason, false
	}
	if !a.Is4() {
		return reasonPeerFamily, false
	}
	return "", true
}

// allow reports whether a packet may be relayed to peer.
func (r *peerRules) allow(peer netip.AddrPort) (guard.Reason, bool) {
	a := peer.Addr()
	if reason, ok := r.allowAddr(a); !ok {
		return reason, false
	}
	switch {
	case peer.Port() == 0:
		return reasonPortZero, false
	case a == r.relay && r.ports.Contains(peer.Port()):
		return "", true
	case r.policy != guard.Any && !r.ports.Contains(peer.Port()) && r.has(a):
		return reasonOwnHost, false
	}
	return "", true
}
