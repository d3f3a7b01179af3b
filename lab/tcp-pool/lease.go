package tcppool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/puddle/v2"
)

// errExhausted: all connections were lent, and stayed so for too long.
var errExhausted = errors.New("no connection became free in time")

// careful is a puddle pool with what puddle leaves to its user: judging a
// connection before it is lent, ageing those that lie idle, and getting back
// those that nobody gives back.
type careful struct {
	pool    *puddle.Pool[*conn]
	rules   rules
	watcher *watch
	stop    context.CancelFunc // of the ageing
	aged    chan struct{}      // closed when it has stopped
}

// newCareful makes the pool. puddle bounds it, counts it and lets those wait that
// find nothing; it calls dial when there is room for one more.
func newCareful(size int, dial dialer, patience time.Duration, rules rules, w *watch) (*careful, error) {
	p, err := puddle.NewPool(&puddle.Config[*conn]{
		MaxSize: int32(size),
		// Who asked for it may be gone before the dial is done, and puddle lets the
		// dial go on for the next one: so it needs a deadline of its own.
		Constructor: func(ctx context.Context) (*conn, error) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return dial(ctx)
		},
		Destructor: func(c *conn) { c.Close() },
	})
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	return &careful{pool: p, rules: rules, watcher: w, aged: make(chan struct{})}, nil
}

// region lease
func (p *careful) get(ctx context.Context) (*lent, error) {
	for {
		res, err := p.pool.Acquire(ctx)
		if ctx.Err() != nil && err != nil {
			return nil, fmt.Errorf("%w: %w", errExhausted, err)
		}
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		if why := p.rules.unfit(res.Value(), true); why != "" {
			p.retire(res, why)
			continue // with the next one, or a new one
		}
		return p.lend(ctx, res), nil
	}
}

// lend hands a connection out until ctx is over. Who has not given it back by
// then has forgotten it, or will not need it any more.
func (p *careful) lend(ctx context.Context, res *puddle.Resource[*conn]) *lent {
	c := res.Value()
	l := &lent{conn: c, reused: c.used}
	c.used = true
	var once sync.Once
	stop := context.AfterFunc(ctx, func() {
		once.Do(func() { p.retire(res, overdue) })
	})
	l.give = func(err error) {
		stop()
		once.Do(func() {
			if err != nil { // nobody knows what is still on its way
				p.retire(res, "a request failed on it")
				return
			}
			c.since = time.Now()
			p.watcher.idle(c)
			res.Release()
		})
	}
	return l
}

// endregion

func (p *careful) retire(res *puddle.Resource[*conn], why string) {
	p.watcher.retire(res.Value(), why)
	res.Destroy()
}

// region age

// age closes what has been idle for too long or has lived for long enough, so
// that a pool shrinks after a rush without anybody asking.
func (p *careful) age(ctx context.Context) {
	defer close(p.aged)
	tick := time.NewTicker(p.rules.idle / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, res := range p.pool.AcquireAllIdle() {
			if why := p.rules.unfit(res.Value(), false); why != "" {
				p.retire(res, why)
			} else {
				res.ReleaseUnused()
			}
		}
	}
}

// endregion

func (p *careful) close() {
	p.stop()
	<-p.aged
	p.pool.Close()
}
