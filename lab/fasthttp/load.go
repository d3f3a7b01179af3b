package fasthttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"peerlab/lab"
	"peerlab/trace"
)

// maxConns is how many connections a load may have.
const maxConns = 50

// latencies are those of all answers.
type latencies struct{ *hdrhistogram.Histogram }

// newLatencies has room for a microsecond to a minute, in microseconds, to three digits.
func newLatencies() *latencies {
	return &latencies{hdrhistogram.New(1, 60_000_000, 3)}
}

// at is the latency that this share of the answers was not above, in percent.
func (l *latencies) at(percent float64) float64 {
	return float64(l.ValueAtPercentile(percent)) / 1000 // ms
}

// Bounds of a load that the servers can't keep up with.
const (
	maxWaiting = 2000             // requests that wait for an answer, of one server
	maxLate    = 20 * time.Second // that all turns may take longer than they should
)

// crowd lets so many requests wait at a time, and one more fails at once. An open
// load on a server that can't keep up would take all memory.
type crowd struct {
	http.RoundTripper
	places chan struct{}
}

var errCrowded = errors.New("too many requests wait for an answer")

// RoundTrip is http.RoundTripper's.
func (c crowd) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
		return c.RoundTripper.RoundTrip(req)
	default:
		return nil, errCrowded
	}
}

// region load

// underLoad has requests come to the two servers in turns. The load is open: a
// request comes when its time has come, and its clock runs from then, however
// late the earlier answers are. A load that waits for answers would go easy on
// whichever server is slow.
func underLoad(ctx context.Context, p Params, r *lab.Run, both [2]*server) error {
	var clients [2]*http.Client
	for i, s := range both {
		transport := &http.Transport{
			MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: maxConns, DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) },
		}
		defer transport.CloseIdleConnections()
		clients[i] = &http.Client{Transport: crowd{transport, make(chan struct{}, maxWaiting)}, Timeout: patience}
	}
	defer func() { // however it ends, what was measured is told
		for _, s := range both {
			s.loadFacts()
		}
	}()
	turns, began := max(1, int(p.For/p.Slice)), time.Now()
	for turn := range turns {
		if time.Since(began) > 2*p.For+maxLate {
			r.Note("This load is more than can be answered here: it ends after %d of %d turns.", turn, turns)
			break
		}
		for i := range both {
			next := (i + turn) % 2 // who begins changes, too
			if err := both[next].turn(ctx, p, clients[next]); err != nil {
				return err
			}
		}
		r.Sample(trace.App, "", "memory of this process", residentMB(), "MB")
	}
	return nil
}

// turn is one turn of load to one server.
func (s *server) turn(ctx context.Context, p Params, client *http.Client) error {
	attacker := vegeta.NewAttacker(vegeta.Client(client)) // for one attack
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: "http://server/"})
	before := processTime()
	end := s.run.Begin(trace.App, "client", "load")
	results := attacker.Attack(target, vegeta.Rate{Freq: p.Rate, Per: time.Second}, p.Slice, s.name)
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	sent := 0
	now := newLatencies()
	for result := range results { // until all of them have come
		sent++
		if result.Error != "" || result.Code != http.StatusOK {
			s.failed++
			continue
		}
		us := max(1, result.Latency.Microseconds())
		_ = s.latencies.RecordValue(us) // within its bounds it can't fail
		_ = now.RecordValue(us)
	}
	s.cpu += processTime() - before
	s.sent += sent
	end(fmt.Sprintf("%d requests", sent))
	s.run.Sample(trace.HTTP, "server", "latency, median of a turn", now.at(50), "ms")
	s.run.Sample(trace.HTTP, "server", "latency, 99 % of a turn", now.at(99), "ms")
	return ctx.Err()
}

// endregion

// loadFacts tells what came of all turns.
func (s *server) loadFacts() {
	if s.sent == 0 {
		return
	}
	s.run.Fact("requests answered", float64(s.sent-s.failed), "requests")
	s.run.Fact("requests failed", float64(s.failed), "requests")
	for _, percent := range []float64{50, 95, 99, 99.9} {
		s.run.Fact(fmt.Sprintf("latency, %g %% below", percent), s.latencies.at(percent), "ms")
	}
	if s.cpu > 0 { // it is told here
		s.run.Fact("CPU time a request, client and server", float64(s.cpu.Microseconds())/float64(s.sent), "µs")
	}
}
