package turnsrv

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// udpConn is the part of net.UDPConn that reads and writes without allocating.
type udpConn interface {
	net.PacketConn
	ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(p []byte, addr netip.AddrPort) (int, error)
}

// udpWire is the wire of one UDP socket.
type udpWire struct {
	udpConn
	front *front
}

var _ wire = (*udpWire)(nil)

// receive waits for a datagram that Pion has to see. An ICMP error about one
// client, or a lack of buffers, doesn't end it; Pion would stop reading.
func (w *udpWire) receive(p []byte) (int, netip.AddrPort, error) {
	for failures := 0; ; {
		n, from, err := w.ReadFromUDPAddrPort(p)
		if errors.Is(err, net.ErrClosed) {
			return 0, netip.AddrPort{}, err
		}
		if err != nil {
			w.front.srv.dropped.add("udp-read")
			failures = pauseAfter(failures)
			continue
		}
		failures = 0
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if w.front.screen(p[:n], from) {
			return n, from, nil
		}
	}
}

func (w *udpWire) send(p []byte, client netip.AddrPort) error {
	_, err := w.WriteToUDPAddrPort(p, client)
	return err
}

func (w *udpWire) gone(netip.AddrPort) bool { return false }

func (w *udpWire) netAddr(client netip.AddrPort) net.Addr { return net.UDPAddrFromAddrPort(client) }

func (w *udpWire) stream() bool { return false }

func (w *udpWire) transport() string { return "udp" }

// pauseAfter keeps a socket that reports one error after the other from taking
// a core: it counts one more failure, and rests a little from the 64th on.
func pauseAfter(failures int) int {
	const inARow, rest = 64, 10 * time.Millisecond
	if failures >= inARow {
		<-time.After(rest)
	}
	return failures + 1
}
