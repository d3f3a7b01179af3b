package main

import (
	"context"
	"errors"
	"sync"

	"peerlab/nat"
	"peerlab/signaling/envelope"
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

// errNATUntold: our own STUN ports are on this side of any NAT, and others are not
// asked because somebody invites a Go peer.
var errNATUntold = errors.New("whether a NAT stands before this server was not found out")

// nat is what a Go peer of this server tells of its NAT, from the newest report:
// that there is none. Of one there is, too little is known to tell.
func (w *addressWatch) nat(context.Context, []string) (envelope.NAT, error) {
	if report, _ := w.last(); report == nil || report.Verdict.Kind != nat.Direct {
		return envelope.NAT{}, errNATUntold
	}
	mapping, filtering := nat.Behavior{Mapping: nat.EndpointIndependent}.Words()
	return envelope.NAT{Mapping: mapping, Filtering: filtering}, nil
}
