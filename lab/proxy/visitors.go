package proxy

import (
	"io"
	"net"
	"sync"

	"peerlab/lab"
)

// How many connections from outside one proxy has open at a time: in all, and
// from one address. The run's own hosts are not counted, so that visitors
// can't hold up what is measured.
const (
	maxVisitors    = 64
	maxFromOne     = 24
	tooMany        = "too many connections are open here\n"
	tooManyAnswer  = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n\r\n" + tooMany
	unknownAddress = "?"
)

// door is a listener that lets so many visitors in and sends the rest away.
type door struct {
	net.Listener
	run *lab.Run

	mu   sync.Mutex
	all  int
	from map[string]int
}

// visitor is a connection from outside.
type visitor struct {
	net.Conn
	leave func()
}

func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil || d.run.HostOf(c.RemoteAddr()) != "" {
			return c, err
		}
		if v := d.admit(c); v != nil {
			return v, nil
		}
		io.WriteString(c, tooManyAnswer) // few bytes into an empty buffer: this does not block
		c.Close()
	}
}

// admit makes a visitor of c, if there is room for one.
func (d *door) admit(c net.Conn) net.Conn {
	who, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		who = unknownAddress
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= maxVisitors || d.from[who] >= maxFromOne {
		return nil
	}
	d.all++
	d.from[who]++
	return &visitor{Conn: c, leave: sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all--
		if d.from[who]--; d.from[who] == 0 {
			delete(d.from, who)
		}
	})}
}

func (v *visitor) Close() error {
	defer v.leave()
	return v.Conn.Close()
}

// CloseWrite ends the outgoing half.
func (v *visitor) CloseWrite() error { return closeWrite(v.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
