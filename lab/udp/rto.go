package udp

import "time"

// How much above the mean a timeout is at least, as both machines have other
// things to do, and what it is at most.
const (
	slack  = 50 * time.Millisecond
	maxRTO = 8 * time.Second
)

// region rto

// estimator says how long to wait for an acknowledgement: what it has taken so
// far on average, and four times how much that varies (RFC 6298 section 2).
type estimator struct {
	mean, deviation time.Duration
	doubled         int // how often it is doubled, for all pieces
}

func (e *estimator) add(took time.Duration) {
	e.doubled = 0
	if e.mean == 0 {
		e.mean, e.deviation = took, took/2
		return
	}
	e.deviation += ((e.mean - took).Abs() - e.deviation) / 4
	e.mean += (took - e.mean) / 8
}

// late notes that a piece timed out which was sent so many times. Whether it was lost
// or the timeout is too short nobody knows, and a repeated piece measures nothing:
// so all have longer until one that was sent once is acknowledged (section 5).
func (e *estimator) late(tries int) { e.doubled = max(e.doubled, tries) }

// timeout of a piece that was sent so many times already: it doubles.
func (e *estimator) timeout(tries int) time.Duration {
	wait := time.Second // nothing is known yet
	if e.mean > 0 {
		wait = e.mean + max(slack, 4*e.deviation)
	}
	return min(wait<<min(max(tries-1, e.doubled), 8), maxRTO)
}

// endregion
