package turnsrv

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// acceptPause is how long accepting rests when the system has no more sockets.
const acceptPause = 50 * time.Millisecond

// tcpWire is the wire of one TCP listener: all its connections as if they were
// the clients of one datagram socket.
//
//	conn ─ framer ─ screen ─┐                      ┌─ queue ─ writer ─ conn
//	conn ─ framer ─ screen ─┼─ frames ─▶ Pion ─────┼─ queue ─ writer ─ conn
//	conn ─ framer ─ screen ─┘                      └─ queue ─ writer ─ conn
//
// Pion could read connections itself, but its framer loops for ever on a length
// of 0xFFEC, and a relay address generator wouldn't learn who asks.
type tcpWire struct {
	front *front
	ln    net.Listener

	frames chan *frame
	done   chan struct{} // closed when no connection is left
	wg     sync.WaitGroup

	mu     sync.RWMutex
	conns  map[netip.AddrPort]*tcpConn
	closed bool
}

var _ wire = (*tcpWire)(nil)

// frame is a message on its way from a connection to Pion.
type frame struct {
	from netip.AddrPort
	n    int
	data [maxMessage]byte
}

func newTCPWire(f *front, ln net.Listener) *tcpWire {
	return &tcpWire{
		front: f, ln: ln,
		frames: make(chan *frame, 64),
		done:   make(chan struct{}),
		conns:  make(map[netip.AddrPort]*tcpConn),
	}
}

// accept takes connections until the listener is closed.
func (w *tcpWire) accept() {
	for {
		conn, err := w.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			w.front.srv.dropped.add("tcp-accept")
			select {
			case <-time.After(acceptPause):
			case <-w.done:
				return
			}
			continue
		}
		w.admit(conn)
	}
}

// admit starts serving a connection, if there is room for it.
func (w *tcpWire) admit(conn net.Conn) {
	addr := addrPort(conn.RemoteAddr())
	who := holder(addr.Addr())
	if !addr.IsValid() || !w.front.srv.conns.take(who) {
		w.front.srv.dropped.add("tcp-limit")
		conn.Close()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.front.srv.conns.give(who)
		conn.Close()
		return
	}
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		defer w.front.srv.conns.give(who)
		w.serve(newTCPConn(w, conn, addr))
	}()
}

// serve runs one connection to its end, and ends its allocation with it.
func (w *tcpWire) serve(c *tcpConn) {
	defer close(c.finished)
	defer c.close()
	if !w.enter(c) {
		return
	}
	var writer sync.WaitGroup
	writer.Go(c.write)
	if err := c.read(); err != nil {
		w.front.srv.cfg.Logger.Debug("TURN client's TCP connection ended", "client", c.addr, "cause", err)
	}
	c.close() // from here on it is gone: no more requests of it are handled
	writer.Wait()
	w.front.leave(c.addr)

	w.mu.Lock() // only now may another of the same address come
	delete(w.conns, c.addr)
	w.mu.Unlock()
}

// enter makes c the connection of its client address. An earlier one of the same
// address is dead, whether its end has been noticed or not, and goes first; with
// it goes its allocation. Only a client that reaches two addresses of this host
// from one port of its own loses by that.
func (w *tcpWire) enter(c *tcpConn) bool {
	for {
		w.mu.Lock()
		old := w.conns[c.addr]
		if old == nil || w.closed {
			if !w.closed {
				w.conns[c.addr] = c
			}
			entered := !w.closed
			w.mu.Unlock()
			return entered
		}
		w.mu.Unlock()
		old.close()
		<-old.finished
	}
}

// receive waits for the next message of any connection.
func (w *tcpWire) receive(p []byte) (int, netip.AddrPort, error) {
	select {
	case fr := <-w.frames:
		n, from := copy(p, fr.data[:fr.n]), fr.from
		w.front.srv.framePool.Put(fr)
		return n, from, nil
	case <-w.done:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (w *tcpWire) send(p []byte, client netip.AddrPort) error {
	w.mu.RLock()
	c := w.conns[client]
	w.mu.RUnlock()
	if c == nil {
		return net.ErrClosed
	}
	if !c.enqueue(p) {
		w.front.srv.dropped.add("tcp-queue-full")
	}
	return nil
}

func (w *tcpWire) gone(client netip.AddrPort) bool {
	w.mu.RLock()
	c := w.conns[client]
	w.mu.RUnlock()
	return c == nil || c.ended()
}

func (w *tcpWire) netAddr(client netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(client) }

func (w *tcpWire) stream() bool { return true }

func (w *tcpWire) transport() string { return "tcp" }

func (w *tcpWire) LocalAddr() net.Addr { return w.ln.Addr() }

// Close closes the listener and every connection, and waits for them to end.
func (w *tcpWire) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	err := w.ln.Close()
	for _, c := range w.conns {
		c.close()
	}
	w.mu.Unlock()
	w.wg.Wait()
	close(w.done)
	return err
}
