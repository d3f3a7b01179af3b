package latency

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// region burst

// burst sends n requests at once, and tells how long it took until the last
// answer was there, and how many connections had to be opened for it.
func (p *probe) burst(n int) (took time.Duration, opened int) {
	before, began := p.target.dialer.opened(), time.Now()
	var wg sync.WaitGroup
	var started atomic.Int64
	for range n {
		wg.Add(1)
		p.run.Go(func(ctx context.Context) error {
			defer wg.Done()
			p.ask(ctx, "at once "+strconv.FormatInt(started.Add(1), 10))
			return nil
		})
	}
	wg.Wait()
	return time.Since(began), p.target.dialer.opened() - before
}

// endregion
