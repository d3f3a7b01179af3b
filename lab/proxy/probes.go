package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// spoofed is the address the client pretends to have.
const spoofed = "6.6.6.6"

// For one hop only: what the client sends, and what an upstream does.
var (
	clientHops   = []string{"Keep-Alive", "Proxy-Authorization", "X-Hop"}
	upstreamHops = []string{"Keep-Alive", "X-Hop"}
)

// newClient is an HTTP client on a host, for up to n connections to a server.
func newClient(h *lab.Host, n int, proxy *url.URL) *http.Client {
	t := &http.Transport{
		DialContext: h.DialContext, DisableCompression: true, MaxIdleConnsPerHost: n,
		IdleConnTimeout: 15 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask sends a request with these headers, and reads what the upstream saw if
// it was one that answered.
func ask(ctx context.Context, c *http.Client, method, url string, headers ...string) (status int, got http.Header, told saw, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, nil, told, fmt.Errorf("ask: %w", err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, told, fmt.Errorf("ask: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err == nil && resp.Header.Get("Content-Type") == "application/json" {
		err = json.Unmarshal(body, &told)
	}
	if err != nil {
		return resp.StatusCode, resp.Header, told, fmt.Errorf("the answer: %w", err)
	}
	return resp.StatusCode, resp.Header, told, nil
}

// headers shows what a proxy does to headers, with two requests of a client
// that does not mean well.
func (s *reverse) headers(ctx context.Context, c *http.Client) error {
	_, got, told, err := ask(ctx, c, http.MethodGet, "http://proxy:80/headers",
		"X-Forwarded-For", spoofed, "Connection", ours+", X-Hop", "X-Hop", "for the next hop",
		"Keep-Alive", "timeout=5", "Proxy-Authorization", "Basic Zm9yOnByb3h5")
	if err != nil {
		return err
	}
	s.run.Fact("proxy's own header at the upstream", is(told.Headers.Get(ours) == ourValue), "of 1")
	s.run.Fact("spoofed address believed", is(told.Client == spoofed), "of 1")
	s.run.Fact("hop-by-hop headers passed to the upstream", float64(hopByHop(told.Headers, clientHops)), fmt.Sprintf("of %d", len(clientHops)))
	s.run.Fact("hop-by-hop headers passed to the client", float64(hopByHop(got, upstreamHops)), fmt.Sprintf("of %d", len(upstreamHops)))
	_, _, told, err = ask(ctx, c, http.MethodGet, "http://proxy:80/h2c",
		"Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAAP__")
	if err != nil {
		return err
	}
	s.run.Fact("Upgrade: h2c at the upstream", is(told.Headers.Get("Upgrade") == "h2c"), "of 1")
	return nil
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// webSocket takes one line through the proxy and back.
func (s *reverse) webSocket(ctx context.Context) error {
	c, err := s.client.DialContext(ctx, "tcp", "proxy:80")
	if err != nil {
		return err
	}
	defer c.Close()
	took, err := converse(c, "proxy", "hello through the "+s.name)
	if err != nil {
		return err
	}
	s.run.Message(trace.App, "proxy", "client", frameName(opText), "hello through the "+s.name)
	s.run.Fact("WebSocket echo", lab.Milliseconds(took), "ms")
	return nil
}

// dying sends requests in turn while the first upstream dies and comes back.
func (s *reverse) dying(ctx context.Context, c *http.Client, p Params) error {
	for i := range p.Requests {
		switch i {
		case p.Requests / 3:
			s.run.Note("%s: upstream-1 dies.", s.name)
			s.ups[0].kill()
		case p.Requests * 2 / 3:
			s.run.Note("%s: upstream-1 is back.", s.name)
			if err := s.ups[0].revive(); err != nil {
				return err
			}
		}
		if err := s.beat(ctx, c); err != nil {
			return err
		}
		if err := s.run.Sleep(ctx, p.Pace); err != nil {
			return err
		}
	}
	return s.ups[0].revive()
}

// beat is one request, counted by its answer.
func (s *reverse) beat(ctx context.Context, c *http.Client) error {
	status, _, _, err := ask(ctx, c, http.MethodGet, "http://proxy:80/turn")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.counts.add(status, err)
	return nil
}

// cutOff sends two requests that the upstream takes and does not answer.
func (s *reverse) cutOff(ctx context.Context, c *http.Client) error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		status, _, _, err := ask(ctx, c, method, "http://proxy:80/drop?"+method)
		if err != nil {
			return err
		}
		s.run.Fact(method+" cut off: status in the end", float64(status), "")
		s.run.Fact(method+" cut off: times it arrived", float64(s.drop.count(method)), "times")
	}
	return nil
}

// tally counts answers.
type tally struct {
	run *lab.Run

	mu         sync.Mutex
	asked, bad int
}

func (t *tally) add(status int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	if err != nil || status != http.StatusOK {
		t.bad++
	}
}

func (t *tally) facts() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.run.Fact("requests in turn", float64(t.asked), "requests")
	t.run.Fact("of these failed", float64(t.bad), "requests")
}

// doors are the places a forward proxy that is open to all would go to.
var doors = []struct{ method, target string }{
	{http.MethodGet, "http://127.0.0.1:22/"},
	{http.MethodGet, "http://10.0.0.1/"},
	{http.MethodConnect, "[64:ff9b::7f00:1]:443"},
	{http.MethodConnect, "mail.example:25"},
}

// probe sends what a forward proxy should do, and what it should not.
func (s *forwarding) probe(ctx context.Context, p Params) error {
	c := newClient(s.client, 2, &url.URL{Scheme: "http", Host: "proxy:3128"})
	defer c.CloseIdleConnections()
	status, _, _, err := ask(ctx, c, http.MethodGet, "http://origin:80/absolute", "X-Forwarded-For", spoofed)
	if err != nil {
		return err
	}
	s.run.Fact("absolute form: status", float64(status), "")
	if status, err = s.throughTunnel(ctx); err != nil {
		return err
	}
	s.run.Fact("through a tunnel: status", float64(status), "")
	for _, d := range doors {
		if err := s.knock(ctx, c, d.method, d.target); err != nil {
			return err
		}
	}
	if p.Target == "" {
		return nil
	}
	return s.knock(ctx, c, http.MethodGet, p.Target)
}

// knock tries one target. What becomes of it is in the record; an error of the
// connection to the proxy is a result too.
func (s *forwarding) knock(ctx context.Context, c *http.Client, method, target string) error {
	if method == http.MethodConnect {
		conn, status, _, err := s.tunnelTo(ctx, target)
		if err == nil {
			conn.Close()
			s.run.State(trace.HTTP, "client", "CONNECT "+target, status)
		}
		return ctx.Err()
	}
	if status, _, _, err := ask(ctx, c, method, target); err == nil {
		s.run.State(trace.HTTP, "client", method+" "+target, fmt.Sprintf("%d %s", status, http.StatusText(status)))
	}
	return ctx.Err()
}

// tunnelTo asks the proxy for a tunnel. The connection is one only if the
// status is a 200.
func (s *forwarding) tunnelTo(ctx context.Context, target string) (net.Conn, string, *bufio.Reader, error) {
	c, err := s.client.DialContext(ctx, "tcp", "proxy:3128")
	if err != nil {
		return nil, "", nil, err
	}
	c.SetDeadline(time.Now().Add(frameWait))
	in := bufio.NewReader(c)
	if _, err = fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target); err == nil {
		var resp *http.Response
		// Told what it answers, ReadResponse knows that a 200 has no body.
		if resp, err = http.ReadResponse(in, &http.Request{Method: http.MethodConnect}); err == nil {
			return c, resp.Status, in, nil
		}
	}
	c.Close()
	return nil, "", nil, fmt.Errorf("CONNECT: %w", err)
}

// throughTunnel gets a page through a tunnel.
func (s *forwarding) throughTunnel(ctx context.Context) (int, error) {
	c, status, in, err := s.tunnelTo(ctx, "origin:80")
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if !strings.HasPrefix(status, "200 ") {
		return 0, fmt.Errorf("CONNECT origin:80: answered %s", status)
	}
	s.run.Message(trace.TCP, "client", "origin", "through the tunnel", "GET /tunnelled")
	if _, err := io.WriteString(c, "GET /tunnelled HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, fmt.Errorf("tunnel: %w", err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, fmt.Errorf("tunnel: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, fmt.Errorf("tunnel: %w", err)
	}
	return resp.StatusCode, nil
}
