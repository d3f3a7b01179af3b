package peer

import (
	"context"
	"io"
	"sync"
)

// pipeEnd is one end of a channel in memory. Like the real one it takes
// control frames always and bulk data while little is waiting.
type pipeEnd struct {
	in, out *pipeQueue
}

const pipeRoom = 32 // messages

type pipeMessage struct {
	data []byte
	text bool
}

type pipeQueue struct {
	mu       sync.Mutex
	messages []pipeMessage
	changed  chan struct{}
	closed   bool
}

func newPipe() (a, b *pipeEnd) {
	x, y := &pipeQueue{changed: make(chan struct{})}, &pipeQueue{changed: make(chan struct{})}
	return &pipeEnd{in: x, out: y}, &pipeEnd{in: y, out: x}
}

func (q *pipeQueue) update(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
	close(q.changed)
	q.changed = make(chan struct{})
}

func (p *pipeEnd) close() {
	for _, q := range []*pipeQueue{p.in, p.out} {
		q.update(func() { q.closed = true })
	}
}

func (p *pipeEnd) Receive(buf []byte) (int, bool, error) {
	q := p.in
	for {
		q.mu.Lock()
		changed := q.changed
		switch {
		case len(q.messages) > 0: // what was sent before the end arrives
			m := q.messages[0]
			q.messages = q.messages[1:]
			q.mu.Unlock()
			q.update(func() {})
			return copy(buf, m.data), m.text, nil
		case q.closed:
			q.mu.Unlock()
			return 0, false, io.EOF
		}
		q.mu.Unlock()
		<-changed
	}
}

func (p *pipeEnd) Send(data []byte, text bool) error {
	q := p.out
	err := io.ErrClosedPipe
	q.update(func() {
		if !q.closed {
			err = nil
			q.messages = append(q.messages, pipeMessage{append([]byte(nil), data...), text})
		}
	})
	return err
}

func (p *pipeEnd) Ready(ctx context.Context) error {
	q := p.out
	for {
		q.mu.Lock()
		n, changed, closed := len(q.messages), q.changed, q.closed
		q.mu.Unlock()
		if closed {
			return io.ErrClosedPipe
		}
		if n < pipeRoom {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
