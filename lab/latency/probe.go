package latency

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// probe makes the requests of one variant and measures.
type probe struct {
	p      Params
	run    *lab.Run
	target *target

	mu    sync.Mutex
	used  map[int]int // connections: requests on each
	asked int         // requests answered
	again int         // of them, on a connection that was there
	later int         // by the buttons
}

func newProbe(p Params, r *lab.Run, t *target) *probe {
	if t.own == nil { // somebody else's server is asked little
		p.Warm, p.Parallel = min(p.Warm, 3), min(p.Parallel, 2)
	}
	return &probe{p: p, run: r, target: t, used: map[int]int{}}
}

// maxRedirects is how many are followed.
const maxRedirects = 3

// experiment is the whole of it: one cold request, warm ones, many at once.
func (p *probe) experiment(ctx context.Context) {
	defer p.totals()
	var rtt time.Duration
	if p.target.own != nil {
		var ok bool
		if rtt, ok = roundTrip(ctx, p.target.client); ok {
			p.run.Fact("round trip, measured beside", lab.Milliseconds(rtt), "ms")
		}
	}
	first, ok := p.first(ctx)
	if !ok {
		return
	}
	p.coldFacts(first, rtt)
	var warm []time.Duration
	for i := range p.p.Warm {
		if res, ok := p.ask(ctx, "warm "+strconv.Itoa(i+1)); ok {
			warm = append(warm, res.firstByte)
		}
	}
	if len(warm) > 0 {
		slices.Sort(warm)
		median := warm[len(warm)/2]
		p.run.Fact("warm: first byte", lab.Milliseconds(median), "ms")
		p.trips("warm: round trips before the first byte", median-p.p.Think, rtt)
	}
	if p.p.Parallel > 1 && ctx.Err() == nil {
		took, opened := p.burst(p.p.Parallel)
		p.run.Fact("at once: until the last answer", lab.Milliseconds(took), "ms")
		p.run.Fact("at once: connections opened", float64(opened), "connections")
	}
}

// first makes the cold request, and follows where it is sent on to.
func (p *probe) first(ctx context.Context) (res result, ok bool) {
	for hop := range maxRedirects + 1 {
		lane := "cold"
		if hop > 0 {
			lane = "cold, redirect " + strconv.Itoa(hop)
		}
		if res, ok = p.ask(ctx, lane); !ok || res.next == nil {
			return res, ok
		}
		p.run.Note("Status %d leads to %s.", res.status, res.next.Redacted())
		p.target.url = res.next
	}
	p.run.Note("No more than %d redirects are followed.", maxRedirects)
	return res, true
}

// ask makes one request and explains if nothing comes of it.
func (p *probe) ask(ctx context.Context, lane string) (result, bool) {
	res, err := p.request(ctx, lane, p.target.url)
	if err != nil {
		if ctx.Err() == nil {
			p.run.Note("%s: no answer: %s.", lane, reason(err))
		}
		return res, false
	}
	if res.late {
		p.run.Note("%s: a connection was begun for it, but another one was free before that was ready.", lane)
	}
	if res.cut {
		p.run.Note("%s: only the first %d bytes were read.", lane, maxBody)
	}
	p.mu.Lock()
	p.asked++
	if res.reused {
		p.again++
	}
	p.mu.Unlock()
	return res, true
}

// coldFacts tells the phases of the first request.
func (p *probe) coldFacts(res result, rtt time.Duration) {
	for _, part := range []phase{dns, connect, tlsPhase, wait, transfer} {
		if took, ok := res.took[part]; ok {
			p.run.Fact("cold: "+string(part), lab.Milliseconds(took), "ms")
		}
	}
	p.run.Fact("cold: first byte", lab.Milliseconds(res.firstByte), "ms")
	if _, ok := res.took[tlsPhase]; ok {
		p.trips("TLS: round trips", res.took[tlsPhase]-p.p.Cert, rtt)
		p.trips("cold: round trips before the first byte", res.firstByte-p.p.Think-p.p.Cert, rtt)
		return
	}
	p.trips("cold: round trips before the first byte", res.firstByte-p.p.Think, rtt)
}

// minTrip is the shortest round trip by which it makes sense to divide: below,
// the time goes into computing.
const minTrip = 5 * time.Millisecond

// trips tells a time in round trips.
func (p *probe) trips(name string, took, rtt time.Duration) {
	if rtt >= minTrip {
		p.run.Fact(name, took.Seconds()/rtt.Seconds(), "RTT")
	}
}

// connections shows how often each has been used.
func (p *probe) connections(res result) {
	p.mu.Lock()
	p.used[res.conn]++
	n := p.used[res.conn]
	p.mu.Unlock()
	p.run.State(trace.HTTP, "client", "requests on connection "+strconv.Itoa(res.conn), strconv.Itoa(n))
}

// totals tells how the connections were used, at the end.
func (p *probe) totals() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run.Fact("answers", float64(p.asked), "requests")
	p.run.Fact("on a connection that was there", float64(p.again), "requests")
	p.run.Fact("connections opened", float64(p.target.dialer.opened()), "connections")
}

// maxLater is how many requests the buttons can make.
const maxLater = 50

// more makes one more request.
func (p *probe) more(ctx context.Context, what string) {
	p.mu.Lock()
	p.later++
	n := p.later
	p.mu.Unlock()
	if n > maxLater || p.target.own == nil && n > 5 {
		p.run.Note("That is enough.")
		return
	}
	p.ask(ctx, fmt.Sprintf("%s %d", what, n))
	p.totals()
}

// oneMore is the button for a warm request, oneCold that for a cold one.
func (p *probe) oneMore(ctx context.Context) { p.more(ctx, "later") }

func (p *probe) oneCold(ctx context.Context) {
	p.target.transport.CloseIdleConnections()
	p.more(ctx, "later, cold")
}
