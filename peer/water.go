package peer

import (
	"context"
	"sync"
	"time"
)

// Bulk data fills the queue of its channel up to a high-water mark and waits
// until there is room again. The mark decides two things at once. All that
// waits is in front of what is sent next: control frames of the same channel
// and, without interleaving (RFC 8260), everything else. And since Pion counts
// what is in flight until it is acknowledged, the mark is the largest window
// there can be: below bandwidth times round trip it costs throughput.
//
// No fixed mark does for a telephone line and for a LAN. So the mark becomes,
// again and again, what leaves in two round trips and 200 ms at the rate just
// seen. One round trip is in flight, and about 200 ms wait. The other one lets
// a mark grow that is itself the limit: acknowledgements come in bursts then,
// and half the rate may be seen. One look may deceive, at the beginning or
// after a timeout, so a step is to the half or the double at most.
const (
	firstWater = 256 << 10 // bytes; growing takes a few round trips
	minWater   = 64 << 10  // a chunk and some: half a second at 1 Mbit/s
	maxWater   = 4 << 20
	waterTime  = 200 * time.Millisecond
	waterLook  = 50 * time.Millisecond // of waiting that a rate is seen in, if not a round trip
)

// nextWater returns the mark that follows one of high bytes when drained bytes
// took that long to leave, on a path with this round trip.
func nextWater(high, drained uint64, took, rtt time.Duration) uint64 {
	mark := float64(drained) * float64(2*rtt+waterTime) / float64(took)
	return uint64(min(max(mark, float64(high/2), minWater), float64(2*high), maxWater))
}

// lowWater is where waiting ends. It is near the mark: a window that is half
// empty before it is filled again carries half as much.
func lowWater(high uint64) uint64 { return high - high/8 }

// sendQueue is what water needs of a data channel.
type sendQueue interface {
	BufferedAmount() uint64
	SetBufferedAmountLowThreshold(uint64)
	OnBufferedAmountLow(func())
}

// water is the mark of one channel, and the waiting for it.
type water struct {
	queue sendQueue
	rtt   func() time.Duration // of the path when nothing waits; zero: not known

	mu      sync.Mutex
	high    uint64
	drained uint64 // since the mark was set, while we waited …
	took    time.Duration
	low     chan struct{} // closed when the queue has run low, then replaced
	final   bool          // the threshold is that of flush, and stays
}

func newWater(queue sendQueue, rtt func() time.Duration) *water {
	w := &water{queue: queue, rtt: rtt, high: firstWater, low: make(chan struct{})}
	queue.OnBufferedAmountLow(w.ranLow)
	return w
}

// Ready waits until there is room for bulk data.
func (w *water) Ready(ctx context.Context) error {
	w.mu.Lock()
	high, full := w.high, w.queue.BufferedAmount()
	if full >= high && !w.final {
		w.queue.SetBufferedAmountLowThreshold(lowWater(high))
	}
	w.mu.Unlock()
	if full < high {
		return ctx.Err()
	}
	began := time.Now()
	if err := w.below(ctx, lowWater(high)); err != nil {
		return err
	}
	if now := w.queue.BufferedAmount(); now < full {
		w.saw(full-now, time.Since(began))
	}
	return nil
}

// saw sets the mark anew when enough was seen.
func (w *water) saw(drained uint64, took time.Duration) {
	rtt := w.rtt()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drained += drained
	w.took += took
	if w.took >= max(rtt, waterLook) {
		w.high = nextWater(w.high, w.drained, w.took, rtt)
		w.drained, w.took = 0, 0
	}
}

// flush waits until the other side has confirmed all that was sent. The queue
// of SCTP holds what is in flight, too, so an empty one says just that.
func (w *water) flush(ctx context.Context) error {
	w.mu.Lock()
	w.final = true
	w.queue.SetBufferedAmountLowThreshold(0)
	w.mu.Unlock()
	return w.below(ctx, 0)
}

func (w *water) below(ctx context.Context, limit uint64) error {
	for {
		w.mu.Lock()
		low := w.low // taken before looking, so that no wake-up is missed
		w.mu.Unlock()
		if w.queue.BufferedAmount() <= limit {
			return ctx.Err()
		}
		select {
		case <-low:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *water) ranLow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.low)
	w.low = make(chan struct{})
}
