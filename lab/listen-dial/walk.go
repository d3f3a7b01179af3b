package listendial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// The connections of the walk.
const (
	orderly      = "closed in order"
	simultaneous = "closed at once"
	aborted      = "aborted"
)

// walk takes connections through every state there is, and waits in each of
// them until the watcher has seen it.
func (s *stage) walk(ctx context.Context) error {
	l, _, err := s.listen("7", "port")
	if err != nil {
		return err
	}
	at := &door{Listener: l, news: make(chan struct{})}
	for _, leg := range []struct {
		name string
		take func(context.Context, *door) error
	}{{orderly, s.inOrder}, {simultaneous, s.atOnce}, {aborted, s.byReset}} {
		s.watch.call(leg.name)
		if err := leg.take(ctx, at); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the connection that is %s: %w", leg.name, err)
		}
	}
	return s.seen(ctx)
}

// inOrder opens a connection, with all the states of the handshake, and closes
// it, the client first.
func (s *stage) inOrder(ctx context.Context, at *door) error {
	c, err := s.handshake(ctx, at)
	if err != nil {
		return err
	}
	defer c.Close()
	peer, err := at.other(ctx, c)
	if err != nil {
		return err
	}
	defer peer.Close()
	s.see(ctx, client, orderly, established)
	s.see(ctx, server, orderly, established)
	s.inform(c, client)
	s.inform(peer, server)
	return s.close(ctx, c, peer)
}

// region orderly

// close ends a connection in order. Each end has a half of its own: the client
// says that it is done, the server reads what there is, says the same, and is
// rid of it. Who was first has to remember the connection.
func (s *stage) close(ctx context.Context, c, peer net.Conn) error {
	if err := s.holdUp(c, peer); err != nil {
		return err
	}
	if err := closeWrite(c); err != nil { // FIN
		return err
	}
	s.see(ctx, client, orderly, finWait1) // until the FIN is acknowledged
	if err := drain(peer); err != nil {
		return err
	}
	s.see(ctx, client, orderly, finWait2)  // acknowledged; the other half is still open
	s.see(ctx, server, orderly, closeWait) // waits for its own program to close
	if err := s.holdUp(peer, c); err != nil {
		return err
	}
	if err := peer.Close(); err != nil { // FIN, the other way
		return fmt.Errorf("close: %w", err)
	}
	s.see(ctx, server, orderly, lastAck)
	if err := drain(c); err != nil {
		return err
	}
	s.see(ctx, client, orderly, timeWait) // in case its last ACK is lost
	s.until(ctx, "the server has forgotten the connection", func() bool { return s.watch.gone(server, orderly) })
	return nil
}

// endregion

// region at-once

// atOnce closes both ends before either has heard of the other: the FINs cross.
func (s *stage) atOnce(ctx context.Context, at *door) error {
	c, peer, err := s.pair(ctx, at)
	if err != nil {
		return err
	}
	defer c.Close()
	defer peer.Close()
	if err := s.holdUp(c, peer); err != nil {
		return err
	}
	if err := errors.Join(closeWrite(c), closeWrite(peer)); err != nil {
		return err
	}
	s.see(ctx, client, simultaneous, closing) // has the other's FIN, but no ACK of its own
	if err := drain(peer); err != nil {
		return err
	}
	s.see(ctx, client, simultaneous, timeWait)
	s.see(ctx, server, simultaneous, timeWait)
	return nil
}

// endregion

// region reset

// byReset ends a connection without any of this.
func (s *stage) byReset(ctx context.Context, at *door) error {
	c, peer, err := s.pair(ctx, at)
	if err != nil {
		return err
	}
	defer peer.Close()
	s.see(ctx, server, aborted, established)
	if err := abort(c); err != nil { // RST
		return err
	}
	if _, err := peer.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNRESET) {
		s.run.Note("After a reset the other end reads: %v.", syscall.ECONNRESET)
	} else if !canceled(ctx, err) {
		s.run.Note("After a reset the other end reads: %v.", err)
	}
	s.until(ctx, "both ends have forgotten the connection", func() bool {
		return s.watch.gone(client, aborted) && s.watch.gone(server, aborted)
	})
	return nil
}

// endregion

// pair opens a connection and gives both ends.
func (s *stage) pair(ctx context.Context, at *door) (c, peer net.Conn, err error) {
	if c, err = s.client.DialContext(ctx, "tcp", server+":7"); err != nil {
		return nil, nil, err
	}
	if peer, err = at.other(ctx, c); err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, peer, nil
}

// holdUp makes the next FIN wait: on the loopback, by full buffers. On the link
// the delay is enough.
func (s *stage) holdUp(from, to net.Conn) error {
	if s.run.Network() == lab.Link {
		return nil
	}
	return fill(from, to)
}

// see waits until the watcher has seen a state.
func (s *stage) see(ctx context.Context, lane, name, state string) {
	s.until(ctx, fmt.Sprintf("the %s of the connection that is %s is in %s", lane, name, state), func() bool {
		return s.watch.is(lane, name, state) || s.run.Network() == lab.Link && s.watch.has(lane, state)
	})
}

// until waits for what the watcher should see, and says so if it does not.
func (s *stage) until(ctx context.Context, what string, is func() bool) {
	if !s.watch.until(ctx, s.settle, is) && ctx.Err() == nil && !s.watch.blind() {
		s.run.Note("Not seen within %s: that %s.", s.settle, what)
	}
}

// inform tells what the kernel says of a connection.
func (s *stage) inform(c net.Conn, lane string) {
	if text, err := info(below(c)); err == nil {
		s.run.State(trace.TCP, lane, "TCP_INFO", text)
	}
}

// seen tells which states were seen, and for how long.
func (s *stage) seen(ctx context.Context) error {
	if s.run.Network() == lab.Link {
		s.until(ctx, "TIME-WAIT ends", func() bool { return s.watch.gone(client, orderly) })
	}
	w := s.watch
	w.mu.Lock()
	for e, socket := range w.now {
		w.lastedLocked(e, socket)
	}
	seen := w.seen
	count := 0
	var missed []string
	for _, state := range states {
		if len(seen[state]) > 0 {
			count++
		} else {
			missed = append(missed, state)
		}
		for _, lane := range []string{client, server} {
			text := "–"
			if took, ok := seen[state][lane]; ok {
				text = "seen, " + tell(took)
			}
			if state == closed && text != "–" {
				text = "seen: forgotten"
			}
			s.table.Cell(state, lane, text, nil)
		}
	}
	took := seen[timeWait][client]
	w.mu.Unlock()
	if slices.Equal(missed, []string{closed}) || len(missed) == 0 {
		s.told.Merit("every state was seen that a connection can be in")
	} else if !w.blind() {
		s.told.Fault("not all states were seen: %s did not come about, or passed too quickly", strings.Join(missed, ", "))
	}
	s.run.Fact("states seen", float64(count), "of 11")
	if s.run.Network() == lab.Link {
		s.run.Fact("TIME-WAIT lasted", took.Seconds(), "s")
	}
	return nil
}

func tell(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", lab.Milliseconds(d))
	}
	return fmt.Sprintf("%.0f ms", lab.Milliseconds(d))
}
