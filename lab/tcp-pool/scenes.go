package tcppool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"peerlab/lab"
)

// The scenes. The last ones are actions too.
const (
	cost    = "cost"
	quiet   = "quiet"
	late    = "late"
	crowd   = "crowd"
	leak    = "leak"
	restart = "restart"
	forget  = "forget" // asked for only: each request on it costs one's whole patience
)

// scenes are played without anybody asking. After the last one the naive pool
// is left as it is, for people to look at.
var scenes = []string{cost, crowd, quiet, late, leak, restart}

func (s *stage) scene(ctx context.Context, name string) error {
	switch name {
	case cost:
		return s.cost(ctx)
	case quiet:
		return s.quiet(ctx)
	case late:
		return s.late(ctx)
	case crowd:
		return s.crowd(ctx)
	case leak:
		return s.leak(ctx)
	case restart:
		return s.restart(ctx)
	case forget:
		return s.forget(ctx)
	}
	return fmt.Errorf("no scene %q", name)
}

// cost: one request after another.
func (s *stage) cost(ctx context.Context) error {
	before, _ := s.app.watch.count("")
	all, err := s.ask(ctx, s.p.Requests, s.p.Work)
	if err != nil {
		return err
	}
	after, _ := s.app.watch.count("")
	s.median = all.median()
	if s.median > 0 {
		s.run.Fact("one request, median", lab.Milliseconds(s.median), "ms")
	}
	s.run.Fact("connections for requests one after another", float64(after-before), "connections")
	s.told.connections, s.told.answered, s.told.why = after-before, len(all)-all.failed(nil), all.why()
	more := fmt.Sprintf("%d requests, one after another, over %d connections", len(all), after-before)
	if s.median > 0 {
		more += fmt.Sprintf("; one took %.1f ms, median", lab.Milliseconds(s.median))
	}
	if all.failed(nil) > 0 {
		s.outcome(cost, all, more)
		return nil
	}
	s.cell(cost, fmt.Sprintf("%.1f ms", lab.Milliseconds(s.median)), more)
	return nil
}

// crowd: all clients at once, each with two requests.
func (s *stage) crowd(ctx context.Context) error {
	const each = 2
	s.backend.count()
	var all batch
	results := make(chan batch, s.p.Clients)
	client := func(ctx context.Context) error {
		all, err := s.ask(ctx, each, s.p.Work)
		results <- all
		return err
	}
	if err := s.run.Together(ctx, slices.Repeat([]func(context.Context) error{client}, s.p.Clients)...); err != nil {
		return err
	}
	for range s.p.Clients {
		all = append(all, <-results...)
	}
	peak, refused := s.backend.count()
	s.run.Fact("most connections at a time, in the crowd", float64(peak), "connections")
	s.run.Fact("refused by the backend, in the crowd", float64(refused), "connections")
	s.run.Fact("failed in the crowd", float64(all.failed(nil)), "requests")
	s.run.Fact("longest wait for a connection, in the crowd", lab.Milliseconds(all.longest()), "ms")
	s.told.crowd, s.told.refused = all.failed(nil), refused
	s.outcome(crowd, all, fmt.Sprintf("%d connections were open at most, %d refused", peak, refused))
	return nil
}

// quiet: a full pool, and then just one request now and then.
func (s *stage) quiet(ctx context.Context) error {
	if err := s.warm(ctx, s.p.Size); err != nil {
		return err
	}
	for range 6 {
		if err := s.run.Sleep(ctx, s.p.Idle/3); err != nil {
			return err
		}
		if _, err := s.ask(ctx, 1, 0); err != nil {
			return err
		}
	}
	kept := s.backend.connections()
	s.run.Fact("open after a quiet time", float64(kept), "connections")
	s.cell(quiet, fmt.Sprintf("%d open", kept), "connections, after a while of one request now and then")
	return nil
}

// late: one answer comes when nobody waits for it any more. Who gets it?
func (s *stage) late(ctx context.Context) error {
	if _, err := s.ask(ctx, 1, s.app.patience+s.p.Patience/4); err != nil {
		return err
	}
	all, err := s.ask(ctx, 3, s.p.Work)
	if err != nil {
		return err
	}
	wrong := all.failed(func(err error) bool { return errors.Is(err, errOther) })
	s.run.Fact("got the answer to another request", float64(wrong), "requests")
	s.told.wrong = wrong
	s.outcome(late, all, fmt.Sprintf("%d got the answer to another request", wrong))
	return nil
}

// leak: connections are taken and not given back. Then somebody needs one.
func (s *stage) leak(ctx context.Context) error {
	theirs, cancel := context.WithTimeout(ctx, s.app.patience)
	defer cancel()
	took := make(chan *lent, s.p.Leak) // nil: got none
	for range s.p.Leak {
		s.run.Go(func(context.Context) error {
			c, err := s.app.pool.get(theirs)
			if err == nil {
				s.app.watch.lent(c.conn, "somebody who forgot it")
			}
			took <- c
			return nil
		})
	}
	if err := s.run.Sleep(ctx, s.app.patience/2); err != nil {
		return err
	}
	all, err := s.ask(ctx, 3, s.p.Work)
	if err != nil {
		return err
	}
	select { // their time is over, and so is that of the connections lent for that time
	case <-theirs.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	left, back := 0, 0
	for range s.p.Leak {
		switch c := <-took; {
		case c == nil: // got none
		case c.done.Load():
			back++
		default:
			left++
			defer c.give(errExhausted) // or the next scene would suffer
		}
	}
	s.run.Fact("leaked connections still open", float64(left), "connections")
	s.run.Fact("failed after the leak", float64(all.failed(nil)), "requests")
	if all.failed(nil) < len(all) {
		s.run.Fact("longest wait behind the leak", lab.Milliseconds(all.longest()), "ms")
	}
	s.told.leak = all.failed(nil)
	s.told.refusedBehind = all.failed(func(err error) bool { return errors.Is(err, errBusy) })
	s.outcome(leak, all, fmt.Sprintf("%d leaked connections are still open, %d taken back", left, back))
	return nil
}

// restart: the backend goes while the connections are idle, and comes back.
func (s *stage) restart(ctx context.Context) error {
	if err := s.warm(ctx, s.p.Size); err != nil {
		return err
	}
	closed := s.backend.restart()
	s.run.Note("The backend restarts: %d connections are closed.", closed)
	if err := s.settle(ctx); err != nil {
		return err
	}
	all, err := s.ask(ctx, 2*s.p.Size, s.p.Work)
	if err != nil {
		return err
	}
	s.run.Fact("failed after the restart", float64(all.failed(nil)), "requests")
	s.told.restart, s.told.dead = all.failed(nil), all.failed(hungUp)
	s.outcome(restart, all, fmt.Sprintf("%d connections had been closed while they were idle", closed))
	return nil
}

// forget: the connections are dead, and nobody has said so.
func (s *stage) forget(ctx context.Context) error {
	if err := s.warm(ctx, s.p.Size); err != nil {
		return err
	}
	silent := s.backend.forget()
	s.run.Note("A middlebox forgets %d connections (emulated: the backend is silent on them).", silent)
	if err := s.settle(ctx); err != nil {
		return err
	}
	all, err := s.ask(ctx, s.p.Size+1, s.p.Work)
	if err != nil {
		return err
	}
	s.run.Fact("failed after being forgotten", float64(all.failed(nil)), "requests")
	s.outcome(forget, all, fmt.Sprintf("%d connections had fallen silent", silent))
	return nil
}

// warm fills the pool with n connections that have all been used.
func (s *stage) warm(ctx context.Context, n int) error {
	if s.way == dialEach {
		return nil // it keeps none
	}
	ctx, cancel := context.WithTimeout(ctx, s.app.patience)
	defer cancel()
	all, errs := make([]*lent, n), make([]error, n)
	var dialling []func(context.Context) error
	for i := range all {
		dialling = append(dialling, func(context.Context) error {
			c, err := s.app.pool.get(ctx)
			if err == nil {
				all[i], err = c, c.exchange(ctx, 0, 0)
			}
			errs[i] = err
			return nil
		})
	}
	_ = s.run.Together(ctx, dialling...) // what went wrong is in errs
	for i, c := range all {
		if c != nil {
			c.give(errs[i])
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.run.Note("Not all connections of the pool could be made ready: %s.", reason(err))
	}
	return nil
}

// settle waits until a goodbye has arrived at the other end, and connections
// have been idle for long enough to be probed.
func (s *stage) settle(ctx context.Context) error {
	return s.run.Sleep(ctx, s.p.After+s.p.After/4+50*time.Millisecond+s.trip/2)
}
