package lab

import (
	"errors"
	"net"
	"sync"
)

// conn is a connection that its run counts and closes.
type conn struct {
	net.Conn
	once    sync.Once
	release func()
	err     error
}

// dialledConn keeps a connection whose own end is known by its address while it is
// open, so that the run's other hosts can send to it if it is for datagrams, and
// are refused if it isn't.
func (s *sockets) dialledConn(c net.Conn) (net.Conn, error) {
	a := c.LocalAddr()
	return s.conn(c, false, s.name(a.Network(), "", "", a)...)
}

// conn keeps a connection; guest says that it is from outside.
func (s *sockets) conn(c net.Conn, guest bool, names ...string) (net.Conn, error) {
	w := &conn{Conn: c}
	w.release = func() {
		s.drop(w, names...)
		if guest {
			s.leave()
		}
	}
	if err := s.keep(w); err != nil {
		return nil, err
	}
	return w, nil
}

// Close closes the connection; a second time it does nothing.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.err = c.Conn.Close()
		c.release()
	})
	return c.err
}

// CloseWrite ends the outgoing half of a TCP connection: the FIN.
func (c *conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// NetConn is the connection below, a *net.TCPConn on the loopback, for its
// socket options. It must not be closed there.
func (c *conn) NetConn() net.Conn { return c.Conn }

// listener is a listener that its run counts and closes, and its accepted
// connections too.
type listener struct {
	net.Listener
	sockets *sockets
	open    bool // to the outside
	once    sync.Once
	release func()
	err     error
}

func (s *sockets) listener(l net.Listener, network, lane, port string, open bool) (net.Listener, error) {
	w := &listener{Listener: l, sockets: s, open: open}
	names := s.name(network, lane, port, l.Addr())
	w.release = func() { s.drop(w, names...) }
	if err := s.keep(w); err != nil {
		return nil, err
	}
	return w, nil
}

// Accept waits for the next connection. One that would be over the run's limit
// is closed at once, and it waits on; so is one from outside when half of what the
// run may have open is theirs.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		guest := false
		if l.open {
			guest, err = l.sockets.accept(c.RemoteAddr())
		} else {
			err = l.sockets.take()
		}
		if err != nil {
			c.Close()
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			continue
		}
		return l.sockets.conn(c, guest)
	}
}

// NetListener is the listener below, a *net.TCPListener on the loopback, for its
// socket options. It must not be closed there, and not accept.
func (l *listener) NetListener() net.Listener { return l.Listener }

// Close stops listening; a second time it does nothing.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.err = l.Listener.Close()
		l.release()
	})
	return l.err
}

// packetConn is a datagram socket that its run counts and closes. On the
// loopback it sends only to sockets of the run and to those it heard from.
type packetConn struct {
	net.PacketConn
	sockets *sockets
	fenced  bool
	once    sync.Once
	release func()
	err     error

	mu    sync.Mutex
	heard map[string]struct{}
}

// maxHeard bounds how many strangers one datagram socket may answer.
const maxHeard = 1024

func (s *sockets) packetConn(pc net.PacketConn, network, lane, port string, fenced bool) (net.PacketConn, error) {
	w := &packetConn{PacketConn: pc, sockets: s, fenced: fenced, heard: map[string]struct{}{}}
	names := s.name(network, lane, port, pc.LocalAddr())
	w.release = func() { s.drop(w, names...) }
	if err := s.keep(w); err != nil {
		return nil, err
	}
	return w, nil
}

func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.PacketConn.ReadFrom(b)
	if err == nil && p.fenced {
		p.mu.Lock()
		if len(p.heard) < maxHeard {
			p.heard[from.String()] = struct{}{}
		}
		p.mu.Unlock()
	}
	return n, from, err
}

func (p *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if p.fenced {
		p.mu.Lock()
		_, ok := p.heard[to.String()]
		p.mu.Unlock()
		if !ok {
			if _, ok = p.sockets.find("udp", "", to.String()); !ok {
				return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: ErrNotOurs}
			}
		}
	}
	return p.PacketConn.WriteTo(b, to)
}

// SetReadBuffer sets the socket's receive buffer, in bytes.
func (p *packetConn) SetReadBuffer(bytes int) error {
	socket, ok := p.PacketConn.(interface{ SetReadBuffer(bytes int) error })
	if !ok {
		return errors.ErrUnsupported
	}
	return socket.SetReadBuffer(bytes)
}

// Close closes the socket; a second time it does nothing.
func (p *packetConn) Close() error {
	p.once.Do(func() {
		p.err = p.PacketConn.Close()
		p.release()
	})
	return p.err
}
