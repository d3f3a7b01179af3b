package turnsrv

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

var (
	errRefused = errors.New("peer refused")
	errEnded   = errors.New("allocation ended")
)

// leaseMargin is how much sooner than Pion's timer ours ends an allocation; see
// relay.end. LIFETIME is in whole seconds, so there is room for it.
const leaseMargin = 500 * time.Millisecond

// relay is the socket behind one allocation, as Pion sees it. It decides about
// every packet to a peer and counts what goes through.
type relay struct {
	front   *front
	client  netip.AddrPort
	user    string
	peerID  string
	port    uint16
	started time.Time
	conn    udpConn

	toPeer, toClient meter
	channels         channelTable
	permissions      map[netip.Addr]time.Duration // expiry; only while Pion handles a request
	lease            *time.Timer

	mu      sync.Mutex
	reading bool          // Pion's goroutine is in ReadFrom
	closed  bool          // Pion has closed it
	done    chan struct{} // closed with it

	buf [channelHeader + maxMessage + 4]byte // only ReadFrom's
}

var _ net.PacketConn = (*relay)(nil)

func newRelay(f *front, q *request, conn udpConn, port uint16) *relay {
	r := &relay{
		front: f, client: q.src, user: q.username, peerID: q.peerID, port: port,
		started: f.srv.cfg.Now(), conn: conn,
		permissions: make(map[netip.Addr]time.Duration),
		done:        make(chan struct{}),
	}
	r.lease = time.AfterFunc(defaultLifetime-leaseMargin, r.end)
	f.srv.live.Add(1)
	return r
}

// ReadFrom gives Pion the next datagram from a peer that has no channel; the
// others go to the client at once.
func (r *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	r.mu.Lock()
	r.reading = !r.closed
	r.mu.Unlock()
	for failures := 0; ; {
		n, from, err := r.conn.ReadFromUDPAddrPort(r.buf[channelHeader:])
		if errors.Is(err, net.ErrClosed) {
			return 0, nil, r.stopReading()
		}
		if err != nil { // what the network reports about one peer ends no allocation
			r.front.srv.dropped.add("relay-read")
			failures = pauseAfter(failures)
			continue
		}
		failures = 0
		if n > maxMessage {
			r.front.srv.dropped.add(string(faultTooLong))
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if number, bound := r.channels.byPeer(from, r.front.srv.now()); bound {
			r.toClient.add(n)
			r.front.toClient(putChannelHeader(r.buf[:], number, n, r.front.wire.stream()), r.client)
			continue
		}
		r.leaveRead()
		return copy(p, r.buf[channelHeader:channelHeader+n]), net.UDPAddrFromAddrPort(from), nil
	}
}

// leaveRead notes that no read is in progress, and reports whether Pion has
// closed the relay. The system keeps the port until both are so; the one that
// comes last gives it back.
func (r *relay) leaveRead() (closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && r.reading {
		r.front.srv.ports.release(r.port)
	}
	r.reading = false
	return r.closed
}

// stopReading ends ReadFrom when the socket is closed.
//
// If Pion closed it, the allocation is already forgotten, and Pion's goroutine
// would now delete by 5-tuple whatever the client may have allocated since. So
// the goroutine ends right here; it holds nothing. If the socket was closed by
// end, the error is what makes Pion delete the allocation.
func (r *relay) stopReading() error {
	if r.leaveRead() {
		runtime.Goexit()
	}
	return errEnded
}

// WriteTo sends to a peer for Pion.
func (r *relay) WriteTo(p []byte, peer net.Addr) (int, error) {
	return r.send(p, addrPort(peer))
}

// send relays one datagram to a peer, if the peer may be relayed to. It keeps no
// verdict from one packet to the next: asking again costs less than the socket.
func (r *relay) send(p []byte, peer netip.AddrPort) (int, error) {
	if reason, ok := r.front.srv.peers.allow(peer); !ok {
		r.front.srv.refused.add(string(reason))
		return 0, fmt.Errorf("%w: %s", errRefused, reason)
	}
	n, err := r.conn.WriteToUDPAddrPort(p, peer)
	if err != nil {
		return n, err
	}
	r.toPeer.add(n)
	return n, nil
}

// forward relays ChannelData of a channel in our table; of another one it is
// Pion's to say what happens.
func (r *relay) forward(p []byte) bool {
	peer, bound := r.channels.byNumber(channelNumber(p), r.front.srv.now())
	if bound {
		if _, err := r.send(channelPayload(p), peer); err != nil && !errors.Is(err, errRefused) {
			r.front.srv.dropped.add("relay-write")
		}
	}
	return bound
}

// permit asks whether the client may have a permission for a peer, and notes it.
func (r *relay) permit(peer netip.Addr) bool {
	now := r.front.srv.now()
	if _, known := r.permissions[peer]; !known && len(r.permissions) >= maxPermissions {
		for a, expires := range r.permissions {
			if expires <= now {
				delete(r.permissions, a)
			}
		}
		if len(r.permissions) >= maxPermissions {
			return false
		}
	}
	r.permissions[peer] = now + permissionLifetime
	return true
}

// extend puts off the end of the allocation to a lifetime from now.
func (r *relay) extend(lifetime time.Duration) { r.lease.Reset(lifetime - leaseMargin) }

// end deletes the allocation and returns when Pion has done so.
//
// Pion v2 closes an allocation without regard to a request being handled for it,
// and a permission added in that instant makes it stop a timer that isn't there
// yet, which ends the process. Hence every deletion that a request doesn't ask
// for comes through here, where no request is being handled: the closing of a
// TCP connection, and the end of the lifetime, a little before Pion would act.
func (r *relay) end() {
	r.front.handling.Lock()
	defer r.front.handling.Unlock()
	r.endHandling()
}

// endHandling is end for who holds front.handling.
func (r *relay) endHandling() {
	r.conn.Close()
	<-r.done
}

// Close is called by Pion when the allocation is deleted, after it has forgotten
// it.
func (r *relay) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	reading := r.reading
	r.mu.Unlock()

	err := r.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // by end
	}
	if !reading {
		r.front.srv.ports.release(r.port) // else leaveRead does
	}
	r.lease.Stop()
	r.front.forget(r)
	close(r.done)
	return err
}

// LocalAddr is the relayed transport address.
func (r *relay) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.front.srv.cfg.RelayIP, r.port))
}

// Pion sets no deadlines on relay sockets.
func (r *relay) SetDeadline(t time.Time) error      { return r.conn.SetDeadline(t) }
func (r *relay) SetReadDeadline(t time.Time) error  { return r.conn.SetReadDeadline(t) }
func (r *relay) SetWriteDeadline(t time.Time) error { return r.conn.SetWriteDeadline(t) }
