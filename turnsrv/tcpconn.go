package turnsrv

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Bounds on what a TCP client may keep us waiting for, or hold.
const (
	// firstMessage is how soon a connection has to bring its first whole message.
	firstMessage = 15 * time.Second
	// idleTimeout is how long a connection without allocation may bring nothing;
	// it may last up to twice that. With an allocation it lives as long as that.
	idleTimeout = time.Minute
	// writeTimeout is how long the client may take in what was written to it.
	writeTimeout = 15 * time.Second
	// queueBytes is how much may wait to be written. What comes on top is
	// dropped, as in the network that TURN stands in for.
	queueBytes = 64 << 10
	// queueReserve is room for responses, which are not sent twice over TCP.
	queueReserve = 8 << 10
)

// tcpConn is the connection of one TCP client.
type tcpConn struct {
	wire *tcpWire
	conn net.Conn
	addr netip.AddrPort

	wake     chan struct{} // there is something to write
	over     chan struct{} // closed by close
	finished chan struct{} // closed when all of it is gone
	once     sync.Once

	mu      sync.Mutex
	pending []byte // whole frames, to be written
}

func newTCPConn(w *tcpWire, conn net.Conn, addr netip.AddrPort) *tcpConn {
	return &tcpConn{
		wire: w, conn: conn, addr: addr,
		wake:     make(chan struct{}, 1),
		over:     make(chan struct{}),
		finished: make(chan struct{}),
	}
}

// read takes messages from the connection until it ends or breaks the rules.
func (c *tcpConn) read() error {
	frames := newFramer(c.conn)
	if err := c.conn.SetReadDeadline(time.Now().Add(firstMessage)); err != nil {
		return err
	}
	for first, active := true, false; ; {
		p, err := frames.next()
		switch {
		case err == nil && first:
			first = false
			err = c.conn.SetReadDeadline(time.Now().Add(idleTimeout))
		case err == nil:
			active = true
		case errors.Is(err, os.ErrDeadlineExceeded) && !first && (active || c.wire.front.relayOf(c.addr) != nil):
			active = false
			if err := c.conn.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
				return err
			}
			continue
		case errors.Is(err, errFrameStart), errors.Is(err, errFrameSize):
			c.wire.front.srv.dropped.add("tcp-framing")
		}
		if err != nil {
			return err
		}
		if c.wire.front.screen(p, c.addr) && !c.deliver(p) {
			return net.ErrClosed
		}
	}
}

// deliver hands a message to Pion's goroutine.
func (c *tcpConn) deliver(p []byte) bool {
	fr := c.wire.front.srv.framePool.Get().(*frame)
	fr.from, fr.n = c.addr, copy(fr.data[:], p)
	select {
	case c.wire.frames <- fr:
		return true
	case <-c.over:
		return false
	}
}

// enqueue takes a frame to be written, if the client is not too far behind.
func (c *tcpConn) enqueue(p []byte) bool {
	limit := queueBytes
	if isResponse(p) {
		limit += queueReserve
	}
	c.mu.Lock()
	fits := len(c.pending)+len(p) <= limit
	if fits {
		c.pending = append(c.pending, p...)
	}
	c.mu.Unlock()
	if fits {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return fits
}

// write sends what is queued, all there is at a time, until the connection ends.
func (c *tcpConn) write() {
	var batch []byte
	for {
		select {
		case <-c.wake:
		case <-c.over:
			return
		}
		c.mu.Lock()
		batch, c.pending = c.pending, batch[:0]
		c.mu.Unlock()
		err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = c.conn.Write(batch)
		}
		if err != nil {
			c.close()
			return
		}
	}
}

// close ends the connection; read and write return.
func (c *tcpConn) close() {
	c.once.Do(func() {
		close(c.over)
		c.conn.Close()
	})
}

func (c *tcpConn) ended() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}
