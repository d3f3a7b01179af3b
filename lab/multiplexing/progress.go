package multiplexing

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// chartEvery is how often the number of bytes received is recorded at most.
const chartEvery = 5 * time.Millisecond

// progress is that of all answers of a round.
type progress struct {
	run   *lab.Run // nil: not recorded
	began time.Time

	mu       sync.Mutex
	bytes    int
	charted  time.Time
	arrivals []time.Duration // of bytes of any answer
	answers  []*answer
}

// answer is one of them.
type answer struct {
	all    *progress
	number int
	first  time.Duration // first byte
	last   time.Duration // last byte; 0: it never came
	err    error
	end    func(string)
}

func (p *progress) begin(number int) *answer {
	a := &answer{all: p, number: number}
	if p.run != nil {
		a.end = p.run.Begin(trace.HTTP, "client", fmt.Sprintf("GET /%d", number))
		p.run.Message(trace.HTTP, "client", "server", fmt.Sprintf("GET /%d", number), "")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, a)
	return a
}

// region progress

// read reads an answer as its bytes come, and takes down when that is.
func (a *answer) read(body io.Reader) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := body.Read(buf)
		now := time.Since(a.all.began)
		if n > 0 {
			a.all.arrived(now, n)
			if a.first == 0 {
				a.first = now
			}
		}
		if errors.Is(err, io.EOF) {
			a.last = now
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// silence is the longest time in which no byte of any answer came, although
// there was more to come. When a packet is lost under a connection that all
// answers share, and it keeps its bytes in one order, all are silent.
func silence(arrivals []time.Duration) (longest time.Duration) {
	slices.Sort(arrivals)
	for i := 1; i < len(arrivals); i++ {
		longest = max(longest, arrivals[i]-arrivals[i-1])
	}
	return longest
}

// endregion

func (p *progress) arrived(now time.Duration, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrivals = append(p.arrivals, now)
	p.bytes += n
	if p.run != nil && time.Since(p.charted) >= chartEvery {
		p.charted = time.Now()
		p.run.Sample(trace.HTTP, "client", "received", float64(p.bytes)/kilobyte, "kB")
	}
}

// finish takes down how an answer ended.
func (a *answer) finish(err error) {
	a.err = err
	if a.end == nil {
		return
	}
	if err != nil {
		a.end("failed: " + err.Error())
		return
	}
	a.end(fmt.Sprintf("first byte after %.0f ms", lab.Milliseconds(a.first)))
	a.all.run.Message(trace.HTTP, "server", "client", fmt.Sprintf("answer to /%d", a.number), "complete")
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	a.all.run.Sample(trace.HTTP, "client", "received", float64(a.all.bytes)/kilobyte, "kB")
}

// result is what came of the round.
func (p *progress) result(connections int) round {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := round{connections: connections, silence: silence(p.arrivals)}
	var all []time.Duration
	for _, a := range p.answers {
		if a.err != nil {
			r.failed++
			continue
		}
		all = append(all, a.last)
	}
	if len(all) > 0 {
		r.median, r.last = lab.Median(all), slices.Max(all)
	}
	return r
}
