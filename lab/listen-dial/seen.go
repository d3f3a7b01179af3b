package listendial

import (
	"context"
	"time"

	"peerlab/lab"
)

// What the scenes ask of the watcher.

// count is how many of a lane's sockets at a listener's port are in a state
// now; an empty state is any but LISTEN.
func (w *watcher) count(lane, state string, port uint16) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, s := range w.now {
		if e.lane == lane && e.server == port && e.client != 0 && (s.state == state || state == "") {
			n++
		}
	}
	return n
}

// repeated is how often a SYN was sent again, as far as the kernel tells.
func (w *watcher) repeated() (times uint64, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.again, w.run.Network() == lab.Loopback && w.err == nil
}

// until waits until what is true of what the watcher sees, or the patience is over.
func (w *watcher) until(ctx context.Context, patience time.Duration, what func() bool) bool {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	_ = w.look() // what was done until now is seen; its error is kept
	for {
		w.mu.Lock()
		changed, err := w.changed, w.err
		w.mu.Unlock()
		if what() {
			return true
		}
		if err != nil {
			return false
		}
		select {
		case <-changed:
		case <-limit.C:
			return what()
		case <-ctx.Done():
			return false
		}
	}
}

// has tells whether a connection of that name is in the state at the lane now,
// or has been: those on the link pass by themselves.
func (w *watcher) has(lane, state string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.seen[state][lane]
	return ok
}

// gone tells whether a lane has no connection of that name any more.
func (w *watcher) gone(lane, name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, s := range w.now {
		if e.lane == lane && s.name == name {
			return false
		}
	}
	return true
}

// is tells whether the connection of that name is in the state at the lane now.
func (w *watcher) is(lane, name, state string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, s := range w.now {
		if e.lane == lane && s.name == name && s.state == state {
			return true
		}
	}
	return false
}
