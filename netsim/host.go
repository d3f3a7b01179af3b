package netsim

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"

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

// address is the address of the host at a place: 10.77.subnet.(place + 1).
func address(subnet byte, place int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, subnet, byte(place + 1)})
}

// Host is one machine: a TCP/IP stack of its own, with one IPv4 address.
type Host struct {
	net   *Net
	name  string
	place int // in Net.hosts; the address ends in place + 1
	addr  netip.Addr
	stack *stack.Stack
	port  *port

	listening sync.Mutex // held while a listener is made
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

func newHost(n *Net, name string, place int) (*Host, error) {
	h := &Host{
		net: n, name: name, place: place,
		addr: address(n.cfg.Subnet, place),
		stack: stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocolCUBIC, udp.NewProtocol, icmp.NewProtocol4},
			HandleLocal:        true, // what a host sends to itself does not go over the line
		}),
	}
	if err := h.configure(); err != nil {
		h.stack.Destroy()
		return nil, fmt.Errorf("netsim: host %q: %w", name, err)
	}
	return h, nil
}

func (h *Host) configure() error {
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
	h.stack.SetRouteTable([]tcpip.Route{{Destination: own.AddressWithPrefix.Subnet(), NIC: nic}})
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
