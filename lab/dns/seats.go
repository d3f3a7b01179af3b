package dnslab

import (
	"net"
	"sync"

	"peerlab/lab"
)

// maxSeats is how many connections visitors may have at a time.
const maxSeats = 24

// seats bound the connections from outside, on several listeners together, so
// that one who opens many does not take the sockets the run needs itself.
type seats struct {
	run  *lab.Run
	free chan struct{}
}

func newSeats(r *lab.Run) *seats {
	return &seats{run: r, free: make(chan struct{}, maxSeats)}
}

// at is the listener with seats for visitors. Who finds none is hung up on.
func (s *seats) at(l net.Listener) net.Listener { return &seated{l, s} }

type seated struct {
	net.Listener
	seats *seats
}

func (s *seated) Accept() (net.Conn, error) {
	for {
		c, err := s.Listener.Accept()
		if err != nil || s.seats.run.HostOf(c.RemoteAddr()) != "" {
			return c, err
		}
		select {
		case s.seats.free <- struct{}{}:
			return &visitor{Conn: c, seats: s.seats}, nil
		default:
			c.Close()
		}
	}
}

// visitor is a connection from outside.
type visitor struct {
	net.Conn
	seats *seats
	once  sync.Once
}

func (v *visitor) Close() error {
	v.once.Do(func() { <-v.seats.free })
	return v.Conn.Close()
}
