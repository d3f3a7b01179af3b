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
// after it, and it was delivered after that. This is told by the packets, so a machine
// that is busy cannot be mistaken for it.
func (l *load) summary(lifetime time.Duration) summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := summary{sent: len(l.parcels), got: l.got, overtaken: l.overtaken}
	var ages []time.Duration
	latest := map[place]time.Time{} // by stream: the latest arrival so far
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
		if wait := last.Sub(m.arrived); wait > slack && !m.delivered.Before(last) {
			s.held++
			s.heldMost = max(s.heldMost, wait)
		}
		if m.arrived.After(last) {
			latest[stream] = m.arrived
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
