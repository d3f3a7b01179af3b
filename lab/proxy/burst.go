package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"peerlab/lab"
	"peerlab/trace"
)

// burst is many requests to one place, so many at a time.
type burst struct {
	run         *lab.Run
	client      *http.Client
	requests    int // in all
	concurrency int
	url         func(n int) string

	busy time.Duration // so far

	mu     sync.Mutex
	times  *hdrhistogram.Histogram // microseconds
	count  int
	failed int
}

func newBurst(r *lab.Run, h *lab.Host, p Params, url func(n int) string) *burst {
	return &burst{
		run: r, client: newClient(h, p.Concurrency, nil), requests: p.Load, concurrency: p.Concurrency, url: url,
		times: hdrhistogram.New(shortest, longest, digits),
	}
}

// The histogram holds a microsecond to a minute, to three digits.
const (
	shortest = 1
	longest  = 60_000_000
	digits   = 3
)

// maxSamples is how many answers of a burst are on the chart.
const maxSamples = 200

// region burst

// fire sends the next n of the requests. Each of the workers sends another one
// when it has the answer to the last, so a slow server is asked less: the
// latencies are what each request took, not what people would wait who come at
// their own pace.
func (b *burst) fire(ctx context.Context, n int) {
	var next atomic.Int64
	var workers sync.WaitGroup
	begin := time.Now()
	for range b.concurrency {
		workers.Add(1)
		b.run.Go(func(context.Context) error {
			defer workers.Done()
			for i := int(next.Add(1)); i <= n && ctx.Err() == nil; i = int(next.Add(1)) {
				sent := time.Now()
				err := b.one(ctx, i)
				b.took(time.Since(sent), err)
			}
			return nil
		})
	}
	workers.Wait()
	b.busy += time.Since(begin)
}

// endregion

// one sends request n and reads the answer to its end.
func (b *burst) one(ctx context.Context, n int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url(n), nil)
	if err != nil {
		return fmt.Errorf("burst: %w", err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return fmt.Errorf("burst: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("burst: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("burst: %s", resp.Status)
	}
	return nil
}

// took notes what became of a request.
func (b *burst) took(d time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	if err != nil {
		b.failed++
		return
	}
	_ = b.times.RecordValue(min(max(d.Microseconds(), shortest), longest)) // within its bounds it can't fail
	if every := (b.requests + maxSamples - 1) / maxSamples; b.count%every == 0 {
		b.run.Sample(trace.HTTP, "client", "latency", lab.Milliseconds(d), "ms")
	}
}

// facts tells the percentiles, and shows the histogram as a table.
func (b *burst) facts() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count == 0 {
		return
	}
	done := b.times.TotalCount()
	if done > 0 {
		for _, q := range []float64{50, 95, 99} {
			b.run.Fact(fmt.Sprintf("latency, p%g", q), float64(b.times.ValueAtQuantile(q))/1000, "ms")
		}
		b.run.Fact("burst", float64(done)/b.busy.Seconds(), "requests/s")
		b.histogram()
	}
	b.run.Fact("burst: requests that failed", float64(b.failed), "requests")
}

// histogram shows how many answers took up to how long, each row twice the
// last one.
func (b *burst) histogram() {
	type row struct {
		upTo  int64 // µs
		count int64
	}
	rows := []row{{upTo: 125}}
	var most int64
	for _, bar := range b.times.Distribution() {
		for bar.To > rows[len(rows)-1].upTo && rows[len(rows)-1].upTo < longest {
			rows = append(rows, row{upTo: 2 * rows[len(rows)-1].upTo})
		}
		last := &rows[len(rows)-1]
		last.count += bar.Count
		most = max(most, last.count)
	}
	for _, r := range rows {
		if r.count > 0 {
			bar := strings.Repeat("█", int((r.count*12+most-1)/most))
			b.run.State(trace.HTTP, "client", fmt.Sprintf("≤ %g ms", float64(r.upTo)/1000), fmt.Sprintf("%s %d", bar, r.count))
		}
	}
}
