package throttle

import (
	"context"
	"errors"
	"sync"

	"peerlab/lab"
)

// group is goroutines of a run that are waited for together.
type group struct {
	wg  sync.WaitGroup
	mu  sync.Mutex
	err error
}

// run starts f as a goroutine of r.
func (g *group) run(r *lab.Run, f func(ctx context.Context) error) {
	g.wg.Add(1)
	r.Go(func(ctx context.Context) error {
		defer g.wg.Done()
		err := f(ctx)
		g.mu.Lock()
		g.err = errors.Join(g.err, err)
		g.mu.Unlock()
		return err
	})
}

// wait waits for all of them, each of which ends with ctx.
func (g *group) wait(ctx context.Context) error {
	g.wg.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		return ctx.Err()
	}
	return g.err
}
