package icesim

import (
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/pion/transport/v2"
)

// Datagrams is an emulated UDP socket with the methods of a *net.UDPConn that
// Pion and our TURN server use.
type Datagrams struct{ net.PacketConn }

var _ transport.UDPConn = Datagrams{}

// RemoteAddr is none: the socket is not connected.
func (d Datagrams) RemoteAddr() net.Addr { return nil }

// SetReadBuffer and SetWriteBuffer do nothing.
func (d Datagrams) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing.
func (d Datagrams) SetWriteBuffer(int) error { return nil }

// Read receives from anybody.
func (d Datagrams) Read(b []byte) (int, error) {
	n, _, err := d.ReadFrom(b)
	return n, err
}

// Write has nobody to send to.
func (d Datagrams) Write([]byte) (int, error) { return 0, net.ErrWriteToConnected }

// ReadFromUDP is ReadFrom.
func (d Datagrams) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, from, err := d.ReadFrom(b)
	at, _ := from.(*net.UDPAddr)
	return n, at, err
}

// ReadFromUDPAddrPort is ReadFrom.
func (d Datagrams) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := d.ReadFromUDP(b)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	return n, from.AddrPort(), nil
}

// ReadMsgUDP is ReadFrom without control messages.
func (d Datagrams) ReadMsgUDP(b, _ []byte) (n, oobn, flags int, from *net.UDPAddr, err error) {
	n, from, err = d.ReadFromUDP(b)
	return n, 0, 0, from, err
}

// WriteToUDP is WriteTo.
func (d Datagrams) WriteToUDP(b []byte, to *net.UDPAddr) (int, error) { return d.WriteTo(b, to) }

// WriteToUDPAddrPort is WriteTo.
func (d Datagrams) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return d.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// WriteMsgUDP is WriteTo without control messages.
func (d Datagrams) WriteMsgUDP(b, _ []byte, to *net.UDPAddr) (n, oobn int, err error) {
	n, err = d.WriteTo(b, to)
	return n, 0, err
}

// connected is a UDP socket that talks to one address.
type connected struct {
	net.Conn
	to *net.UDPAddr
}

var _ transport.UDPConn = connected{}

func (c connected) SetReadBuffer(int) error  { return nil }
func (c connected) SetWriteBuffer(int) error { return nil }

func (c connected) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.Read(b)
	return n, c.to, err
}

func (c connected) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, err := c.Read(b)
	return n, c.to, err
}

func (c connected) ReadMsgUDP(b, _ []byte) (n, oobn, flags int, from *net.UDPAddr, err error) {
	n, err = c.Read(b)
	return n, 0, 0, c.to, err
}

// Writing to an address is as wrong here as on a system's connected socket.
func (c connected) WriteTo([]byte, net.Addr) (int, error) { return 0, net.ErrWriteToConnected }

func (c connected) WriteToUDP([]byte, *net.UDPAddr) (int, error) { return 0, net.ErrWriteToConnected }

func (c connected) WriteMsgUDP(_, _ []byte, _ *net.UDPAddr) (n, oobn int, err error) {
	return 0, 0, net.ErrWriteToConnected
}

// stream is a TCP connection.
type stream struct{ net.Conn }

var _ transport.TCPConn = stream{}

func (s stream) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{s.Conn}, r)
}

func (s stream) CloseRead() error { return transport.ErrNotSupported }

func (s stream) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return transport.ErrNotSupported
}

func (s stream) SetLinger(int) error                    { return nil }
func (s stream) SetKeepAlive(bool) error                { return nil }
func (s stream) SetKeepAlivePeriod(time.Duration) error { return nil }
func (s stream) SetNoDelay(bool) error                  { return nil }
func (s stream) SetWriteBuffer(int) error               { return nil }
func (s stream) SetReadBuffer(int) error                { return nil }
