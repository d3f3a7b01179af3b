package listendial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"peerlab/lab"
)

// crowd is how many connections may wait at the walk's listener while it lets
// everybody in: more than come between two looks.
const crowd = 1024

// door is the walk's listener. Its port is open to everybody on this machine,
// so once there is room it accepts all the time: who comes from outside is sent
// away, and fills no queue that the client's connection waits in.
type door struct {
	net.Listener

	mu   sync.Mutex
	came []net.Conn    // the server's ends of connections of the client's, as far as is known
	news chan struct{} // closed at the next one
}

// mostCame bounds the ends that nobody has asked for: a stranger is taken for the
// client where the port that it comes from was the client's before.
const mostCame = 16

// letIn begins to accept.
func (s *stage) letIn(at *door) {
	s.run.Go(func(context.Context) error {
		for {
			c, err := at.Accept()
			if err != nil {
				return nil // the run is over
			}
			if s.run.HostOf(c.RemoteAddr()) == client {
				at.keep(c)
			} else {
				_ = abort(c) // nothing of it is to be remembered
			}
		}
	})
}

func (d *door) keep(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.came = append(d.came, c); len(d.came) > mostCame {
		d.came[0].Close()
		d.came = d.came[1:]
	}
	close(d.news)
	d.news = make(chan struct{})
}

// other waits for the server's end of a connection.
func (d *door) other(ctx context.Context, c net.Conn) (net.Conn, error) {
	at := c.LocalAddr().String()
	for {
		d.mu.Lock()
		i := slices.IndexFunc(d.came, func(peer net.Conn) bool { return peer.RemoteAddr().String() == at })
		if i >= 0 {
			peer := d.came[i]
			d.came = slices.Delete(d.came, i, i+1)
			d.mu.Unlock()
			return peer, nil
		}
		news := d.news
		d.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, fmt.Errorf("accept: %w", ctx.Err())
		}
	}
}

// handshake dials. On the link the delay shows its states. On the loopback the
// listener is full at first, so that the SYN is dropped, and afterwards waits for the
// first byte before it believes in the connection.
func (s *stage) handshake(ctx context.Context, at *door) (net.Conn, error) {
	s.until(ctx, "the listener is seen", func() bool { return s.watch.is(server, "listener", listening) })
	if s.run.Network() == lab.Link {
		s.letIn(at)
		c, err := s.client.DialContext(ctx, "tcp", server+":7")
		if err != nil {
			return nil, err
		}
		s.see(ctx, client, orderly, synSent)
		s.see(ctx, server, orderly, synReceived)
		return c, nil
	}
	unblock, err := s.block(ctx, at)
	if errors.Is(err, errors.ErrUnsupported) {
		s.run.Note("The states of the handshake can't be held up on this system.")
		s.letIn(at)
		return s.client.DialContext(ctx, "tcp", server+":7")
	}
	if err != nil {
		return nil, err
	}
	dialled := make(chan net.Conn, 1)
	failed := make(chan error, 1)
	s.run.Go(func(ctx context.Context) error {
		c, err := s.client.DialContext(ctx, "tcp", server+":7")
		dialled <- c
		failed <- err
		return err
	})
	s.see(ctx, client, orderly, synSent)
	if err := unblock(); err != nil {
		return nil, err
	}
	c := <-dialled // when the SYN is sent again, after a second
	if err := <-failed; err != nil {
		return nil, err
	}
	s.see(ctx, server, orderly, synReceived)
	if err := deferAccept(belowListener(at.Listener), 0); err != nil {
		return nil, fmt.Errorf("TCP_DEFER_ACCEPT: %w", err)
	}
	if _, err := c.Write([]byte{'!'}); err != nil {
		return nil, fmt.Errorf("the first byte: %w", err)
	}
	return c, nil
}

// block fills a listener with a connection that is not accepted. unblock takes
// that away, and lets the listener defer the next one.
func (s *stage) block(ctx context.Context, at *door) (unblock func() error, err error) {
	if err := limit(at.Listener, 0); err != nil {
		return nil, err
	}
	s.watch.call("") // the filler is not part of the walk
	each, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	filler, err := s.client.DialContext(each, "tcp", server+":7")
	failed, known := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		s.watch.ignore(filler)
	case known && failed.Timeout(): // somebody from outside fills it already
	default:
		return nil, err
	}
	s.watch.call(orderly)
	return func() error {
		if err := deferAccept(belowListener(at.Listener), 10); err != nil {
			return fmt.Errorf("TCP_DEFER_ACCEPT: %w", err)
		}
		if filler != nil {
			if err := abort(filler); err != nil {
				return fmt.Errorf("give up the filler: %w", err)
			}
		}
		if err := limit(at.Listener, crowd); err != nil {
			return fmt.Errorf("make room for another connection: %w", err)
		}
		s.letIn(at)
		s.run.Note("The listener has room again. The client's SYN was dropped; it is sent again a second after the first one.")
		return nil
	}, nil
}
