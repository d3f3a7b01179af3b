package nat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/pion/stun"
)

const (
	// MaxLifetime is the longest that MeasureLifetime waits for a mapping to end.
	MaxLifetime = 10 * time.Minute
	// DefaultLifetimeMax is what it waits at most unless it is told otherwise.
	DefaultLifetimeMax = 2 * time.Minute
	// lifetimeSockets wait at the same time, each for longer than the one before.
	lifetimeSockets = 8
)

// Errors of MeasureLifetime.
var (
	// ErrNoResponsePort says that a server does not answer to another port than the
	// one that asks.
	ErrNoResponsePort = errors.New("the server does not support RESPONSE-PORT")
	// ErrUnheard says that a server's answer to another port is not heard even
	// through a mapping that was just made.
	ErrUnheard = errors.New("an answer to another port is not heard, even through a new mapping")
)

// LifetimeConfig says how MeasureLifetime goes about it.
type LifetimeConfig struct {
	// Open opens a socket on the host that is looked at; nine are used. Required.
	Open Opener
	// Server answers with RESPONSE-PORT (RFC 5780 section 7.5).
	Server netip.AddrPort
	// Max is the longest to wait, up to MaxLifetime; Precision is how near is near enough.
	// Defaults: 2 min, 1 s.
	Max, Precision time.Duration
	// Progress, if not nil, hears of every wait when it is over.
	Progress func(Wait)
}

// Lifetime is between what a mapping was seen to survive and what it was not.
type Lifetime struct {
	AtLeast time.Duration `json:"at_least_ns"`
	Below   time.Duration `json:"below_ns,omitempty"` // 0: it survived the longest wait
}

// Wait is one wait that is over, and what is known since.
type Wait struct {
	Round  int
	Waited time.Duration
	Alive  bool
	Lifetime
}

// MeasureLifetime finds out how long a mapping lives on which nothing is sent (RFC
// 5780 section 4.6). One socket after the other makes a mapping and keeps silent; after its
// wait another socket has the server answer to that mapping. In each round eight
// wait at a time, for times that divide what is not known yet, and the first that hears
// nothing ends the round. A round lasts as long as the mapping lives or Max, and a
// factor of nine is gained by each.
//
// If ctx ends before, what is known so far comes with its error. Other errors are
// ErrNoResponsePort, ErrUnheard, ErrNoSTUNAnswer, and of opening sockets.
func MeasureLifetime(ctx context.Context, cfg LifetimeConfig) (Lifetime, error) {
	if cfg.Max <= 0 {
		cfg.Max = DefaultLifetimeMax
	}
	cfg.Max = min(cfg.Max, MaxLifetime)
	if cfg.Precision <= 0 {
		cfg.Precision = time.Second
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Wait) {}
	}
	m := &lifetimes{cfg: cfg, pace: pace{firstInterval, true}}
	defer m.close()
	for range lifetimeSockets + 1 {
		s, err := openSocket(cfg.Open)
		if err != nil {
			return Lifetime{}, err
		}
		m.sockets = append(m.sockets, s)
	}
	err := m.run(ctx)
	return m.known, err
}

// lifetimes is a measurement under way. The last of its sockets asks for the
// others.
type lifetimes struct {
	cfg     LifetimeConfig
	sockets []*socket
	pace    pace
	round   int
	known   Lifetime
}

func (m *lifetimes) close() {
	for _, s := range m.sockets {
		s.close()
	}
}

func (m *lifetimes) run(ctx context.Context) error {
	// Without a wait it has to work, or silence would mean nothing later.
	mapped, _, err := m.refresh(ctx, m.sockets[0])
	if err != nil {
		return err
	}
	switch alive, err := m.alive(ctx, m.sockets[0], mapped); {
	case err != nil:
		return err
	case !alive:
		return ErrUnheard
	}
	if err := m.waitFor(ctx, doubling(m.cfg.Max)); err != nil {
		return err
	}
	for m.known.Below > 0 && m.known.Below-m.known.AtLeast > m.cfg.Precision {
		if err := m.waitFor(ctx, dividing(m.known)); err != nil {
			return err
		}
	}
	return nil
}

// doubling are the waits of the first round, when all is possible.
func doubling(most time.Duration) (waits []time.Duration) {
	for i := range lifetimeSockets {
		waits = append(waits, most>>(lifetimeSockets-1-i))
	}
	return waits
}

// dividing are the waits that divide what is not known into equal parts.
func dividing(l Lifetime) (waits []time.Duration) {
	for i := range lifetimeSockets {
		waits = append(waits, l.AtLeast+(l.Below-l.AtLeast)*time.Duration(i+1)/(lifetimeSockets+1))
	}
	return waits
}

// waitFor is one round. All its sockets begin at once; what is known grows with
// each that is heard, and the first that is not ends the round.
func (m *lifetimes) waitFor(ctx context.Context, waits []time.Duration) error {
	m.round++
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		alive bool
		err   error
	}
	results := make([]chan result, len(waits))
	defer func() { // none is left behind: their sockets are used again
		cancel()
		for _, r := range results {
			<-r
		}
	}()
	for i, wait := range waits {
		results[i] = make(chan result, 2)
		go func() {
			alive, err := m.survives(ctx, m.sockets[i], wait)
			results[i] <- result{alive, err}
			close(results[i])
		}()
	}
	for i, wait := range waits {
		r := <-results[i]
		if r.err != nil {
			return r.err
		}
		if r.alive {
			m.known.AtLeast = wait
		} else {
			m.known.Below = wait
		}
		m.cfg.Progress(Wait{Round: m.round, Waited: wait, Alive: r.alive, Lifetime: m.known})
		if !r.alive {
			return nil
		}
	}
	return nil
}

// survives tells whether a mapping lives on after a silence.
func (m *lifetimes) survives(ctx context.Context, s *socket, wait time.Duration) (bool, error) {
	mapped, since, err := m.refresh(ctx, s)
	if err != nil {
		return false, err
	}
	t := time.NewTimer(time.Until(since.Add(wait)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return m.alive(ctx, s, mapped)
}

// refresh makes the mapping of a socket, or makes it young again. It tells where the
// server sees it, and since when nothing was sent.
func (m *lifetimes) refresh(ctx context.Context, s *socket) (mapped netip.AddrPort, since time.Time, err error) {
	t, err := question{name: "mapping", from: s, to: m.cfg.Server, answerer: m.cfg.Server, pace: m.pace}.put(ctx)
	if err != nil {
		return netip.AddrPort{}, time.Time{}, err
	}
	if !t.Answered() {
		return netip.AddrPort{}, time.Time{}, fmt.Errorf("%w: %s", ErrNoSTUNAnswer, t.Error)
	}
	if m.pace.doubling { // the first one: no other is under way
		m.pace = pace{interval: max(minInterval, t.Took+t.Took/4)}
	}
	return t.Mapped, t.last, nil
}

// alive has the server answer to a mapping, asked by another socket, and tells
// whether that is heard.
func (m *lifetimes) alive(ctx context.Context, s *socket, mapped netip.AddrPort) (bool, error) {
	asker := m.sockets[len(m.sockets)-1]
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest, responsePort(mapped.Port()))
	if err != nil {
		return false, fmt.Errorf("build a Binding request: %w", err)
	}
	var refusal *stunRefusal
	_, err = exchange(ctx, asker, []*socket{s, asker}, m.cfg.Server, request, m.pace, func(d datagram) bool {
		if d.from != m.cfg.Server {
			return false
		}
		_, err := readBinding(d.raw, request.TransactionID)
		return errors.As(err, &refusal) || err == nil && d.at == s
	})
	switch {
	case refusal != nil && refusal.code == int(stun.CodeUnknownAttribute):
		return false, ErrNoResponsePort
	case refusal != nil:
		return false, fmt.Errorf("the server would not answer to another port: %w", refusal)
	case errors.Is(err, errSilence):
		return false, nil
	}
	return err == nil, err
}
