package webrtc

import (
	"slices"
	"time"

	"peerlab/lab"
)

// summary is what became of the messages.
type summary struct {
	sent, got, overtaken int
	median, worst        time.Duration // age when delivered
	expired              int           // older than their lifetime when delivered
	held                 int           // arrived, and had to wait for an earlier one of the stream,
	heldMost             time.Duration // and the longest of these waits
	took                 time.Duration // from the first sent to the last delivered
}

// region held

// summary counts. A message was held back if an earlier one of its stream arrived
// after it, and was delivered before it. A machine that is busy delivers late, but in
// the order in which things arrived, so it cannot be mistaken for that.
func (l *load) summary(lifetime time.Duration) summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := summary{sent: len(l.parcels), got: l.got, overtaken: l.overtaken}
	var ages []time.Duration
	latest := map[place]parcel{} // by stream: the one that arrived last so far
	for number, m := range l.parcels {
		if m.delivered.IsZero() {
			continue
		}
		age := m.delivered.Sub(m.sent)
		ages = append(ages, age)
		s.took = max(s.took, m.delivered.Sub(l.parcels[0].sent))
		if age > lifetime+slack {
			s.expired++
		}
		if m.arrived.IsZero() {
			continue
		}
		stream := l.number[number]
		stream.message = 0
		last := latest[stream]
		if wait := last.arrived.Sub(m.arrived); wait > slack && !m.delivered.Before(last.delivered) {
			s.held++
			s.heldMost = max(s.heldMost, wait)
		}
		if m.arrived.After(last.arrived) {
			latest[stream] = m
		}
	}
	if len(ages) > 0 {
		s.median, s.worst = lab.Median(ages), slices.Max(ages)
	}
	return s
}

// endregion

// slack is what a delivery takes without waiting for anything.
const slack = 20 * time.Millisecond
