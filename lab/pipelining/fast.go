package pipelining

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// fastHTTP asks by fasthttp's client for pipelining.
type fastHTTP struct {
	*asker
	client *fasthttp.PipelineClient
	conns  *written
}

// written is the connections of a client, and tells when something is sent.
type written struct {
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
	next   chan struct{} // closed at the next write; nil: nobody waits
}

// watched is a connection that tells of writes.
type watched struct {
	net.Conn
	all *written
}

func (c watched) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.all.next != nil {
		close(c.all.next)
		c.all.next = nil
	}
	return n, err
}

// wait returns a channel that is closed at the next write.
func (w *written) wait() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := make(chan struct{})
	w.next = next
	return next
}

// region fasthttp

// newFastHTTP makes a client that has one connection and may have all requests
// of a run on it at once.
func newFastHTTP(a *asker) *fastHTTP {
	f := &fastHTTP{asker: a, conns: &written{}}
	f.client = &fasthttp.PipelineClient{
		Addr: a.addr, MaxConns: 1, MaxPendingRequests: 64,
		Dial: func(string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			conn, err := a.dial(ctx)
			return f.conns.add(conn, err)
		},
		ReadTimeout: maxWork + patience, WriteTimeout: patience,
		MaxResponseBodySize: 1 << 20,
		Logger:              silent{},
	}
	return f
}

// ask hands all requests over; the client writes them one behind another and
// gives the answers out in that order. Each is waited for until it is on its
// way, since the line is made by who comes first.
func (f *fastHTTP) ask(ctx context.Context, n int) error {
	var asking sync.WaitGroup
	for k := 1; k <= n; k++ {
		onWire := f.conns.wait()
		ended := make(chan struct{}) // perhaps without being sent
		asking.Add(1)
		f.run.Go(func(context.Context) error {
			defer asking.Done()
			defer close(ended)
			f.sent(k)
			to, err := f.get(k)
			if err != nil {
				f.failed(k, err)
				return nil
			}
			f.answer(k, to)
			return nil
		})
		select {
		case <-onWire:
		case <-ended:
		case <-ctx.Done():
		}
	}
	asking.Wait()
	return nil
}

func (f *fastHTTP) get(k int) (answer int, err error) { return f.do(k, maxWork+patience) }

func (f *fastHTTP) do(k int, within time.Duration) (answer int, err error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI("http://server" + f.path(k))
	if err := f.client.DoTimeout(req, resp, within); err != nil {
		return 0, fmt.Errorf("fasthttp: %w", err)
	}
	return number(http.Header{answerTo: {string(resp.Header.Peek(answerTo))}})
}

// endregion

// add takes in what came of dialling. The client would try a failed dial again
// for ever, while requests wait that can't be cancelled: it gets a connection on
// which everything fails instead. Once closed, it is to have none.
func (w *written) add(conn net.Conn, err error) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		conn, _ = net.Pipe()
		conn.Close()
	}
	if w.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	w.conns = append(w.conns, conn)
	return watched{conn, w}, nil
}

func (w *written) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, c := range w.conns {
		c.Close()
	}
}

func (f *fastHTTP) open(context.Context) error {
	_, err := f.get(0)
	return err
}

// close ends the client, which has no method for it: its goroutines look at
// their connection only when there is something to send, so this sends something.
func (f *fastHTTP) close() {
	f.conns.close()
	_, _ = f.do(0, time.Second) // fails, and that ends them
}

// silent is a logger for what comes out as an error already.
type silent struct{}

func (silent) Printf(string, ...any) {}
