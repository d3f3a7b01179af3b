package pipelining

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// netHTTP asks by net/http's client, on one connection.
type netHTTP struct {
	*asker
	transport *http.Transport
}

// protocols are HTTP/1.1 and HTTP/2, both without TLS.
func protocols(one, two bool) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(one)
	p.SetUnencryptedHTTP2(two)
	return &p
}

// region nethttp

// newNetHTTP makes a transport for one protocol. With HTTP/1.1 it may have one
// connection; with HTTP/2 it needs no more.
func newNetHTTP(a *asker, two bool) *netHTTP {
	t := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx) },
		MaxConnsPerHost: 1,
		Protocols:       protocols(!two, two),
	}
	return &netHTTP{asker: a, transport: t}
}

// ask starts all requests at once, the first one a moment earlier, and leaves
// to the transport what to do with them. With HTTP/1.1 it has them wait in a
// line of its own: it never sends a request behind another one.
func (h *netHTTP) ask(ctx context.Context, n int) error {
	var asking sync.WaitGroup
	for k := 1; k <= n; k++ {
		started := make(chan struct{})
		onConn := sync.OnceFunc(func() { close(started) })
		asking.Add(1)
		h.run.Go(func(context.Context) error {
			defer asking.Done()
			defer onConn()
			to, err := h.get(ctx, k, onConn)
			if err != nil {
				h.failed(k, err)
				return nil
			}
			h.answer(k, to)
			return nil
		})
		if k == 1 {
			<-started
		}
	}
	asking.Wait()
	return nil
}

// get has one request answered; onConn is called when it has a connection.
func (h *netHTTP) get(ctx context.Context, k int, onConn func()) (answer int, err error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { onConn() },
		WroteRequest: func(httptrace.WroteRequestInfo) { h.sent(k) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server"+h.path(k), nil)
	if err != nil {
		return 0, fmt.Errorf("request: %w", err)
	}
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	return number(resp.Header)
}

// endregion

func (h *netHTTP) open(ctx context.Context) error {
	_, err := h.get(ctx, 0, func() {})
	return err
}

func (h *netHTTP) close() { h.transport.CloseIdleConnections() }
