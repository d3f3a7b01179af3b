package nat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun"
)

// Opener opens a UDP socket of IPv4 on the host that is looked at, at any port.
type Opener func() (net.PacketConn, error)

// transaction is the ID that a request and its answer share: 96 random bits, so
// that who has not seen the request can't answer it.
type transaction = [stun.TransactionIDSize]byte

// datagram is one that came, and from where.
type datagram struct {
	at   *socket
	raw  []byte
	from netip.AddrPort
}

// socket is a UDP socket with one reader, which hands datagrams to whoever waits
// for their transaction and drops all others.
type socket struct {
	conn    net.PacketConn
	reading chan struct{} // closed when it has ended

	mu      sync.Mutex
	waiting map[transaction]chan<- datagram
}

func openSocket(open Opener) (*socket, error) {
	conn, err := open()
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	s := &socket{conn: conn, reading: make(chan struct{}), waiting: make(map[transaction]chan<- datagram)}
	go s.read()
	return s, nil
}

// close closes the socket and waits for its reader.
func (s *socket) close() {
	s.conn.Close()
	<-s.reading
}

// port is the socket's own port.
func (s *socket) port() uint16 { return addrPortOf(s.conn.LocalAddr()).Port() }

// maxReadFailures in a row end a reader: some systems report what an earlier
// datagram met, so that one alone means nothing.
const maxReadFailures = 100

func (s *socket) read() {
	defer close(s.reading)
	buf := make([]byte, maxSTUNAnswer)
	for failures := 0; failures < maxReadFailures; {
		n, from, err := s.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			continue
		}
		failures = 0
		if stun.IsMessage(buf[:n]) {
			s.deliver(buf[:n], addrPortOf(from))
		}
	}
}

// deliver hands a copy of a datagram to who waits for it, if there is room.
func (s *socket) deliver(raw []byte, from netip.AddrPort) {
	const idAt = 8 // in the header, RFC 8489 section 5
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch, ok := s.waiting[transaction(raw[idAt:])]; ok {
		select {
		case ch <- datagram{s, append([]byte(nil), raw...), from}:
		default:
		}
	}
}

func (s *socket) expect(id transaction, ch chan<- datagram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[id] = ch
}

func (s *socket) forget(id transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// errSilence is the error of an exchange in which nothing was heard in time.
var errSilence = errors.New("no answer")

// tries is how often a request is sent before silence counts.
const tries = 4

// pace is how long after a request the next one is sent.
type pace struct {
	interval time.Duration
	doubling bool
}

// sendings are how often a request was sent, and when for the last time.
type sendings struct {
	count int
	last  time.Time
}

// exchange sends a request from a socket, again and again, until something of
// its transaction is heard at one of the others that heed takes. The error is
// errSilence if nothing is.
func exchange(ctx context.Context, from *socket, at []*socket, to netip.AddrPort, request *stun.Message, p pace, heed func(datagram) bool) (sent sendings, err error) {
	heard := make(chan datagram, 4)
	for _, s := range at {
		s.expect(request.TransactionID, heard)
		defer s.forget(request.TransactionID)
	}
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return sent, ctx.Err()
		case d := <-heard:
			if heed(d) {
				return sent, nil
			}
		case <-again.C:
			if sent.count == tries {
				return sent, errSilence
			}
			if _, err := from.conn.WriteTo(request.Raw, net.UDPAddrFromAddrPort(to)); err != nil {
				return sent, fmt.Errorf("send to %s: %w", to, err)
			}
			sent.count++
			sent.last = time.Now()
			again.Reset(p.interval)
			if p.doubling {
				p.interval *= 2
			}
		}
	}
}
