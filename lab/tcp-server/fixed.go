package tcpserver

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// fixed is the server that lasts: it knows how many it serves, how long it
// waits, where a message ends, and how to stop.
type fixed struct {
	spawn func(net.Conn, func()) // go, watched
	slots chan struct{}          // one for each connection served at a time
	wait  time.Duration          // for a whole line, and for a reader
	grace time.Duration          // for lines that have begun, when it stops

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	until time.Time // not zero: draining, until then
}

// region cap
func (s *fixed) Serve(l net.Listener) error {
	s.wg.Add(1) // Shutdown waits for this loop, and so for whom it has just let in
	defer s.wg.Done()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		select {
		case s.slots <- struct{}{}:
			s.wg.Add(1)
			s.spawn(c, func() {
				defer s.wg.Done()
				s.handle(c)
				<-s.slots
			})
		default: // full: say so now, rather than be slow for everybody
			c.SetWriteDeadline(time.Now().Add(s.wait))
			c.Write([]byte(busy))
			c.Close()
		}
	}
}

// endregion

// busy is what a client hears when all slots are taken.
const busy = "busy, come back later\n"

// region deadline
func (s *fixed) handle(c net.Conn) {
	defer s.forget(c)
	var lines frames
	for number := 1; ; {
		s.arm(c, lines.midLine())
		line, err := lines.next(c)
		if errors.Is(err, os.ErrDeadlineExceeded) && s.maySay(lines.midLine()) {
			continue // woken by the drain in the middle of a line
		}
		if err != nil {
			return
		}
		c.SetWriteDeadline(time.Now().Add(s.wait))
		if _, err := c.Write(answer(number, line)); err != nil {
			return
		}
		number++
	}
}

// arm sets the deadline of the next line: the same for a client that is silent
// and for one that sends a byte now and then.
func (s *fixed) arm(c net.Conn, midLine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	switch {
	case s.until.IsZero():
		c.SetReadDeadline(time.Now().Add(s.wait))
	case midLine:
		c.SetReadDeadline(s.until)
	default:
		c.SetReadDeadline(time.Now())
	}
}

// endregion

// region drain

// Shutdown takes no more connections, says goodbye to those that are between
// two lines, lets the others finish theirs, and waits.
func (s *fixed) Shutdown(l net.Listener, _ []net.Conn) {
	l.Close()
	s.mu.Lock()
	s.until = time.Now().Add(s.grace)
	for c := range s.conns {
		c.SetReadDeadline(time.Now()) // wakes whoever waits in Read
	}
	s.mu.Unlock()
	s.wg.Wait() // every read and write has a deadline: this ends
}

// maySay tells that the server is draining and this client is in the middle
// of a line that still has time to be finished.
func (s *fixed) maySay(midLine bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return midLine && time.Now().Before(s.until)
}

// endregion

func (s *fixed) forget(c net.Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	c.Close()
}
