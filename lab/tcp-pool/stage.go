package tcppool

import (
	"context"
	"fmt"
	"net"
	"strconv"
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
	table   *lab.Run // where the outcomes of all ways stand side by side
	app     *app
	backend *backend
	asked   chan string   // scenes people ask for
	trip    time.Duration // a round trip of the link, at most; 0 on the loopback
	median  time.Duration
	told    told
	played  bool // all scenes that nobody has to ask for
}

// open starts the backend and makes the app, with no pool yet.
func open(table *lab.Run, way string, p Params) (*stage, error) {
	r := table.Variant(way)
	var trip time.Duration
	if r.Network() == lab.Link {
		trip = 2 * (r.Settings().Delay + r.Settings().Jitter)
	}
	here, err := r.Host(appLane)
	if err != nil {
		return nil, err
	}
	there, err := r.Host(backendLane)
	if err != nil {
		return nil, err
	}
	s := &stage{
		way: way, p: p, run: r, table: table, asked: make(chan string, 4), trip: trip,
		backend: &backend{run: r, limit: p.Limit, open: map[net.Conn]*held{}},
	}
	s.app = &app{
		run: r, host: here, patience: p.Patience + 2*trip, retries: way == puddleWay,
		watch: &watch{run: r, retired: map[string]int{}, queue: way == puddleWay},
	}
	l, err := there.Listen("tcp", ":7")
	if err != nil {
		return nil, err
	}
	r.State(trace.TCP, backendLane, "listens on", l.Addr().String())
	r.LiveAt(l.Addr(), "port")
	r.Go(func(context.Context) error { return s.backend.serve(l) })
	return s, nil
}

// fresh begins with an empty pool, as an app does that has just been started.
func (s *stage) fresh(ctx context.Context) error {
	s.close()
	gone, cancel := context.WithTimeout(ctx, s.app.patience)
	defer cancel()
	s.backend.left(gone) // it may be working for somebody who has given up
	a := s.app
	switch s.way {
	case dialEach:
		a.pool = each{a.dial}
	case naiveWay:
		a.pool = &naive{idle: make(chan *conn, s.p.Size), dial: a.dial, watcher: a.watch}
	default:
		c, err := newCareful(s.p.Size, a.dial, a.patience, rules{
			probe: s.p.Probe, after: s.p.After, patience: s.p.Patience/4 + s.trip, idle: s.p.Idle, lifetime: s.p.Lifetime,
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
		s.table.Cell(name, s.way, "…", nil)
		err := s.scene(ctx, name)
		if ctx.Err() != nil {
			end("the run was over")
			s.cut(name)
			return ctx.Err()
		}
		end("over")
		if err != nil {
			return fmt.Errorf("%s, scene %s: %w", s.way, name, err)
		}
	}
	s.facts()
	s.verdict()
	s.played = true
	return nil
}

// cut tells what there is of a run that is over in a scene.
func (s *stage) cut(scene string) {
	s.facts()
	if !s.played {
		s.run.Verdict(lab.Warn, "The run was over in the scene %s: the table has what was done until then.", scene)
	}
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

// cell fills the way's cell of a scene in the table.
func (s *stage) cell(scene, value, more string) {
	s.table.Cell(scene, s.way, value, map[string]string{"what happened": more})
}

// outcome fills it with what became of requests.
func (s *stage) outcome(scene string, all batch, more string) {
	value := fmt.Sprintf("all %d answered", len(all))
	why := map[string]string{"what happened": more}
	if n := all.failed(nil); n > 0 {
		value = fmt.Sprintf("failed %d of %d", n, len(all))
		for _, q := range all {
			if q.err != nil {
				why["request "+strconv.Itoa(q.number)] = reason(q.err)
			}
		}
	}
	s.table.Cell(scene, s.way, value, why)
	s.run.Note("Scene %s: %s; %s.", scene, value, more)
}

// batch is several requests.
type batch []*request

// ask makes n requests, one after another. An error is the end of the run, which
// tells nothing about the request that it interrupts.
func (s *stage) ask(ctx context.Context, n int, work time.Duration) (all batch, err error) {
	for range n {
		q := s.app.request(ctx, work)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		all = append(all, q)
	}
	return all, nil
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

// why says how the first that failed did.
func (b batch) why() string {
	for _, q := range b {
		if q.err != nil {
			return reason(q.err)
		}
	}
	return ""
}

// median is the middle time of those that were answered.
func (b batch) median() time.Duration {
	var times []time.Duration
	for _, q := range b {
		if q.err == nil {
			times = append(times, q.took)
		}
	}
	return lab.Median(times)
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
