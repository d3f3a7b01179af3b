package netsim

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// nic is the number of a host's only interface.
const nic tcpip.NICID = 1

// Host is one machine: a TCP/IP stack of its own, with one IPv4 address.
type Host struct {
	net   *Net
	name  string
	place int     // which lines are its own
	on    *subnet // where it is
	addr  netip.Addr
	stack *stack.Stack
	port  *port

	listening sync.Mutex // held while a listener is made
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

func (h *Host) label() string             { return h.name }
func (h *Host) at() int                   { return h.place }
func (h *Host) has(a netip.Addr) bool     { return a == h.addr }
func (h *Host) receive(view *buffer.View) { h.port.receive(view) }

// newHost makes a host on a network. Away tells whether it can reach others by
// the way out.
func newHost(n *Net, name string, place int, on *subnet, addr netip.Addr, away bool) (*Host, error) {
	h := &Host{
		net: n, name: name, place: place, on: on, addr: addr,
		stack: stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC, udp.NewProtocol, icmp.NewProtocol4},
			HandleLocal:        true, // what a host sends to itself does not go over the line
		}),
	}
	if err := h.configure(away); err != nil {
		h.stack.Destroy()
		return nil, fmt.Errorf("netsim: host %q: %w", name, err)
	}
	return h, nil
}

func (h *Host) configure(away bool) error {
	if err := h.net.cfg.TCP.apply(h.stack); err != nil {
		return err
	}
	h.port = &port{host: h, mtu: uint32(h.net.cfg.MTU)}
	if err := h.stack.CreateNIC(nic, h.port); err != nil {
		return fmt.Errorf("creating the interface: %s", err)
	}
	own := tcpip.ProtocolAddress{
		Protocol:          header.IPv4ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(h.addr.As4()), PrefixLen: 24},
	}
	if err := h.stack.AddProtocolAddress(nic, own, stack.AddressProperties{}); err != nil {
		return fmt.Errorf("setting the address: %s", err)
	}
	routes := []tcpip.Route{{Destination: own.AddressWithPrefix.Subnet(), NIC: nic}}
	if away {
		routes = append(routes, tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: nic})
	}
	h.stack.SetRouteTable(routes)
	return nil
}

// Join makes the host receive what others of its network, which is one behind
// a NAT, send to a multicast address. The error is ErrConfig for another address.
func (h *Host) Join(group netip.Addr) error {
	if !group.Is4() || !group.IsMulticast() {
		return fmt.Errorf("%w: %s is not an IPv4 multicast address", ErrConfig, group)
	}
	if err := h.stack.JoinGroup(header.IPv4ProtocolNumber, nic, tcpip.AddrFrom4(group.As4())); err != nil {
		return fmt.Errorf("netsim: host %q joins %s: %w", h.name, group, fault(err))
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if !slices.Contains(h.on.groups[group], h) {
		h.on.groups[group] = append(h.on.groups[group], h)
	}
	return nil
}

// destroy ends the stack. The first Close ends TCP's workers, the second one,
// in Destroy, what they may have opened meanwhile: Destroy would wait for it.
func (h *Host) destroy() {
	h.stack.Close()
	h.stack.TransportProtocolInstance(tcp.ProtocolNumber).Wait()
	h.stack.Destroy()
}

// resolve reads "host:port", where host is an IPv4 address, the name of a host
// of this net, or empty, and port a number.
func (h *Host) resolve(address string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "port is not a number from 0 to 65535", Addr: address}
	}
	addr, err := h.lookup(host)
	return netip.AddrPortFrom(addr, uint16(number)), err
}

func (h *Host) lookup(host string) (netip.Addr, error) {
	if host == "" {
		return netip.IPv4Unspecified(), nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a = a.Unmap(); !a.Is4() {
			return a, &net.AddrError{Err: "the emulated link has IPv4 only", Addr: host}
		}
		return a, nil
	}
	h.net.mu.Lock()
	other := h.net.byName[fold(host)]
	h.net.mu.Unlock()
	if other == nil {
		return netip.Addr{}, &net.DNSError{Err: "no host of this name on the emulated link", Name: host, IsNotFound: true}
	}
	return other.addr, nil
}

func full(a netip.AddrPort) tcpip.FullAddress {
	f := tcpip.FullAddress{Port: a.Port()}
	if !a.Addr().IsUnspecified() {
		f.Addr = tcpip.AddrFrom4(a.Addr().As4())
	}
	return f
}

func addrPort(f tcpip.FullAddress) netip.AddrPort {
	a, ok := netip.AddrFromSlice(f.Addr.AsSlice())
	if !ok {
		a = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(a, f.Port)
}

// shown is a bound address for people and for dialling: a listener on all
// addresses shows the only one there is.
func (h *Host) shown(f tcpip.FullAddress) netip.AddrPort {
	a := addrPort(f)
	if a.Addr().IsUnspecified() {
		return netip.AddrPortFrom(h.addr, a.Port())
	}
	return a
}
