package netsim

import (
	"maps"
	"time"
)

// Stats counts what the lines did since the net began.
type Stats struct {
	// Sent counts the packets given to the lines, in their number and bytes.
	Sent, SentBytes uint64
	// Delivered counts those handed to their receivers so far.
	Delivered uint64
	// Lost counts the others by reason, one of the Why constants.
	Lost map[string]uint64
	// LateMean and LateMax say how much later than promised packets were
	// handed over: the error of the emulation's clock.
	LateMean, LateMax time.Duration
}

// Stats returns the counters.
func (n *Net) Stats() Stats {
	late := n.sched.lateness()
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.Lost = maps.Clone(s.Lost)
	s.Delivered, s.LateMean, s.LateMax = late.count, late.mean(), late.max
	return s
}
