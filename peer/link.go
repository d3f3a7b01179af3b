package peer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"peerlab/signaling/envelope"
)

// State of the connection to a remote peer.
type State string

const (
	StateNew         State = "new"
	StateConnecting  State = "connecting"
	StateConnected   State = "connected"
	StateInterrupted State = "interrupted" // no packets come, repair is on its way
	StateFailed      State = "failed"      // no path was found, it is tried again
	StateClosed      State = "closed"      // the peer has left, or we have
)

const (
	maxSignals   = 256              // waiting for a link; more are lost
	checkEvery   = time.Second      // path, pairs, age of the session
	stableAfter  = 10 * time.Second // a connection that held so long was none of a series of failures
	shortestWait = 500 * time.Millisecond
	longestWait  = 30 * time.Second
)

// Link is one remote peer, for as long as it is in the room. One goroutine
// owns its negotiation: signals, and what Pion reports, are posted to it.
type Link struct {
	peer    *Peer
	remote  envelope.Peer
	offerer bool
	log     *slog.Logger
	record  *ladder

	chat  *Chat
	files *Files
	bench *Bench
	probe *Probe

	ctx     context.Context
	stop    context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended
	signals chan *envelope.Signal
	do      chan func()
	closing sync.WaitGroup // sessions on their way out

	// Owned by the goroutine.
	session  *session
	attempts int // new sessions since the last stable connection
	since    time.Time
	repair   alarm // of a path that is disconnected
	renewal  alarm // of a session that does not come up
	soon     bool  // the renewal is decided, and only waits a little

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed at the next change of state, then replaced
	current *session      // the same as session, for other goroutines
	nat     envelope.NAT  // of the remote peer, as it says
}

func newLink(p *Peer, remote envelope.Peer) *Link {
	h := p.cfg.Handlers
	l := &Link{
		peer: p, remote: remote, offerer: p.self.Offers(remote),
		log:     p.log.With("peer", remote.Name, "id", remote.ID),
		record:  newLadder(p.cfg.Trace, p.self, remote),
		done:    make(chan struct{}),
		signals: make(chan *envelope.Signal, maxSignals), do: make(chan func()),
		state: StateNew, changed: make(chan struct{}),
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.repair.link, l.renewal.link = l, l
	l.chat = newChat(func(m ChatMessage) {
		if h.Chat != nil {
			h.Chat(l, m)
		}
	})
	var accept func(context.Context, Offer) (Sink, error)
	if h.Accept != nil {
		accept = func(ctx context.Context, o Offer) (Sink, error) { return h.Accept(ctx, l, o) }
	}
	l.files = newFiles(accept, func(t *Transfer) {
		if h.Transfer != nil {
			h.Transfer(l, t)
		}
	})
	l.bench = newBench(l.offerer)
	l.probe = newProbe(l.bench.Running)
	return l
}

// Remote is the peer at the other end.
func (l *Link) Remote() envelope.Peer { return l.remote }

// Chat is one of the things that can be done over the link, also before it is
// connected and while it is interrupted; Files, Bench and Probe are the others.
func (l *Link) Chat() *Chat   { return l.chat }
func (l *Link) Files() *Files { return l.files }
func (l *Link) Bench() *Bench { return l.bench }
func (l *Link) Probe() *Probe { return l.probe }

// State is the state now.
func (l *Link) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Connected waits until the channels are open. It fails with ErrLeft when the
// link ends before that.
func (l *Link) Connected(ctx context.Context) error {
	for {
		l.mu.Lock()
		state, changed := l.state, l.changed
		l.mu.Unlock()
		switch state {
		case StateConnected:
			return nil
		case StateClosed:
			return ErrLeft
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Usage tells the number of the session in use and the bytes that went
// through its channels, both ways. Both are zero before the first.
func (l *Link) Usage() (session int32, bytes int64) {
	if s := l.now(); s != nil {
		return s.number, s.moved.Load()
	}
	return 0, 0
}

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

func (l *Link) start() { go l.run() }

// close ends the link and waits for that.
func (l *Link) close(flush time.Duration) {
	if s := l.now(); s != nil && flush > 0 {
		s.flush(flush)
	}
	l.stop()
	<-l.done
}

func (l *Link) now() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// deliver hands the link a signal. A peer that sends more than its link can
// take loses some.
func (l *Link) deliver(s *envelope.Signal) {
	select {
	case l.signals <- s:
	default:
		l.log.Debug("signal dropped: too many at once")
	}
}

func (l *Link) run() {
	defer close(l.done)
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	if l.offerer {
		l.renew()
	} else {
		l.renewal.after(l.peer.cfg.Timing.Connect, func() { l.renewSoon("nothing was offered") })
	}
	for l.ctx.Err() == nil {
		select {
		case <-l.ctx.Done():
		case s := <-l.signals:
			l.signal(s)
		case f := <-l.do:
			f()
		case <-check.C:
			l.check()
		}
	}
	l.repair.stop()
	l.renewal.stop()
	l.replace(nil)
	l.closing.Wait()
	l.files.close()
	l.setState(StateClosed)
}

// post has f run by the goroutine of the link, unless the link has ended.
func (l *Link) post(f func()) {
	select {
	case l.do <- f:
	case <-l.ctx.Done():
	}
}

// replace makes s the session of the link and closes the one before, of which
// at most one is on its way out.
func (l *Link) replace(s *session) {
	old := l.session
	l.session = s
	l.mu.Lock()
	l.current = s
	l.mu.Unlock()
	if old != nil {
		old.cancel()
		l.closing.Wait()
		l.closing.Go(old.close)
	}
}

func (l *Link) setState(state State) {
	l.mu.Lock()
	if l.state == state {
		l.mu.Unlock()
		return
	}
	l.state = state
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	l.log.Debug("link", "state", state)
	l.record.state("link", string(state))
	if h := l.peer.cfg.Handlers.State; h != nil {
		h(l, state)
	}
}
