package netsim

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// datagrams is a UDP socket. It is our own, as gonet's does not wake a reader
// when the other side answers that nobody listens.
type datagrams struct {
	wq          *waiter.Queue
	ep          tcpip.Endpoint
	local       net.Addr
	remote      net.Addr // nil unless it is connected
	read, write *deadline
	closed      atomic.Bool
}

var (
	_ net.Conn       = (*datagrams)(nil)
	_ net.PacketConn = (*datagrams)(nil)
)

func newDatagrams(wq *waiter.Queue, ep tcpip.Endpoint, remote net.Addr) *datagrams {
	d := &datagrams{wq: wq, ep: ep, local: &net.UDPAddr{}, remote: remote, read: newDeadline(), write: newDeadline()}
	if a, err := ep.GetLocalAddress(); err == nil {
		d.local = udpAddr(addrPort(a))
	}
	return d
}

// mayFragment lets the datagrams of a socket be cut into fragments. Otherwise the
// stack cuts them too, but says "don't" in each, and leaves out the number that
// keeps those of different datagrams apart (RFC 6864 section 4.3).
func mayFragment(ep tcpip.Endpoint) error {
	return fault(ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(tcpip.PMTUDiscoveryDont)))
}

func (d *datagrams) LocalAddr() net.Addr  { return d.local }
func (d *datagrams) RemoteAddr() net.Addr { return d.remote }

func (d *datagrams) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}

func (d *datagrams) SetReadDeadline(t time.Time) error {
	d.read.set(t)
	return nil
}

func (d *datagrams) SetWriteDeadline(t time.Time) error {
	d.write.set(t)
	return nil
}

// SetReadBuffer sets how many bytes of datagrams wait for a reader; what comes
// when it is full is lost.
func (d *datagrams) SetReadBuffer(bytes int) error {
	d.ep.SocketOptions().SetReceiveBufferSize(int64(bytes), true)
	return nil
}

func (d *datagrams) Read(b []byte) (int, error) {
	n, _, err := d.ReadFrom(b)
	return n, err
}

func (d *datagrams) ReadFrom(b []byte) (int, net.Addr, error) {
	var res tcpip.ReadResult
	err := d.try(waiter.ReadableEvents, d.read, func() (err tcpip.Error) {
		w := tcpip.SliceWriter(b)
		res, err = d.ep.Read(&w, tcpip.ReadOptions{NeedRemoteAddr: true})
		return err
	})
	if err != nil {
		return 0, nil, opError("read", "udp", d.local, d.remote, err)
	}
	return res.Count, udpAddr(addrPort(res.RemoteAddr)), nil
}

func (d *datagrams) Write(b []byte) (int, error) {
	return d.send(b, d.remote, tcpip.WriteOptions{})
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
	target := full(netip.AddrPortFrom(addr, uint16(ua.Port)))
	return d.send(b, to, tcpip.WriteOptions{To: &target})
}

func (d *datagrams) send(b []byte, to net.Addr, options tcpip.WriteOptions) (int, error) {
	err := d.try(waiter.WritableEvents, d.write, func() tcpip.Error {
		_, err := d.ep.Write(bytes.NewReader(b), options)
		return err
	})
	if err != nil {
		return 0, opError("write", "udp", d.local, to, err)
	}
	return len(b), nil
}

// try calls attempt until it does not have to wait any more, or for the end of
// the socket or the deadline.
func (d *datagrams) try(events waiter.EventMask, limit *deadline, attempt func() tcpip.Error) error {
	entry, ready := waiter.NewChannelEntry(events | waiter.EventErr | waiter.EventHUp)
	d.wq.EventRegister(&entry)
	defer d.wq.EventUnregister(&entry)
	for {
		past := limit.wait()
		select {
		case <-past:
			return os.ErrDeadlineExceeded
		default:
		}
		err := attempt()
		if d.closed.Load() {
			return net.ErrClosed
		}
		switch err.(type) {
		case *tcpip.ErrWouldBlock:
		case *tcpip.ErrClosedForReceive: // a UDP socket is never half closed: the net is gone
			return net.ErrClosed
		default:
			return fault(err)
		}
		select {
		case <-past:
		case <-ready:
		}
	}
}

func (d *datagrams) Close() error {
	if d.closed.Swap(true) {
		return opError("close", "udp", d.local, d.remote, net.ErrClosed)
	}
	d.ep.Close()
	d.wq.Notify(waiter.ReadableEvents | waiter.EventHUp)
	return nil
}
