package signaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"peerlab/signaling/envelope"
)

// ClientConfig describes a Client. URL and Name are needed; each other zero
// field stands for the default named.
type ClientConfig struct {
	URL  string        // of the room's page or its WebSocket, see SocketURL
	Name string        // 1–64 characters
	Kind envelope.Kind // envelope.Go

	Header http.Header // more headers of the upgrade request
	// NetDial opens the TCP connection; nil dials as net.Dialer does, through
	// the proxy that the environment names.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)

	Handshake  time.Duration // for one attempt to connect and join; 15 s
	PingAfter  time.Duration // 20 s
	DeadAfter  time.Duration // of silence; 45 s
	MinBackoff time.Duration // before the second attempt; 250 ms
	MaxBackoff time.Duration // 10 s
	// GiveUpAfter ends a Client that could not get back for so long; 10 min,
	// by when an empty room is gone.
	GiveUpAfter time.Duration

	Logger *slog.Logger // nil discards
}

// Client is a member of a room over a WebSocket. It connects again when its
// socket breaks, and takes its place back when it is in time. It is safe for
// concurrent use and has to be closed.
type Client struct {
	cfg   ClientConfig
	url   string
	log   *slog.Logger
	inbox chan envelope.Message
	seen  int64 // number of the last signal; of run

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended, err is set then
	err    error

	mu     sync.Mutex
	link   *link         // nil while there is none
	linked chan struct{} // closed when link is set
	left   bool          // Close was called
}

// Dial connects and joins. ctx is for that only; the Client lives until Close.
// The error is an *envelope.Error if the server refused. There is no second
// attempt if the first fails.
func Dial(ctx context.Context, cfg ClientConfig) (*Client, error) {
	cfg.Kind = cmp.Or(cfg.Kind, envelope.Go)
	cfg.Handshake = cmp.Or(cfg.Handshake, 15*time.Second)
	cfg.PingAfter = cmp.Or(cfg.PingAfter, 20*time.Second)
	cfg.DeadAfter = cmp.Or(cfg.DeadAfter, 45*time.Second)
	cfg.MinBackoff = cmp.Or(cfg.MinBackoff, 250*time.Millisecond)
	cfg.MaxBackoff = cmp.Or(cfg.MaxBackoff, 10*time.Second)
	cfg.GiveUpAfter = cmp.Or(cfg.GiveUpAfter, 10*time.Minute)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	address, err := SocketURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if err := envelope.Validate(&envelope.Join{Version: envelope.Version, Name: cfg.Name, Kind: cfg.Kind}); err != nil {
		return nil, fmt.Errorf("signaling: %w", err)
	}
	c := &Client{
		cfg: cfg, url: address, log: cfg.Logger,
		inbox: make(chan envelope.Message, 64), done: make(chan struct{}), linked: make(chan struct{}),
	}
	l, welcome, err := c.connect(ctx, "")
	if err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run(l, welcome)
	return c, nil
}

// Receive returns the next message; the first is an *envelope.Welcome, and so
// is the first after each reconnection. If its Resumed is false then, the room
// knows a new peer, and what was known of the others is void. What ended the
// Client is returned as an error: an *envelope.Error, or ErrClosed after the
// server's bye and after Close.
func (c *Client) Receive(ctx context.Context) (envelope.Message, error) {
	select {
	case m := <-c.inbox:
		return m, nil
	default:
	}
	select {
	case m := <-c.inbox:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
	}
	select { // run put it there before it ended
	case m := <-c.inbox:
		return m, nil
	default:
		return nil, c.err
	}
}

// Send sends a signal, our NAT, or bye. While the Client is reconnecting it waits. An
// unknown peer is not an error here: the answer comes as a message.
func (c *Client) Send(ctx context.Context, m envelope.Message) error {
	if err := sendable(m); err != nil {
		return err
	}
	if _, ok := m.(*envelope.Bye); ok {
		return c.Close()
	}
	data, err := envelope.Encode(m)
	if err != nil {
		return fmt.Errorf("signaling: send: %w", err)
	}
	for {
		c.mu.Lock()
		l, linked := c.link, c.linked
		c.mu.Unlock()
		if l != nil {
			err := l.write(data)
			if err == nil {
				return nil
			}
			c.log.Debug("signaling: write, will retry", "err", err)
			l.interrupt()
			linked = l.broken // run takes the link away, then linked is a new one
		}
		select {
		case <-linked:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return c.err
		}
	}
}

// Close says bye, so that the others are told now, and ends the Client. It
// takes two seconds at most, and none when the server answers.
func (c *Client) Close() error {
	c.mu.Lock()
	l, first := c.link, !c.left
	c.left = true
	c.mu.Unlock()
	if l != nil && first && l.sayBye() == nil {
		select {
		case <-l.broken: // the server has closed
		case <-c.done:
		case <-time.After(linger):
		}
	}
	c.cancel()
	<-c.done
	return nil
}

// run is the life of the Client: one link after the other.
func (c *Client) run(l *link, welcome *envelope.Welcome) {
	defer close(c.done)
	defer c.cancel()
	for {
		c.setLink(l)
		err := c.follow(l, welcome)
		c.setLink(nil)
		l.close()
		if err != nil {
			c.err = err
			return
		}
		if l, welcome, err = c.reconnect(welcome.Resume); err != nil {
			c.err = err
			return
		}
	}
}

func (c *Client) setLink(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	if l != nil {
		close(c.linked)
	} else {
		c.linked = make(chan struct{})
	}
}

// follow hands on what comes over l. It returns nil if l broke and another
// should be tried, else the end of the Client.
func (c *Client) follow(l *link, welcome *envelope.Welcome) error {
	stop := context.AfterFunc(c.ctx, l.interrupt)
	defer stop()
	if !welcome.Resumed {
		c.seen = 0
	}
	var m envelope.Message = welcome
	for {
		select {
		case c.inbox <- m:
		case <-c.ctx.Done():
			return ErrClosed
		}
		if _, ok := m.(*envelope.Bye); ok {
			return ErrClosed
		}
		next, err := l.read()
		for err == nil && c.known(next) {
			next, err = l.read()
		}
		var refused *envelope.Error
		switch {
		case err == nil:
			m = next
		case c.isLeft():
			return ErrClosed
		case errors.As(err, &refused):
			return refused
		case errors.Is(err, errBadServer):
			return err
		default:
			c.log.Info("signaling: connection lost", "err", err)
			return nil
		}
	}
}

// known tells whether m is a signal that came before the link broke.
func (c *Client) known(m envelope.Message) bool {
	s, ok := m.(*envelope.Signal)
	if !ok || s.N == 0 {
		return false
	}
	known := s.N <= c.seen
	c.seen = max(c.seen, s.N)
	return known
}

func (c *Client) isLeft() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// reconnect tries until it succeeds, is refused or gives up. The pauses double
// and are random, so that a class does not come back in one instant.
func (c *Client) reconnect(token string) (*link, *envelope.Welcome, error) {
	giveUp := time.Now().Add(c.cfg.GiveUpAfter)
	pause := c.cfg.MinBackoff
	var last error
	for time.Now().Before(giveUp) {
		select {
		case <-time.After(rand.N(pause) + 1):
		case <-c.ctx.Done():
			return nil, nil, ErrClosed
		}
		pause = min(2*pause, c.cfg.MaxBackoff)
		l, welcome, err := c.connect(c.ctx, token)
		var refused *envelope.Error
		switch {
		case err == nil:
			c.log.Info("signaling: connected again", "resumed", welcome.Resumed)
			return l, welcome, nil
		case c.ctx.Err() != nil:
			return nil, nil, ErrClosed
		case errors.As(err, &refused), errors.Is(err, errBadServer):
			return nil, nil, err
		}
		last = err
		c.log.Debug("signaling: reconnect", "err", err, "next_within", pause)
	}
	return nil, nil, fmt.Errorf("signaling: gave up reconnecting after %v: %w", c.cfg.GiveUpAfter, last)
}
