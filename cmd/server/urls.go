package main

import (
	"net"
	"net/netip"
	"strconv"
)

// Addresses are of three uses here: what to print at start, what to put into an
// invitation, and what the relay gives out as its own.

// lanAddrs lists this machine's unicast addresses that others may reach,
// IPv4 first; link-local IPv6 needs a zone and is left out.
func lanAddrs() []netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		p, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(p.IP)
		if !ok {
			continue
		}
		switch ip = ip.Unmap(); {
		case ip.IsLoopback() || ip.IsLinkLocalUnicast() || !ip.IsGlobalUnicast():
		case ip.Is4():
			v4 = append(v4, ip)
		default:
			v6 = append(v6, ip)
		}
	}
	return append(v4, v6...)
}

// ownIPv4 is the source address of the default route, else the first LAN
// address, else loopback. No packet is sent: connecting a UDP socket only
// asks the routing table.
func ownIPv4() netip.Addr {
	if conn, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer conn.Close()
		if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
			if ip := a.AddrPort().Addr().Unmap(); ip.Is4() && !ip.IsUnspecified() {
				return ip
			}
		}
	}
	for _, a := range lanAddrs() {
		if a.Is4() {
			return a
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// openURLs lists the URLs by which a listener can be opened: localhost and each
// LAN address if it listens on all, else its own address.
func openURLs(listening netip.AddrPort) (local, lan []string) {
	ip := listening.Addr().Unmap()
	port := strconv.Itoa(int(listening.Port()))
	at := func(host string) string { return "http://" + net.JoinHostPort(host, port) + "/" }
	switch {
	case ip.IsUnspecified():
		local = []string{at("localhost")}
		for _, a := range lanAddrs() {
			lan = append(lan, at(a.String()))
		}
	case ip.IsLoopback():
		local = []string{at("localhost")}
	default:
		lan = []string{at(ip.String())}
	}
	return local, lan
}
