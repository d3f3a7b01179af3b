package netsim

import (
	"net"
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/waiter"
)

// datagrams is gonet's UDP socket with the errors of package net.
type datagrams struct {
	*gonet.UDPConn
	local, remote net.Addr // remote is nil unless it is connected
	closed        atomic.Bool
}

var (
	_ net.Conn       = (*datagrams)(nil)
	_ net.PacketConn = (*datagrams)(nil)
)

func newDatagrams(wq *waiter.Queue, ep tcpip.Endpoint, remote net.Addr) *datagrams {
	d := &datagrams{UDPConn: gonet.NewUDPConn(wq, ep), local: &net.UDPAddr{}, remote: remote}
	if a, err := ep.GetLocalAddress(); err == nil {
		d.local = udpAddr(addrPort(a))
	}
	return d
}

func (d *datagrams) LocalAddr() net.Addr  { return d.local }
func (d *datagrams) RemoteAddr() net.Addr { return d.remote }

func (d *datagrams) usual(op string, remote net.Addr, err error) error {
	return usual(op, "udp", d.local, remote, err, d.closed.Load())
}

func (d *datagrams) Read(b []byte) (int, error) {
	n, _, err := d.UDPConn.ReadFrom(b)
	return n, d.usual("read", d.remote, err)
}

func (d *datagrams) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := d.UDPConn.ReadFrom(b)
	return n, from, d.usual("read", d.remote, err)
}

func (d *datagrams) Write(b []byte) (int, error) {
	n, err := d.UDPConn.Write(b)
	return n, d.usual("write", d.remote, err)
}

func (d *datagrams) WriteTo(b []byte, to net.Addr) (int, error) {
	if d.remote != nil {
		return 0, opError("write", "udp", d.local, to, net.ErrWriteToConnected)
	}
	ua, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, opError("write", "udp", d.local, to, &net.AddrError{Err: "not a UDP address"})
	}
	addr, ok := netip.AddrFromSlice(ua.IP)
	if addr = addr.Unmap(); !ok || !addr.Is4() {
		return 0, opError("write", "udp", d.local, to, &net.AddrError{Err: "the emulated link has IPv4 only", Addr: ua.String()})
	}
	n, err := d.UDPConn.WriteTo(b, &net.UDPAddr{IP: addr.AsSlice(), Port: ua.Port})
	return n, d.usual("write", to, err)
}

func (d *datagrams) Close() error {
	if d.closed.Swap(true) {
		return opError("close", "udp", d.local, d.remote, net.ErrClosed)
	}
	return d.UDPConn.Close()
}
