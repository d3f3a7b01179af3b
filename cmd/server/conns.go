package main

import (
	"net"
	"net/netip"
	"sync"
)

// perAddress is a listener that lets one source address hold so many
// connections; the next one is closed at once. Without it a single client could
// take every file descriptor. Addresses for which exempt is true are not counted.
type perAddress struct {
	net.Listener
	max    int
	exempt func(netip.Addr) bool

	mu   sync.Mutex
	held map[netip.Addr]int
}

func limitPerAddress(l net.Listener, max int, exempt func(netip.Addr) bool) *perAddress {
	return &perAddress{Listener: l, max: max, exempt: exempt, held: make(map[netip.Addr]int)}
}

// Accept waits for the next connection within the limit.
func (l *perAddress) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
		if !ok {
			return conn, nil
		}
		source := tcp.AddrPort().Addr().Unmap()
		if l.exempt(source) {
			return conn, nil
		}
		if l.take(source) {
			return &countedConn{Conn: conn, release: func() { l.release(source) }}, nil
		}
		conn.Close()
	}
}

func (l *perAddress) take(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[a] >= l.max {
		return false
	}
	l.held[a]++
	return true
}

func (l *perAddress) release(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[a]--; l.held[a] == 0 {
		delete(l.held, a)
	}
}

// countedConn gives its place back when it is closed, once.
type countedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *countedConn) Close() error {
	defer c.once.Do(c.release)
	return c.Conn.Close()
}
