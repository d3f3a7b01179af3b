package peer

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// linkQueue is the send queue of a channel over a link that never loses
// anything: bytes leave at its rate and are acknowledged a round trip later.
type linkQueue struct {
	rate float64 // bytes a second
	rtt  time.Duration

	mu        sync.Mutex
	amount    uint64
	threshold uint64
	ranLow    func()
	free      time.Time // when the last byte has left
	acked     uint64
	inFlight  sync.WaitGroup
}

func (q *linkQueue) BufferedAmount() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.amount
}

func (q *linkQueue) SetBufferedAmountLowThreshold(n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.threshold = n
}

func (q *linkQueue) OnBufferedAmountLow(f func()) { q.ranLow = f }

// send queues n bytes and returns how long they wait before they leave.
func (q *linkQueue) send(n uint64) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.free.Before(now) {
		q.free = now
	}
	waits := q.free.Sub(now)
	q.free = q.free.Add(time.Duration(float64(n) / q.rate * float64(time.Second)))
	q.amount += n
	q.inFlight.Add(1)
	time.AfterFunc(q.free.Add(q.rtt).Sub(now), func() { q.ack(n) })
	return waits
}

func (q *linkQueue) ack(n uint64) {
	defer q.inFlight.Done()
	q.mu.Lock()
	before := q.amount
	q.amount -= n
	q.acked += n
	low := before > q.threshold && q.amount <= q.threshold
	q.mu.Unlock()
	if low {
		q.ranLow()
	}
}

func TestTheWaterMarkFollowsThePath(t *testing.T) {
	const (
		Mbit   = 1e6 / 8
		settle = 5 * time.Second
		run    = 20 * time.Second
	)
	for _, c := range []struct {
		rate    float64
		rtt     time.Duration
		longest time.Duration // that a byte waits, once the mark has settled
		mark    uint64        // that it settles at, where that is a limit
	}{
		{1 * Mbit, 20 * time.Millisecond, 800 * time.Millisecond, 0},
		{2 * Mbit, 20 * time.Millisecond, 500 * time.Millisecond, 0},
		{10 * Mbit, 20 * time.Millisecond, 300 * time.Millisecond, 0},
		{10 * Mbit, 600 * time.Millisecond, 900 * time.Millisecond, 0},
		{50 * Mbit, 100 * time.Millisecond, 400 * time.Millisecond, 0},
		{50 * Mbit, 300 * time.Millisecond, 500 * time.Millisecond, 0},
		{1000 * Mbit, 50 * time.Millisecond, 100 * time.Millisecond, maxWater},
		{1000 * Mbit, 300 * time.Millisecond, 100 * time.Millisecond, maxWater},
		{1000 * Mbit, 0, 100 * time.Millisecond, maxWater},
	} {
		t.Run(fmt.Sprintf("%.0f Mbit per s, %v", c.rate/Mbit, c.rtt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &linkQueue{rate: c.rate, rtt: c.rtt}
				w := newWater(q, func() time.Duration { return c.rtt })
				ctx, cancel := context.WithTimeout(t.Context(), run)
				defer cancel()
				start := time.Now()
				var longest time.Duration
				for w.Ready(ctx) == nil {
					waits := q.send(benchChunk)
					if time.Since(start) > settle {
						longest = max(longest, waits)
					}
				}
				q.mu.Lock()
				moved := float64(q.acked)
				q.mu.Unlock()
				possible := min(c.rate, maxWater/max(c.rtt.Seconds(), 1e-9)) * run.Seconds()
				if moved < 0.8*possible {
					t.Errorf("%.1f Mbit/s of %.1f", moved/run.Seconds()/Mbit, possible/run.Seconds()/Mbit)
				}
				if longest > c.longest {
					t.Errorf("bytes wait %v, at most %v", longest, c.longest)
				}
				if c.mark != 0 && w.high != c.mark {
					t.Errorf("the mark is at %d", w.high)
				}
				q.inFlight.Wait()
			})
		})
	}
}

func TestTheWaterMarkFollowsAPathThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &linkQueue{rate: 1e9 / 8, rtt: 10 * time.Millisecond}
		w := newWater(q, func() time.Duration { return q.rtt })
		for _, c := range []struct {
			rate     float64 // bits a second
			min, max uint64
		}{{1e9, maxWater, maxWater}, {10e6, 200 << 10, 400 << 10}, {1e9, maxWater, maxWater}} {
			q.mu.Lock()
			q.rate = c.rate / 8
			q.mu.Unlock()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			for w.Ready(ctx) == nil {
				q.send(benchChunk)
			}
			cancel()
			if w.high < c.min || w.high > c.max {
				t.Errorf("at %.0f Mbit/s the mark is at %d KiB", c.rate/1e6, w.high>>10)
			}
		}
		q.inFlight.Wait()
	})
}

// A channel that is being flushed has an empty queue as its low mark, whatever
// bulk data still does.
func TestFlushIsTheLastToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &linkQueue{rate: 1e6, rtt: 10 * time.Millisecond}
		w := newWater(q, func() time.Duration { return 0 })
		ctx, cancel := context.WithCancel(t.Context())
		var bulk sync.WaitGroup
		bulk.Go(func() {
			for range 100 {
				if w.Ready(ctx) != nil {
					return
				}
				q.send(benchChunk)
			}
		})
		time.Sleep(100 * time.Millisecond)
		if err := w.flush(ctx); err != nil {
			t.Error(err)
		}
		if n := q.BufferedAmount(); n > 0 {
			t.Errorf("%d bytes are left", n)
		}
		cancel()
		bulk.Wait()
		q.inFlight.Wait()
	})
}
