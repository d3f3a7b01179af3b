package peer

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	probeIdle    = time.Second            // between pings
	probeBusy    = 100 * time.Millisecond // between pings while a bench runs
	probeLost    = 2 * time.Second        // no pong by then: lost
	probeWindow  = 100                    // pings the statistics look at
	probeAnswers = 100                    // pongs a second, at most
)

// RTT sums up the last pings. Zero means that nothing was measured.
type RTT struct {
	Min, Median, P95, Last time.Duration
	// Jitter is the mean difference between one round trip and the next.
	Jitter time.Duration
	// Sent counts the pings that were answered or given up, Lost the latter.
	Sent, Lost int
}

// Probe measures the round trip through the data channel, where packets may
// get lost, and answers the pings of the other side.
type Probe struct {
	busy func() bool // is a bench running?

	mu      sync.Mutex
	next    int64
	flying  map[int64]time.Time
	last    []time.Duration // −1: lost
	fastest time.Duration   // on this path; zero: none yet
}

type probeFrame struct {
	T       string `json:"t"`
	N       *int64 `json:"n,omitempty"`
	Message string `json:"message,omitempty"`
}

func newProbe(busy func() bool) *Probe {
	return &Probe{busy: busy, flying: map[int64]time.Time{}}
}

// RTT returns the statistics of the last hundred pings.
func (p *Probe) RTT() RTT {
	p.mu.Lock()
	defer p.mu.Unlock()
	var r RTT
	var answered []time.Duration
	var differences time.Duration
	for _, d := range p.last {
		r.Sent++
		if d < 0 {
			r.Lost++
			continue
		}
		if len(answered) > 0 {
			differences += (d - r.Last).Abs()
		}
		r.Last = d
		answered = append(answered, d)
	}
	n := len(answered)
	if n == 0 {
		return r
	}
	if n > 1 {
		r.Jitter = differences / time.Duration(n-1)
	}
	slices.Sort(answered)
	r.Min, r.Median, r.P95 = answered[0], answered[n/2], answered[(n*95-1)/100]
	return r
}

// fastestTrip is the shortest round trip on the path in use, zero while there
// was none: what the path takes when nothing waits in front of it. It outlives
// the window of RTT, in which a long transfer leaves no quiet moment.
func (p *Probe) fastestTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fastest
}

// newPath is told that another path is in use.
func (p *Probe) newPath() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fastest = 0
}

// speak pings and answers on ch until that ends.
func (p *Probe) speak(ctx context.Context, ch channel) error {
	ctx, cancel := context.WithCancel(ctx)
	var pinging sync.WaitGroup
	pinging.Go(func() { p.ping(ctx, ch) })
	defer pinging.Wait()
	defer cancel()
	limit := rate.NewLimiter(probeAnswers, probeAnswers)
	return converse(ch, func(data []byte, text bool) error { return p.handle(ch, limit, data, text) })
}

func (p *Probe) ping(ctx context.Context, ch channel) {
	tick := time.NewTicker(probeBusy)
	defer tick.Stop()
	for sent := (time.Time{}); ; {
		if now := time.Now(); p.busy() || now.Sub(sent) >= probeIdle {
			sent = now
			n := p.take(now)
			if sendFrame(ch, probeFrame{T: "ping", N: &n}) != nil {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// take numbers the next ping and gives up on old ones.
func (p *Probe) take(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, at := range p.flying {
		if now.Sub(at) > probeLost {
			delete(p.flying, n)
			p.recordLocked(-1)
		}
	}
	p.next++
	p.flying[p.next] = now
	return p.next
}

func (p *Probe) recordLocked(d time.Duration) {
	if len(p.last) == probeWindow {
		p.last = slices.Delete(p.last, 0, 1)
	}
	p.last = append(p.last, d)
}

func (p *Probe) handle(ch channel, limit *rate.Limiter, data []byte, text bool) error {
	if !text {
		return violation("probe has no binary messages")
	}
	var f probeFrame
	if err := decodeFrame(data, &f); err != nil {
		return err
	}
	switch f.T {
	case "ping", "pong":
		if f.N == nil {
			return violation(f.T + ": n is missing")
		}
		if f.T == "pong" {
			p.pong(*f.N)
		} else if limit.Allow() { // a flood of pings loses some
			return sendFrame(ch, probeFrame{T: "pong", N: f.N})
		}
	case "error":
		return refused(f.Message)
	case "":
		return violation("a frame without t")
	}
	return nil
}

func (p *Probe) pong(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.flying[n]; ok {
		delete(p.flying, n)
		trip := time.Since(at)
		p.recordLocked(trip)
		if p.fastest == 0 || trip < p.fastest {
			p.fastest = trip
		}
	}
}
