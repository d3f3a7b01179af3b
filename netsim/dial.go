package netsim

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// DialContext connects to address over the link. network is tcp, tcp4, udp or
// udp4; address is "host:port", host being the name of a host of the net or an IPv4
// address. A tcp connection is a Stream.
//
// Errors are *net.OpError; errors.Is finds syscall.ECONNREFUSED (nobody
// listens), ECONNRESET, ETIMEDOUT (no answer to any SYN, after 127 s), ENETUNREACH (an address
// outside the net's own), ctx's error, or net.ErrClosed; a *net.DNSError is inside for an unknown
// name. An address of the net that no host has does not answer. Reading and writing return what kernel sockets
// do: io.EOF, os.ErrDeadlineExceeded, syscall.ECONNRESET, EPIPE, net.ErrClosed.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := h.resolve(address)
	if err == nil && to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(h.addr, to.Port()) // as on Linux: this host
	}
	if err != nil {
		return nil, opError("dial", network, nil, nil, err)
	}
	switch network {
	case "tcp", "tcp4":
		return h.dialTCP(ctx, network, to)
	case "udp", "udp4":
		return h.dialUDP(network, to)
	default:
		return nil, opError("dial", network, nil, nil, net.UnknownNetworkError(network))
	}
}

func (h *Host) dialTCP(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) { return nil, opError("dial", network, nil, tcpAddr(to), err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	var wq waiter.Queue
	entry, writable := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventHUp | waiter.EventErr)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)

	var refused tcpip.Error
	ep, err := h.open(tcp.ProtocolNumber, &wq, func(ep tcpip.Endpoint) error {
		refused = ep.Connect(full(to)) // does not wait
		return nil
	})
	if err != nil {
		return fail(err)
	}
	if _, started := refused.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ctx.Done():
			ep.Close()
			return fail(ctx.Err())
		case <-writable:
			refused = ep.LastError()
		}
	}
	if refused != nil {
		ep.Close()
		return fail(fault(refused))
	}
	return newStream(&wq, ep), nil
}

func (h *Host) dialUDP(network string, to netip.AddrPort) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) { return nil, opError("dial", network, nil, udpAddr(to), err) }
	var wq waiter.Queue
	ep, err := h.open(udp.ProtocolNumber, &wq, func(ep tcpip.Endpoint) error {
		return errors.Join(mayFragment(ep), fault(ep.Connect(full(to))))
	})
	if err != nil {
		return fail(err)
	}
	return newDatagrams(&wq, ep, udpAddr(to)), nil
}

// open makes a socket and prepares it, unless the net is closed. The net does
// not close in between: a socket that is half made then would be missed, and
// waited for until it gives up.
func (h *Host) open(proto tcpip.TransportProtocolNumber, wq *waiter.Queue, prepare func(tcpip.Endpoint) error) (tcpip.Endpoint, error) {
	h.net.opening.RLock()
	defer h.net.opening.RUnlock()
	if h.net.isClosed() {
		return nil, net.ErrClosed
	}
	ep, refused := h.stack.NewEndpoint(proto, header.IPv4ProtocolNumber, wq)
	if refused != nil {
		return nil, fault(refused)
	}
	if err := prepare(ep); err != nil {
		ep.Close()
		return nil, err
	}
	return ep, nil
}
