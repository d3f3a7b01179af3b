package main

import (
	"context"
	"sync"

	"peerlab/nat"
)

// addressWatch finds out this host's public address when asked, one question at
// a time, and remembers the answer.
type addressWatch struct {
	checker *nat.Checker
	asked   chan struct{}

	mu       sync.Mutex
	checking bool
	report   *nat.Report
}

func newAddressWatch(checker *nat.Checker) *addressWatch {
	return &addressWatch{checker: checker, asked: make(chan struct{}, 1)}
}

// check asks for a new answer and returns at once; asking again before it is
// there changes nothing.
func (w *addressWatch) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.checking {
		return
	}
	w.checking = true
	w.asked <- struct{}{}
}

func (w *addressWatch) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.asked:
		}
		report := w.checker.Check(ctx)
		w.mu.Lock()
		w.report, w.checking = &report, false
		w.mu.Unlock()
	}
}

// last is the newest answer, nil before the first, and whether one is on its way.
func (w *addressWatch) last() (*nat.Report, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.report, w.checking
}
