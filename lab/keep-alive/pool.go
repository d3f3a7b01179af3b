package keepalive

import (
	"context"
	"net/http"
	"sync"
	"time"

	"peerlab/lab"
)

// bursts sends several requests at once, several times, through a pool of the
// default size and one that is wide enough.
func (l *live) bursts(ctx context.Context) error {
	narrow := func(ctx context.Context) error { return l.burst(ctx, "narrow", l.p.PerHost) }
	wide := func(ctx context.Context) error { return l.burst(ctx, "wide", l.p.Burst) }
	return l.run.Together(ctx, narrow, wide)
}

// region pool

// pooled sets how many idle connections are kept: for this server, and for all
// of them together. One more is closed when it comes back. And for how long.
func pooled(perHost, inAll int, idle time.Duration) func(*http.Transport) {
	return func(t *http.Transport) {
		t.MaxIdleConnsPerHost = perHost // 0 means http.DefaultMaxIdleConnsPerHost, which is 2
		t.MaxIdleConns = inAll          // 0 means no limit
		t.IdleConnTimeout = idle
	}
}

// endregion

func (l *live) burst(ctx context.Context, name string, perHost int) error {
	r := l.variant(name)
	s, err := newServer(ctx, r, l.p, time.Minute, false)
	if err != nil {
		return err
	}
	c, err := newClient(ctx, r, s, pooled(perHost, l.p.InAll, l.p.Idle))
	if err != nil {
		return err
	}
	c.quiet = true
	took := time.Duration(0)
	for i := range l.p.Rounds {
		begin := time.Now()
		failed := c.together(ctx, l.p.Burst)
		if ctx.Err() != nil {
			return ctx.Err() // a burst that was cut short tells nothing
		}
		passed := time.Since(begin)
		took += passed
		kept, err := c.settle(ctx, l.room(perHost))
		if err != nil {
			return err
		}
		opened, _, _ := c.totals()
		r.Note("Burst %d: %.0f ms, %d connections opened so far, %d kept.", i+1, lab.Milliseconds(passed), opened, kept)
		r.Fact("bursts: idle connections kept", float64(kept), "connections")
		if failed > 0 {
			r.Note("%d requests of burst %d failed.", failed, i+1)
		}
	}
	opened, _, _ := c.totals()
	r.Fact("bursts: connections opened", float64(opened), "connections")
	r.Fact("bursts: all", lab.Milliseconds(took), "ms")
	if err := r.Sleep(ctx, l.p.Idle); err != nil {
		return err
	}
	left, err := c.settle(ctx, 0)
	if err != nil {
		return err
	}
	r.Fact("after the silence: connections left", float64(left), "connections")
	switch room := l.room(perHost); {
	case opened > l.p.Burst && room < l.p.Burst:
		r.Verdict(lab.Warn, "%d requests, %d at a time, took %d connections: of those that come back %d are kept, the others closed.", l.p.Burst*l.p.Rounds, l.p.Burst, opened, room)
	case opened > l.p.Burst:
		r.Verdict(lab.Warn, "%d requests, %d at a time, took %d connections, though there is room for %d: some did not last.", l.p.Burst*l.p.Rounds, l.p.Burst, opened, room)
	}
	return nil
}

// keeps is what a setting of MaxIdleConnsPerHost means.
func keeps(perHost int) int {
	if perHost == 0 {
		return http.DefaultMaxIdleConnsPerHost
	}
	return perHost
}

// room is how many idle connections there is room for.
func (l *live) room(perHost int) int {
	if l.p.InAll > 0 {
		return min(keeps(perHost), l.p.InAll)
	}
	return keeps(perHost)
}

// together sends n requests at once and waits for all.
func (c *client) together(ctx context.Context, n int) (failed int) {
	var mu sync.Mutex
	one := func(ctx context.Context) error {
		req, err := c.get("/warm")
		if err == nil {
			_, err = c.send(ctx, "GET", req, drain)
		}
		if err != nil {
			mu.Lock()
			failed++
			mu.Unlock()
		}
		return nil
	}
	all := make([]func(context.Context) error, n)
	for i := range all {
		all[i] = one
	}
	if c.run.Together(ctx, all...) != nil {
		return n // the run is over
	}
	return failed
}

// settle waits until no more than most connections are open, or for half a
// second, and tells how many there are. What the pool has no room for is closed
// by other goroutines, a moment after the last answer.
func (c *client) settle(ctx context.Context, most int) (open int, err error) {
	return settle(ctx, c.run, most, func() int { _, open, _ := c.totals(); return open })
}

// settle is the client's, of the connections as the server sees them: it hears
// later that one was closed.
func (s *server) settle(ctx context.Context, most int) (open int, err error) {
	return settle(ctx, s.run, most, s.open)
}

func settle(ctx context.Context, r *lab.Run, most int, count func() int) (open int, err error) {
	wait := 500 * time.Millisecond
	if r.Network() == lab.Link {
		wait += r.Settings().Delay
	}
	for began := time.Now(); ; {
		if open = count(); open <= most || time.Since(began) > wait {
			return open, nil
		}
		if err := r.Sleep(ctx, 5*time.Millisecond); err != nil {
			return open, err
		}
	}
}
