package tcppool

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// The ways to come by a connection.
const (
	dialEach  = "dial"
	naiveWay  = "naive"
	puddleWay = "puddle"
)

// stage is one way with its app and its backend.
type stage struct {
	way     string
	p       Params
	run     *lab.Run
	app     *app
	backend *backend
	asked   chan string // scenes people ask for
	median  time.Duration
	told    map[string]int // what the verdict is made of
}

// open starts the backend and makes the app, with no pool yet.
func open(r *lab.Run, way string, p Params) (*stage, error) {
	here, err := r.Host(appLane)
	if err != nil {
		return nil, err
	}
	there, err := r.Host(backendLane)
	if err != nil {
		return nil, err
	}
	s := &stage{
		way: way, p: p, run: r, asked: make(chan string, 4), told: map[string]int{},
		backend: &backend{run: r, limit: p.Limit, open: map[net.Conn]*held{}},
	}
	s.app = &app{
		run: r, host: here, patience: p.Patience, retries: way == puddleWay,
		watch: &watch{run: r, retired: map[string]int{}, queue: way == puddleWay},
	}
	l, err := there.Listen("tcp", ":7")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("address of the backend: %w", err)
	}
	r.State(trace.TCP, backendLane, "listens on", l.Addr().String())
	r.Live("host", host)
	r.Live("port", port)
	r.Go(func(context.Context) error { return s.backend.serve(l) })
	return s, nil
}

// fresh begins with an empty pool, as an app does that has just been started.
func (s *stage) fresh(ctx context.Context) error {
	s.close()
	gone, cancel := context.WithTimeout(ctx, s.p.Patience)
	defer cancel()
	s.backend.left(gone) // it may be working for somebody who has given up
	a := s.app
	switch s.way {
	case dialEach:
		a.pool = each{a.dial}
	case naiveWay:
		a.pool = &naive{idle: make(chan *conn, s.p.Size), dial: a.dial, watcher: a.watch}
	default:
		c, err := newCareful(s.p.Size, a.dial, s.p.Patience, rules{
			probe: s.p.Probe, after: s.p.After, patience: s.p.Patience / 4, idle: s.p.Idle, lifetime: s.p.Lifetime,
		}, a.watch)
		if err != nil {
			return err
		}
		ctx, c.stop = context.WithCancel(ctx)
		s.run.Go(func(context.Context) error {
			c.age(ctx)
			return nil
		})
		a.pool = c
	}
	return nil
}

// close closes the pool, if there is one.
func (s *stage) close() {
	if s.app.pool != nil {
		s.app.pool.close()
		s.app.pool = nil
	}
}

// play plays scenes, each with a fresh pool.
func (s *stage) play(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := s.fresh(ctx); err != nil {
			return err
		}
		end := s.run.Begin(trace.App, appLane, "scene: "+name)
		err := s.scene(ctx, name)
		end("over")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s, scene %s: %w", s.way, name, err)
		}
		s.facts()
	}
	s.verdict()
	return nil
}

// attend plays what people ask for, until it is enough.
func (s *stage) attend(ctx context.Context, enough <-chan struct{}) error {
	for {
		select {
		case <-enough:
			return nil
		case <-ctx.Done():
			return nil
		case name := <-s.asked:
			if err := s.play(ctx, name); err != nil {
				return err
			}
		}
	}
}

// batch is several requests.
type batch []*request

// ask makes n requests, one after another.
func (s *stage) ask(ctx context.Context, n int, work time.Duration) (all batch) {
	for range n {
		if ctx.Err() != nil {
			break
		}
		all = append(all, s.app.request(ctx, work))
	}
	return all
}

// failed counts those that failed; with an error, only those that failed of it.
func (b batch) failed(of func(error) bool) (n int) {
	for _, q := range b {
		if q.err != nil && (of == nil || of(q.err)) {
			n++
		}
	}
	return n
}

// median is the middle time of those that were answered.
func (b batch) median() time.Duration {
	var times []time.Duration
	for _, q := range b {
		if q.err == nil {
			times = append(times, q.took)
		}
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// longest is how long the one waited that waited longest for a connection and got one.
func (b batch) longest() (most time.Duration) {
	for _, q := range b {
		if q.err == nil {
			most = max(most, q.wait)
		}
	}
	return most
}
