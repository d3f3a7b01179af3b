package tcppool

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// app is who asks the backend, over a pool.
type app struct {
	run      *lab.Run
	host     *lab.Host
	watch    *watch
	patience time.Duration
	retries  bool // a request may be sent once more
	pool     pool

	mu      sync.Mutex
	number  int // of the last request
	seconds int // requests sent a second time
}

// request is one request and what became of it.
type request struct {
	number     int
	work       time.Duration // for the backend
	err        error
	wait, took time.Duration // for connections; in all
}

func (q *request) String() string { return fmt.Sprintf("request %d", q.number) }

// closing tells the watch that a connection is closed, once.
type closing struct {
	net.Conn
	done atomic.Bool
	tell func()
}

func (c *closing) Close() error {
	err := c.Conn.Close()
	if c.done.CompareAndSwap(false, true) {
		c.tell()
	}
	return err
}

// dial connects to the backend.
func (a *app) dial(ctx context.Context) (*conn, error) {
	end := a.run.Begin(trace.TCP, appLane, "dial")
	raw, err := a.host.DialContext(ctx, "tcp", address)
	if err != nil {
		end(err.Error())
		return nil, err
	}
	end("connected")
	c := &conn{in: bufio.NewReaderSize(raw, 256)}
	c.closing = &closing{Conn: raw, tell: func() { a.watch.closed(c) }}
	a.watch.dial(c)
	return c, nil
}

// request makes one request, with the patience that was set, and records it.
func (a *app) request(ctx context.Context, work time.Duration) *request {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	a.mu.Lock()
	a.number++
	q := &request{number: a.number, work: work}
	a.mu.Unlock()
	began := time.Now()
	end := a.run.Begin(trace.App, appLane, q.String())
	q.err = a.ask(ctx, q)
	q.took = time.Since(began)
	if q.err != nil {
		end("failed: " + reason(q.err))
		return q
	}
	end("answered")
	a.run.Sample(trace.App, appLane, "time of a request", lab.Milliseconds(q.took), "ms")
	return q
}

// borrow gets a connection from the pool.
func (a *app) borrow(ctx context.Context, q *request) (*lent, error) {
	began := time.Now()
	a.watch.wait(+1)
	c, err := a.pool.get(ctx)
	a.watch.wait(-1)
	q.wait += time.Since(began)
	return c, err
}

// over sends a request over a connection and waits for the answer.
func (a *app) over(ctx context.Context, c *lent, q *request) error {
	on := fmt.Sprintf("on connection %d", c.number)
	a.watch.lent(c.conn, q.String())
	a.run.Message(trace.App, appLane, backendLane, q.String(), on)
	err := c.exchange(ctx, q.number, q.work)
	switch {
	case err == nil:
		a.run.Message(trace.App, backendLane, appLane, fmt.Sprintf("answer %d", q.number), on)
		return nil
	case ctx.Err() != nil: // the socket may have been closed for it
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	a.run.Note("Request %d %s: %s.", q.number, on, reason(err))
	return err
}

// second counts a request that is sent once more.
func (a *app) second(q *request) {
	a.mu.Lock()
	a.seconds++
	a.mu.Unlock()
	a.run.Note("Request %d is sent once more, on another connection.", q.number)
}
