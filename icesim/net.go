package icesim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/transport/v2"
)

// dialTimeout bounds a connection to a TURN server: Pion's interface has no
// context.
const dialTimeout = 10 * time.Second

// Host is what is needed of an emulated host.
type Host interface {
	Addr() netip.Addr
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Net is the network of one host, as Pion wants it.
type Net struct {
	host Host
	ifi  *transport.Interface
}

var _ transport.Net = (*Net)(nil)

// NewNet makes it. The host has one interface, eth0, with its address.
func NewNet(h Host) *Net {
	ifi := transport.NewInterface(net.Interface{
		Index: 1, MTU: 1500, Name: "eth0", Flags: net.FlagUp | net.FlagRunning | net.FlagMulticast,
	})
	ifi.AddAddress(&net.IPNet{IP: h.Addr().AsSlice(), Mask: net.CIDRMask(24, 32)})
	return &Net{host: h, ifi: ifi}
}

// Interfaces lists the one there is.
func (n *Net) Interfaces() ([]*transport.Interface, error) {
	return []*transport.Interface{n.ifi}, nil
}

// InterfaceByIndex finds it by its number, 1.
func (n *Net) InterfaceByIndex(index int) (*transport.Interface, error) {
	if index != n.ifi.Index {
		return nil, fmt.Errorf("interface %d: %w", index, transport.ErrInterfaceNotFound)
	}
	return n.ifi, nil
}

// InterfaceByName finds it by its name, eth0.
func (n *Net) InterfaceByName(name string) (*transport.Interface, error) {
	if name != n.ifi.Name {
		return nil, fmt.Errorf("interface %q: %w", name, transport.ErrInterfaceNotFound)
	}
	return n.ifi, nil
}

// ListenPacket opens a UDP socket.
func (n *Net) ListenPacket(network, address string) (net.PacketConn, error) {
	pc, err := n.host.ListenPacket(network, address)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	return Datagrams{pc}, nil
}

// ListenUDP opens a UDP socket; a nil address is any port.
func (n *Net) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	port := 0
	if at != nil {
		port = at.Port
	}
	pc, err := n.host.ListenPacket(network, fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	return Datagrams{pc}, nil
}

// ListenTCP is not there: ICE over TCP is not emulated.
func (n *Net) ListenTCP(string, *net.TCPAddr) (transport.TCPListener, error) {
	return nil, transport.ErrNotSupported
}

// Dial connects to an address.
func (n *Net) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	return n.host.DialContext(ctx, network, address)
}

// DialUDP opens a UDP socket that talks to one address, from any port of ours.
func (n *Net) DialUDP(network string, _, to *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Dial(network, to.String())
	if err != nil {
		return nil, err
	}
	return connected{Conn: c, to: to}, nil
}

// DialTCP connects to an address, from any port of ours.
func (n *Net) DialTCP(network string, _, to *net.TCPAddr) (transport.TCPConn, error) {
	c, err := n.Dial(network, to.String())
	if err != nil {
		return nil, err
	}
	return stream{c}, nil
}

// ResolveIPAddr reads an IPv4 address.
func (n *Net) ResolveIPAddr(_, address string) (*net.IPAddr, error) {
	a, err := netip.ParseAddr(address)
	if err != nil || !a.Is4() {
		return nil, &net.AddrError{Err: "not an IPv4 address", Addr: address}
	}
	return &net.IPAddr{IP: a.AsSlice()}, nil
}

// ResolveUDPAddr reads an IPv4 address with a port.
func (n *Net) ResolveUDPAddr(_, address string) (*net.UDPAddr, error) {
	a, err := addrPort(address)
	if err != nil {
		return nil, err
	}
	return net.UDPAddrFromAddrPort(a), nil
}

// ResolveTCPAddr reads an IPv4 address with a port.
func (n *Net) ResolveTCPAddr(_, address string) (*net.TCPAddr, error) {
	a, err := addrPort(address)
	if err != nil {
		return nil, err
	}
	return net.TCPAddrFromAddrPort(a), nil
}

func addrPort(address string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().Is4() {
		return netip.AddrPort{}, &net.AddrError{Err: "not an IPv4 address with a port", Addr: address}
	}
	return a, nil
}

// CreateDialer makes what dials as Dial does; what the dialer says of addresses
// and timeouts is not looked at.
func (n *Net) CreateDialer(*net.Dialer) transport.Dialer { return dialer{n} }

type dialer struct{ net *Net }

func (d dialer) Dial(network, address string) (net.Conn, error) { return d.net.Dial(network, address) }
