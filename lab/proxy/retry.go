package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// region retry

// balancer sends requests to upstreams in turn, lets one rest that failed, and
// tries the next one if, and only if, the request may be sent again.
type balancer struct {
	upstreams []string // host:port
	next      http.RoundTripper
	rest      time.Duration
	retries   atomic.Int64

	mu   sync.Mutex
	turn int
	back map[string]time.Time // when a failed upstream gets its next chance
}

// RoundTrip is http.RoundTripper's.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, whole, err := hold(r)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		to := b.pick()
		attempt := r.Clone(r.Context())
		attempt.URL.Host = to
		if body != nil {
			attempt.Body = io.NopCloser(body()) // the transport may still read the last one
		}
		resp, err := b.next.RoundTrip(attempt)
		if err == nil {
			return resp, nil
		}
		if r.Context().Err() != nil { // the client has gone: nobody's failure
			return nil, err
		}
		b.failed(to)
		if try == len(b.upstreams) || !whole || !mayRepeat(r.Method, err) {
			return nil, fmt.Errorf("%s (%d tried): %w", to, try, err)
		}
		b.retries.Add(1)
	}
}

// mayRepeat tells whether a request that failed may be sent once more. If the
// connection was never made, nobody has seen the request. Otherwise it may have
// been carried out, so it must be one that does no more harm twice than once
// (idempotent, RFC 9110 section 9.2.2).
func mayRepeat(method string, err error) bool {
	if errors.Is(err, errDial) {
		return true
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// endregion

// errDial marks a failure to connect.
var errDial = errors.New("no connection")

// maxHeld is how much of a body is kept to be sent again.
const maxHeld = 64 << 10

// hold reads the body if it is small, to be sent any number of times. A larger
// one goes on as a stream and can't be repeated: whole is false.
func hold(r *http.Request) (body func() io.Reader, whole bool, err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, true, nil
	}
	start, err := io.ReadAll(io.LimitReader(r.Body, maxHeld+1))
	if err != nil {
		return nil, false, fmt.Errorf("reading the request: %w", err)
	}
	if len(start) > maxHeld {
		return func() io.Reader { return io.MultiReader(bytes.NewReader(start), r.Body) }, false, nil
	}
	return func() io.Reader { return bytes.NewReader(start) }, true, nil
}

// pick is the next upstream in turn that does not rest; if all do, the next.
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for range b.upstreams {
		to := b.upstreams[b.turn%len(b.upstreams)]
		b.turn++
		if now.After(b.back[to]) {
			return to
		}
	}
	to := b.upstreams[b.turn%len(b.upstreams)]
	b.turn++
	return to
}

func (b *balancer) failed(upstream string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.back[upstream] = time.Now().Add(b.rest)
}

// dialer connects to upstreams, counts, and marks the errors.
type dialer struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	dials atomic.Int64
}

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.dials.Add(1)
	c, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDial, err)
	}
	return c, nil
}
