package peer

import (
	"context"
	"log/slog"
	"sync"

	"peerlab/signaling/envelope"
)

// maxOutbox bounds what waits while the signaling connection is down. A link
// whose signals are lost starts over, so what is too much may go.
const maxOutbox = 1024

// outbox lets the goroutines of the links and of Pion send signals without
// waiting for a socket, in order, through the one goroutine that runs it.
type outbox struct {
	log  *slog.Logger
	wake chan struct{}

	mu    sync.Mutex
	queue []envelope.Message
}

func newOutbox(log *slog.Logger) *outbox {
	return &outbox{log: log, wake: make(chan struct{}, 1)}
}

func (o *outbox) put(m envelope.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) >= maxOutbox {
		return
	}
	o.queue = append(o.queue, m)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// clear forgets what was meant for peers of a membership that has ended.
func (o *outbox) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = nil
}

func (o *outbox) take() []envelope.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.queue
	o.queue = nil
	return all
}

// run sends until ctx ends.
func (o *outbox) run(ctx context.Context, s Signaler) {
	for {
		select {
		case <-o.wake:
		case <-ctx.Done():
			return
		}
		for _, m := range o.take() {
			if err := s.Send(ctx, m); err != nil && ctx.Err() == nil {
				o.log.Debug("signal not sent", "err", err)
			}
		}
	}
}
