package signaling

import (
	"context"
	"fmt"
	"sync"

	"peerlab/signaling/envelope"
)

// Local is a member that lives in the process of its Hub, for a Go peer that
// needs no socket. It is made by Hub.Join and safe for concurrent use.
type Local struct {
	hub    *Hub
	room   *room
	member *member
	ready  chan struct{} // holds a token while Receive has something to look at

	mu    sync.Mutex
	queue queue
	ended bool
}

var _ outlet = (*Local)(nil)

func (l *Local) join(r *room, j *envelope.Join) *envelope.Error {
	if r == nil {
		return noRoom()
	}
	m, err := r.join(l, j, "", nil)
	l.room, l.member = r, m
	return err
}

// Send passes on a signal or what is known of our NAT, or says bye. An unknown peer is not an error here:
// the answer comes as a message.
func (l *Local) Send(ctx context.Context, m envelope.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := sendable(m); err != nil {
		return err
	}
	l.mu.Lock()
	ended := l.ended
	l.mu.Unlock()
	if ended {
		return ErrClosed
	}
	switch m := m.(type) {
	case *envelope.Signal:
		return l.room.signal(l.member, m)
	case *envelope.ShareNAT:
		l.room.shareNAT(l.member, m.NAT)
		return nil
	}
	return l.Close() // a bye
}

// Receive returns the next message; the first is an *envelope.Welcome. What
// ended the membership is returned as an error: an *envelope.Error, or
// ErrClosed after the server's bye and after Close.
func (l *Local) Receive(ctx context.Context) (envelope.Message, error) {
	for {
		l.mu.Lock()
		f, ok := l.queue.pop()
		ended, more := l.ended, len(l.queue.frames) > 0
		l.mu.Unlock()
		if more || ended {
			l.signalReady() // for others who wait
		}
		if ok {
			m, err := envelope.Decode(f.data)
			if err != nil {
				return nil, fmt.Errorf("signaling: receive: %w", err)
			}
			if e, isError := m.(*envelope.Error); isError && e.Fatal {
				return nil, e
			}
			return m, nil
		}
		if ended {
			return nil, ErrClosed
		}
		select {
		case <-l.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close leaves the room; the others are told now.
func (l *Local) Close() error {
	l.room.leave(l.member, l, "bye")
	l.end(nil)
	return nil
}

func (l *Local) push(f frame) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return true
	}
	if len(l.queue.frames) >= l.hub.cfg.QueueFrames || l.queue.bytes+len(f.data) > l.hub.cfg.QueueBytes {
		return false
	}
	l.queue.push(f)
	l.signalReady()
	return true
}

func (l *Local) end(last envelope.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	if tooSlow(last) {
		l.queue = queue{}
	}
	if last != nil {
		if data, err := envelope.Encode(last); err == nil {
			l.queue.push(frame{data: data})
		}
	}
	l.ended = true
	l.signalReady()
}

// missed has nothing to add: a Local has no socket to lose.
func (l *Local) missed(*queue) {}

func (l *Local) signalReady() {
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// sendable tells whether a client may send m.
func sendable(m envelope.Message) error {
	switch m := m.(type) {
	case *envelope.Signal:
		if m.From != "" {
			return fmt.Errorf("signaling: send: %w", &envelope.FieldError{Type: "signal", Field: "from", Problem: "is filled in by the server"})
		}
	case *envelope.ShareNAT, *envelope.Bye:
	default:
		return fmt.Errorf("signaling: send: a client sends signal, nat and bye, not %T", m)
	}
	if err := envelope.Validate(m); err != nil {
		return fmt.Errorf("signaling: send: %w", err)
	}
	return nil
}
