package netsim

import (
	"sync"
	"time"
)

// deadline closes a channel at a time that can be moved while somebody waits.
type deadline struct {
	mu     sync.Mutex
	past   chan struct{} // closed when the deadline has passed
	passed bool
	timer  *time.Timer
	moves  int // a timer of before the last move does nothing
}

func newDeadline() *deadline { return &deadline{past: make(chan struct{})} }

// wait is closed once the deadline has passed, wherever it is moved until then.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.past
}

// set moves the deadline; the zero time is none.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moves++
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.passed {
		d.past, d.passed = make(chan struct{}), false
	}
	if t.IsZero() {
		return
	}
	left, move := time.Until(t), d.moves
	if left <= 0 {
		d.passLocked()
		return
	}
	d.timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.moves == move {
			d.passLocked()
		}
	})
}

func (d *deadline) passLocked() {
	d.passed = true
	close(d.past)
}
