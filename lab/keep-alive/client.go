package keepalive

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// client sends requests through a transport of its own and numbers the
// connections that the transport opens.
type client struct {
	ctx       context.Context // of the run: afterwards nothing is recorded
	run       *lab.Run
	host      *lab.Host
	server    *server
	transport *http.Transport
	quiet     bool // only totals

	mu         sync.Mutex
	opened     int
	open       int
	handshakes time.Duration // what opening took, all together
}

// newClient makes a client of a variant's server. The transport has the
// defaults of package http, but for what set changes.
func newClient(ctx context.Context, r *lab.Run, s *server, set func(*http.Transport)) (*client, error) {
	host, err := r.Host("client")
	if err != nil {
		return nil, err
	}
	c := &client{ctx: ctx, run: r, host: host, server: s}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	c.transport = &http.Transport{
		DialContext: c.dial, DialTLSContext: c.dial, Protocols: protocols, DisableCompression: true,
		MaxIdleConns: 100, IdleConnTimeout: 90 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
	}
	if set != nil {
		set(c.transport)
	}
	return c, nil
}

// lane is the lane of a connection's bars.
func lane(number int) string { return "connection " + strconv.Itoa(number) }

// dial opens a connection, TLS and all, and records how long each part takes.
func (c *client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c.mu.Lock()
	c.opened++
	c.open++
	n := &numbered{number: c.opened, client: c}
	c.mu.Unlock()
	begin := time.Now()
	end := c.begin(trace.TCP, n.number, "TCP handshake")
	raw, err := c.host.DialContext(ctx, "tcp", "server:443")
	end(err)
	if err == nil && c.server.tls {
		end := c.begin(trace.TLS, n.number, "TLS handshake")
		conn := tls.Client(raw, &tls.Config{RootCAs: c.server.roots, ServerName: serverName, MinVersion: tls.VersionTLS12})
		err = conn.HandshakeContext(ctx)
		end(err)
		if err != nil {
			raw.Close()
		}
		raw = conn
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handshakes += time.Since(begin)
	if err != nil {
		c.open--
		return nil, err
	}
	n.Conn = raw
	return n, nil
}

func (c *client) begin(layer trace.Layer, number int, name string) func(error) {
	if c.quiet {
		return func(error) {}
	}
	end := c.run.Begin(layer, lane(number), name)
	return func(err error) { end(short(err)) }
}

// numbered is a connection that can be told from others.
type numbered struct {
	net.Conn
	number int
	client *client
	once   sync.Once
}

func (n *numbered) Close() error {
	n.once.Do(func() {
		n.client.mu.Lock()
		n.client.open--
		n.client.mu.Unlock()
		n.client.state(n.number, "")
	})
	return n.Conn.Close()
}

func (c *client) totals() (opened, open int, handshakes time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened, c.open, c.handshakes
}

// back notes whether the transport took a connection back.
func (c *client) back(number int, err error) {
	if err == nil {
		c.state(number, "idle")
	}
}

func (c *client) state(number int, value string) {
	if !c.quiet && c.ctx.Err() == nil {
		c.run.State(trace.TCP, "client", lane(number), value)
	}
}

// result is what came of a request.
type result struct {
	connection int
	reused     bool
	took       time.Duration
}

// finish is what a program does with a response: that is the question here.
type finish func(*http.Response) error

// send sends a request and leaves the response to done. It takes until done
// returns.
func (c *client) send(ctx context.Context, name string, req *http.Request, done finish) (res result, err error) {
	var mu sync.Mutex // the hooks are called by other goroutines
	begin, sent := time.Now(), 0
	end := func(string) {}
	putBack := func(err error) {
		mu.Lock()
		number := res.connection
		mu.Unlock()
		c.back(number, err)
	}
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{PutIdleConn: putBack, GotConn: func(got httptrace.GotConnInfo) {
		n, ok := got.Conn.(*numbered)
		if !ok {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		sent++
		res.connection, res.reused = n.number, got.Reused
		if !c.quiet {
			text := "on " + lane(n.number) + ", a new one"
			if got.Reused {
				text = "on " + lane(n.number) + ", which was there"
			}
			if sent > 1 {
				text = "sent again, " + text
			}
			c.run.Message(trace.HTTP, "client", "server", name, text)
			end("the server hung up")
			end = c.run.Begin(trace.HTTP, lane(n.number), name)
		}
		c.state(n.number, "at work on "+name)
	}}))
	resp, err := c.transport.RoundTrip(req)
	mu.Lock()
	number := res.connection
	mu.Unlock()
	if err == nil {
		if !c.quiet {
			c.run.Message(trace.HTTP, "server", "client", resp.Status, name+", on "+lane(number))
		}
		c.state(number, "has an answer that is not read")
		err = done(resp)
	}
	mu.Lock()
	defer mu.Unlock()
	end(short(err))
	res.took = time.Since(begin)
	return res, err
}

// get makes a request for a path.
func (c *client) get(path string) (*http.Request, error) {
	return http.NewRequest(http.MethodGet, c.url(path), nil)
}

// post makes a POST with a small body. If the body can be had again, package
// http notices by its type.
func (c *client) post(path string, again bool) (*http.Request, error) {
	var body io.Reader = strings.NewReader("one payment, please")
	if !again {
		body = struct{ io.Reader }{body}
	}
	return http.NewRequest(http.MethodPost, c.url(path), body)
}

func (c *client) url(path string) string {
	if c.server.tls {
		return "https://" + serverName + path
	}
	return "http://" + serverName + path
}

// short is an error in a few words.
func short(err error) string {
	var op *net.OpError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "too late"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "EOF"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}
