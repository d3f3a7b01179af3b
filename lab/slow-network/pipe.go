package slownetwork

import (
	"io"
	"net"
	"sync"
	"time"
)

// window bounds the bytes of one direction that are in a chain of toxics,
// which by itself may hold 32 MB of a client that does not read.
type window struct {
	mu     sync.Mutex
	moved  *sync.Cond
	inside int
	closed bool
}

// maxInside is more than any one download, so that it slows none.
const maxInside = 1 << 20

func newWindow() *window {
	w := &window{}
	w.moved = sync.NewCond(&w.mu)
	return w
}

// wait waits until there is room; false: there will be none.
func (w *window) wait() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.inside >= maxInside && !w.closed {
		w.moved.Wait()
	}
	return !w.closed
}

func (w *window) move(n int) {
	w.mu.Lock()
	w.inside += n
	w.mu.Unlock()
	w.moved.Broadcast()
}

func (w *window) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.moved.Broadcast()
}

// source is where a chain reads from.
type source struct {
	from   net.Conn
	window *window
}

func (s *source) Read(b []byte) (int, error) {
	if !s.window.wait() {
		return 0, io.EOF
	}
	n, err := s.from.Read(b)
	s.window.move(n)
	return n, err
}

// sink is where a chain writes to. Its Write never fails: at an error
// Toxiproxy would stop reading the chain, and what is in it would wait for
// ever. What nobody wants is thrown away instead, and the link broken off.
type sink struct {
	link   *link
	to     net.Conn
	window *window
	wrote  func() // a piece; or nil
	failed bool
}

// writeTimeout is how long a peer may not read.
const writeTimeout = 10 * time.Second

func (s *sink) Write(b []byte) (int, error) {
	defer s.window.move(-len(b))
	if s.failed {
		return len(b), nil
	}
	err := s.to.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = s.to.Write(b)
	}
	if err != nil {
		s.failed = true
		s.window.close()
		s.link.breakOff()
	} else if s.wrote != nil {
		s.wrote()
	}
	return len(b), nil
}

// Close is called once, when all of the direction is written. Toxiproxy knows
// no half-open connections: it closes.
func (s *sink) Close() error {
	s.window.close()
	return s.link.end(s.to)
}

// end closes a connection at the end of a direction.
func (l *link) end(to net.Conn) error {
	l.mu.Lock()
	abort := l.abort
	l.mu.Unlock()
	if abort {
		for _, c := range []net.Conn{l.client, l.server} {
			linger(c)
		}
	}
	err := to.Close()
	if to == l.client {
		// Nobody is left to read. A toxic that broke off has toxics before it
		// that go on handing it pieces, in their own time.
		l.breakOff()
		l.remove()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open--; l.open == 0 {
		close(l.ended)
	}
	return err
}

// linger makes the closing of c a reset.
func linger(c net.Conn) {
	if below, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = below.NetConn()
	}
	if c, ok := c.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0) // fails when it is closed already
	}
}
