package udp

import "time"

// How much above the mean a timeout is at least, as both machines have other
// things to do, and what it is at most.
const (
	slack  = 50 * time.Millisecond
	maxRTO = 2 * time.Second
)

// region rto

// estimator says how long to wait for an acknowledgement: what it has taken so
// far on average, and four times how much that varies (RFC 6298 section 2).
type estimator struct{ mean, deviation time.Duration }

func (e *estimator) add(took time.Duration) {
	if e.mean == 0 {
		e.mean, e.deviation = took, took/2
		return
	}
	e.deviation += ((e.mean - took).Abs() - e.deviation) / 4
	e.mean += (took - e.mean) / 8
}

// timeout of a piece that was sent so many times already: it doubles.
func (e *estimator) timeout(tries int) time.Duration {
	wait := 300 * time.Millisecond // nothing is known yet
	if e.mean > 0 {
		wait = e.mean + max(slack, 4*e.deviation)
	}
	return min(wait<<min(tries-1, 8), maxRTO)
}

// endregion
