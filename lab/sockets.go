package lab

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
)

// sockets are all that a run has open, on whichever network: counted, found by
// name, and closed together.
type sockets struct {
	listenOn netip.Addr
	max      int
	note     func(string) // told once when the limit is met

	owners *owners // who dialled

	mu      sync.Mutex
	closed  bool
	told    bool
	count   int // open, or about to be
	guests  int // of them, accepted from outside
	peak    int
	refused int
	open_   map[io.Closer]struct{}
	names   map[string]netip.AddrPort // "tcp naive/server:80": a listener
}

func newSockets(listenOn netip.Addr, most int, note func(string)) *sockets {
	return &sockets{
		listenOn: listenOn, max: most, note: note, owners: newOwners(),
		open_: map[io.Closer]struct{}{}, names: map[string]netip.AddrPort{},
	}
}

// open makes room for one more and calls f to open it; if f fails the room is
// given back.
func (s *sockets) open(f func() error) error {
	if err := s.take(); err != nil {
		return err
	}
	if err := f(); err != nil {
		s.give()
		return err
	}
	return nil
}

func (s *sockets) take() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeLocked()
}

func (s *sockets) takeLocked() error {
	switch {
	case s.closed:
		return net.ErrClosed
	case s.count >= s.max:
		s.refused++
		if !s.told {
			s.told = true
			s.note(limited(ErrSockets, s.max).Error())
		}
		return limited(ErrSockets, s.max)
	}
	s.count++
	s.peak = max(s.peak, s.count)
	return nil
}

// accept makes room for a connection that was accepted from a listener open to
// the outside, and tells whether it is from there. Such guests get half of all
// the room, so that whoever comes in crowds leaves some to the run.
func (s *sockets) accept(from net.Addr) (guest bool, err error) {
	if s.owners.of(from) != "" {
		return false, s.take()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guests >= s.max/2 {
		s.refused++
		return true, limited(ErrSockets, s.max/2)
	}
	if err := s.takeLocked(); err != nil {
		return true, err
	}
	s.guests++
	return true, nil
}

// leave gives back the room of a guest.
func (s *sockets) leave() {
	s.mu.Lock()
	s.guests--
	s.mu.Unlock()
}

func (s *sockets) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *sockets) give() {
	s.mu.Lock()
	s.count--
	s.mu.Unlock()
}

// keep remembers c to be closed with the run. If the run is over it is closed
// now.
func (s *sockets) keep(c io.Closer) error {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.open_[c] = struct{}{}
	}
	s.mu.Unlock()
	if closed {
		c.Close()
		return net.ErrClosed
	}
	return nil
}

// drop forgets c, which has been closed.
func (s *sockets) drop(c io.Closer, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open_, c)
	s.count--
	for _, n := range names {
		delete(s.names, n)
	}
}

// close closes all that is open and refuses whatever comes.
func (s *sockets) close() {
	s.mu.Lock()
	s.closed = true
	all := make([]io.Closer, 0, len(s.open_))
	for c := range s.open_ {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// name makes a listener known by the port it was asked for and the one it has,
// and without a lane by its address alone.
func (s *sockets) name(network, lane, port string, at net.Addr) []string {
	actual, err := netip.ParseAddrPort(at.String())
	if err != nil {
		return nil
	}
	_, actualPort, _ := net.SplitHostPort(at.String())
	names := []string{key(network, at.String())}
	if lane != "" {
		names = append(names, key(network, net.JoinHostPort(lane, port)), key(network, net.JoinHostPort(lane, actualPort)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.names[n] = actual
	}
	return names
}

// find looks up where a listener of this run is. Names are those of the
// variant's own hosts; addresses are anybody's.
func (s *sockets) find(network, variant, address string) (netip.AddrPort, bool) {
	if rest, ok := strings.CutPrefix(address, "localhost:"); ok {
		address = "127.0.0.1:" + rest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.names[key(network, address)]; ok && strings.ContainsAny(address[:1], "0123456789[") {
		return at, true
	}
	if variant != "" {
		address = variant + "/" + address
	}
	at, ok := s.names[key(network, address)]
	return at, ok
}

func key(network, address string) string { return network + " " + address }
