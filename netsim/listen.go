package netsim

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Listen accepts connections on address, "host:port" with a port of 0 for any
// free one; host is empty, this host's name or its address. network is tcp or
// tcp4. Accepted connections are Streams. Errors are *net.OpError; errors.Is finds syscall.EADDRINUSE
// and EADDRNOTAVAIL (not an address of this host), and net.ErrClosed.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	at, err := h.resolve(address)
	if err == nil && network != "tcp" && network != "tcp4" {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		return nil, opError("listen", network, nil, nil, err)
	}
	fail := func(err error) (net.Listener, error) { return nil, opError("listen", network, nil, tcpAddr(at), err) }
	h.listening.Lock()
	defer h.listening.Unlock()
	if h.listens(at.Port()) {
		return fail(syscall.EADDRINUSE)
	}
	l := &listener{}
	l.ep, err = h.open(tcp.ProtocolNumber, &l.wq, func(ep tcpip.Endpoint) error {
		// A port whose old connections are in TIME-WAIT can be listened on again, as
		// with package net. The stack would allow two listeners then: listens does not.
		ep.SocketOptions().SetReuseAddress(true)
		if err := ep.Bind(full(at)); err != nil {
			return fault(err)
		}
		return fault(ep.Listen(h.net.cfg.TCP.backlog()))
	})
	if err != nil {
		return fail(err)
	}
	bound, refused := l.ep.GetLocalAddress()
	if refused != nil {
		l.ep.Close()
		return fail(fault(refused))
	}
	l.addr = tcpAddr(h.shown(bound))
	return l, nil
}

// ListenPacket receives datagrams on address, as Listen does; network is udp or
// udp4. WriteTo wants a *net.UDPAddr.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	at, err := h.resolve(address)
	if err == nil && network != "udp" && network != "udp4" {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		return nil, opError("listen", network, nil, nil, err)
	}
	fail := func(err error) (net.PacketConn, error) { return nil, opError("listen", network, nil, udpAddr(at), err) }
	var wq waiter.Queue
	ep, err := h.open(udp.ProtocolNumber, &wq, func(ep tcpip.Endpoint) error {
		return errors.Join(mayFragment(ep), fault(ep.Bind(full(at))))
	})
	if err != nil {
		return fail(err)
	}
	d := newDatagrams(&wq, ep, nil)
	if bound, err := ep.GetLocalAddress(); err == nil {
		d.local = udpAddr(h.shown(bound))
	}
	return d, nil
}

// listener accepts connections from a listening endpoint.
type listener struct {
	ep     tcpip.Endpoint
	wq     waiter.Queue
	addr   net.Addr
	closed atomic.Bool
}

func (l *listener) Addr() net.Addr { return l.addr }

// SetBacklog changes how many connections wait to be accepted, 0 to 65535; as on
// Linux there is room for one more, and what comes when it is full is not
// answered. It fails while more than that are waiting.
func (l *listener) SetBacklog(n int) error {
	if n < 0 || n > 65_535 {
		return fmt.Errorf("%w: backlog of %d is not within 0 and 65535", ErrConfig, n)
	}
	if err := l.ep.Listen(n + 1); err != nil { // the stack leaves the one more to its caller
		return opError("listen", "tcp", nil, l.addr, fault(err))
	}
	return nil
}

func (l *listener) Accept() (net.Conn, error) {
	entry, ready := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventHUp | waiter.EventErr)
	l.wq.EventRegister(&entry)
	defer l.wq.EventUnregister(&entry)
	for {
		if l.closed.Load() {
			return nil, opError("accept", "tcp", nil, l.addr, net.ErrClosed)
		}
		ep, wq, err := l.ep.Accept(nil)
		switch err.(type) {
		case nil:
			return newStream(wq, ep), nil
		case *tcpip.ErrWouldBlock:
			<-ready // Close, and the end of the net, wake it too
		default:
			return nil, opError("accept", "tcp", nil, l.addr, fault(err))
		}
	}
}

func (l *listener) Close() error {
	if l.closed.Swap(true) {
		return opError("close", "tcp", nil, l.addr, net.ErrClosed)
	}
	l.ep.Close()
	return nil
}

// listens reports whether a listener has the port, 0 being none.
func (h *Host) listens(port uint16) bool {
	return port != 0 && slices.ContainsFunc(h.Sockets(), func(s Socket) bool {
		return s.State == "LISTEN" && s.Local.Port() == port
	})
}
