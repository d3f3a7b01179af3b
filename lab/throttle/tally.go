package throttle

import (
	"fmt"
	"sync"
	"time"
)

// tally counts the answers that one client got. A nil one counts nothing.
type tally struct {
	mu                sync.Mutex
	accepted, refused int
	failed            int // no answer at all
	skipped           int // not sent: too many were waiting
	retry             time.Duration
	firstRefused      time.Time
	since             int // accepted after the first refusal
	last              time.Time
	behind, slowest   time.Duration // the worst of sending late, and of waiting for an answer
}

// add counts an answer. retry is what it said in Retry-After.
func (t *tally) add(accepted bool, retry time.Duration) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
	if accepted {
		t.accepted++
		if !t.firstRefused.IsZero() {
			t.since++
		}
		return
	}
	t.refused++
	t.retry = max(t.retry, retry)
	if t.firstRefused.IsZero() {
		t.firstRefused = t.last
	}
}

func (t *tally) fail() {
	t.mu.Lock()
	t.failed++
	t.mu.Unlock()
}

func (t *tally) skip() {
	t.mu.Lock()
	t.skipped++
	t.mu.Unlock()
}

// took notes how long an answer took.
func (t *tally) took(d time.Duration) {
	t.mu.Lock()
	t.slowest = max(t.slowest, d)
	t.mu.Unlock()
}

// late notes by how much a request was sent too late.
func (t *tally) late(d time.Duration) {
	t.mu.Lock()
	t.behind = max(t.behind, d)
	t.mu.Unlock()
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d let through, %d refused", t.accepted, t.refused)
}

// share is the part of the answers that were not a refusal, in percent.
func (t *tally) share() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return 100 * float64(t.accepted) / float64(max(t.accepted+t.refused, 1))
}

// rate is how many requests a second were let through once the burst was used
// up, which is when the first was refused; if none was, from begin on.
func (t *tally) rate(begin time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, from := t.accepted, begin
	if !t.firstRefused.IsZero() {
		n, from = t.since, t.firstRefused
	}
	if took := t.last.Sub(from).Seconds(); took > 0 {
		return float64(n) / took
	}
	return 0
}
