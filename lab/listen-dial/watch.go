package listendial

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// watcher sees the sockets of one variant, and what becomes of them.
type watcher struct {
	run  *lab.Run
	list func() (map[end]string, error)
	each bool // every connection is shown, not only how many there are

	resting atomic.Bool
	looking sync.Mutex // held while sockets are listed and compared; before mu

	mu        sync.Mutex
	listeners map[netip.AddrPort]bool // of the variant
	ignored   map[uint16]bool         // ports of clients
	name      string                  // of the connections that begin now
	now       map[end]*socket
	seen      map[string]map[string]time.Duration // by state and lane, the longest
	counts    map[string]int                      // by lane and state
	changed   chan struct{}                       // closed at the next change
	again     uint64                              // the most SYNs of one connection that were repeated
	err       error
}

// socket is what is known of an end.
type socket struct {
	name, state string
	since       time.Time
	over        func(string) // ends the span of the state
	missed      bool         // by the last look; the kernel may leave one out while others come and go
}

// watch begins to look at the sockets of two hosts.
func watch(r *lab.Run, c, s *lab.Host, each bool) *watcher {
	w := &watcher{
		run: r, each: each, listeners: map[netip.AddrPort]bool{}, ignored: map[uint16]bool{}, now: map[end]*socket{},
		seen: map[string]map[string]time.Duration{}, counts: map[string]int{}, changed: make(chan struct{}),
	}
	w.list = w.kernel
	pause := 4 * time.Millisecond
	if r.Network() == lab.Link {
		w.list, pause = func() (map[end]string, error) { return emulated(c, s), nil }, 2*time.Millisecond
	}
	r.Go(func(ctx context.Context) error {
		defer w.close()
		for began := time.Now(); w.look() == nil; began = time.Now() {
			wait := max(pause, time.Since(began)) // a machine with many sockets has long tables
			if w.resting.Load() {
				wait = 100 * time.Millisecond
			}
			if r.Sleep(ctx, wait) != nil {
				break
			}
		}
		return nil
	})
	return w
}

// rest makes it look less often: the scenes are over.
func (w *watcher) rest() { w.resting.Store(true) }

// blind tells that sockets can't be seen here.
func (w *watcher) blind() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil
}

// of makes the watcher look for the connections of a listener.
func (w *watcher) of(l net.Listener) error {
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return fmt.Errorf("address of the listener: %w", err)
	}
	w.mu.Lock()
	w.listeners[at] = true
	w.mu.Unlock()
	return nil
}

// ignore leaves the connection of a client out.
func (w *watcher) ignore(c net.Conn) {
	if at, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil {
		w.mu.Lock()
		w.ignored[at.Port()] = true
		w.mu.Unlock()
	}
}

// call names the connections that begin from now on; without a name they are
// left out.
func (w *watcher) call(name string) {
	w.mu.Lock()
	w.name = name
	w.mu.Unlock()
}

// look lists the sockets once and tells what has changed.
func (w *watcher) look() error {
	w.looking.Lock()
	defer w.looking.Unlock()
	found, err := w.list()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if w.err == nil {
			w.run.Note("States can be seen on the link only: this machine does not tell them (%v).", err)
		}
		w.err = err
		return err
	}
	changed := false
	for e := range found {
		if w.each && w.name == "" && e.client != 0 && w.now[e] == nil {
			w.ignored[e.client] = true
		}
	}
	for e, state := range found {
		if s := w.now[e]; !w.ignored[e.client] && (s == nil || s.state != state) {
			w.becomesLocked(e, state)
			changed = true
		}
	}
	for e, s := range w.now {
		_, still := found[e]
		if !still && s.missed {
			w.becomesLocked(e, closed)
			changed = true
		}
		s.missed = !still
	}
	if changed {
		w.countLocked()
		close(w.changed)
		w.changed = make(chan struct{})
	}
	return nil
}

// becomesLocked notes a new state of an end.
func (w *watcher) becomesLocked(e end, state string) {
	s := w.now[e]
	if s == nil {
		s = &socket{name: w.name}
		if e.client == 0 {
			s.name = "listener"
		}
		w.now[e] = s
	}
	w.lastedLocked(e, s)
	if s.over != nil {
		s.over("then " + state)
	}
	s.state, s.since, s.over = state, time.Now(), nil
	w.lastedLocked(e, s)
	if state == closed {
		delete(w.now, e)
	}
	if !w.each {
		return
	}
	if state == closed {
		w.run.State(trace.TCP, e.lane, s.name, "")
		return
	}
	w.run.State(trace.TCP, e.lane, s.name, state)
	s.over = w.run.Begin(trace.TCP, e.lane, state+" · "+s.name)
}

// lastedLocked notes for how long a state lasted so far, if that is longer than before.
func (w *watcher) lastedLocked(e end, s *socket) {
	if s.state == "" {
		return
	}
	if w.seen[s.state] == nil {
		w.seen[s.state] = map[string]time.Duration{}
	}
	w.seen[s.state][e.lane] = max(w.seen[s.state][e.lane], time.Since(s.since))
}

// countLocked charts how many sockets are in which state.
func (w *watcher) countLocked() {
	counts := map[string]int{}
	for e, s := range w.now {
		counts[e.lane+" "+s.state]++
	}
	for _, lane := range []string{client, server} {
		for _, state := range states {
			key := lane + " " + state
			if counts[key] != w.counts[key] && !w.each {
				w.run.Sample(trace.TCP, lane, state, float64(counts[key]), "sockets")
				text := ""
				if counts[key] > 0 {
					text = lab.Plural(counts[key], "socket")
				}
				w.run.State(trace.TCP, lane, state, text)
			}
		}
	}
	w.counts = counts
}

// close ends the spans of what is still there.
func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, s := range w.now {
		w.lastedLocked(e, s)
		if s.over != nil {
			s.over("still so at the end")
		}
	}
}
