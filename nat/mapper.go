package nat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	defaultLease = 20 * time.Minute
	defaultWatch = time.Minute
	maxMisses    = 3               // silences in a row after which a gateway is gone
	missPause    = 5 * time.Second // after a silence, until it is asked again
	maxTried     = 4               // gateways tried, of those that answered

	// Time for closing everything at the end: a fixed part and one for each
	// mapping. Removing one is two calls, and a slow router takes 100 ms a call.
	removeTime     = 3 * time.Second
	removeTimeEach = 250 * time.Millisecond
)

// Discoverer finds gateways, the most useful first. *Finder is one.
type Discoverer interface {
	Discover(ctx context.Context) ([]*Gateway, error)
}

var _ Discoverer = (*Finder)(nil)

// MapperConfig says what a Mapper maps and how.
type MapperConfig struct {
	// Mappings to keep open, 1 to MaxMappings, no two wanting the same port.
	Mappings []Mapping
	// Discoverer finds the router; required.
	Discoverer Discoverer
	// Enabled starts mapping with Run, without waiting for Enable.
	Enabled bool
	// Lease is how long a mapping outlives us if we are killed; renewed at
	// half. MinLease to MaxLease in whole seconds; 0 is 20 minutes.
	Lease time.Duration
	// Watch is how often the gateway is asked whether it is still there, with
	// the same address and our mappings, and how long to wait after a failure.
	// At least 1 s; 0 is a minute.
	Watch time.Duration
	// Logger may be nil.
	Logger *slog.Logger
}

func (c *MapperConfig) validate() error {
	if c.Discoverer == nil {
		return errors.New("no Discoverer")
	}
	if c.Lease == 0 {
		c.Lease = defaultLease
	}
	if c.Lease < MinLease || c.Lease > MaxLease {
		return fmt.Errorf("lease %v is not within %v to %v", c.Lease, MinLease, MaxLease)
	}
	if c.Watch == 0 {
		c.Watch = defaultWatch
	}
	if c.Watch < time.Second {
		return fmt.Errorf("watch interval %v is under 1 s", c.Watch)
	}
	return validateMappings(c.Mappings)
}

// Mapper keeps ports open in the router while it is enabled. All that it knows
// of the router belongs to the goroutine of Run; Enable, Disable and Status
// may be called from any.
type Mapper struct {
	cfg  MapperConfig
	log  *slog.Logger
	wake chan struct{} // wanted may have changed

	mu      sync.Mutex
	wanted  bool
	running bool
	stop    context.CancelFunc // ends the session under way
	status  Status
}

// NewMapper makes a Mapper, which does nothing until Run.
func NewMapper(cfg MapperConfig) (*Mapper, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("port mapping: %w", err)
	}
	cfg.Mappings = slices.Clone(cfg.Mappings)
	for i := range cfg.Mappings {
		cfg.Mappings[i].ExternalPort = cfg.Mappings[i].wanted()
	}
	m := &Mapper{cfg: cfg, log: orSilent(cfg.Logger), wake: make(chan struct{}, 1), wanted: cfg.Enabled,
		status: Status{State: StateOff}}
	for _, s := range newSlots(cfg.Mappings) {
		m.status.Mappings = append(m.status.Mappings, s.status())
	}
	return m, nil
}

// Enable asks for the mappings. It returns at once; see Status for what comes of it.
func (m *Mapper) Enable() { m.want(true) }

// Disable asks for the removal of the mappings. It returns at once.
func (m *Mapper) Disable() { m.want(false) }

func (m *Mapper) want(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = on
	if !on && m.stop != nil {
		m.stop()
	}
	select {
	case m.wake <- struct{}{}:
	default: // already told
	}
}

// Run maps whenever that is wanted, until ctx ends; then it removes what it
// made, which takes 3 s and 0.25 s for each mapping at most, and returns nil.
// A second Run at a time is ErrRunning.
func (m *Mapper) Run(ctx context.Context) error {
	m.mu.Lock()
	if m.running {
		m.mu.Unlock()
		return ErrRunning
	}
	m.running = true
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.running = false
		m.mu.Unlock()
	}()

	for ctx.Err() == nil {
		if session := m.begin(ctx); session != nil {
			m.hold(session)
			continue
		}
		select {
		case <-m.wake:
		case <-ctx.Done():
		}
	}
	return nil
}

// begin makes the context of a session, which Disable ends; nil if none is wanted.
func (m *Mapper) begin(ctx context.Context) context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.wanted {
		return nil
	}
	session, stop := context.WithCancel(ctx)
	m.stop = stop
	return session
}

// hold keeps the ports open until the session ends, then closes them.
func (m *Mapper) hold(session context.Context) {
	slots := newSlots(m.cfg.Mappings)
	for session.Err() == nil {
		wait := m.attempt(session, slots)
		pause(session, wait)
	}
	m.removeAll(context.WithoutCancel(session), slots)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop() // releases the context of a session that its parent ended
	m.stop = nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// attempt searches a gateway and stays with the first that takes any mapping
// until that is lost. It returns how long to wait before the next attempt.
func (m *Mapper) attempt(ctx context.Context, slots []*slot) time.Duration {
	m.publish(StateSearching, "", nil, slots)
	gateways, err := m.cfg.Discoverer.Discover(ctx)
	switch {
	case ctx.Err() != nil:
		return 0
	case errors.Is(err, ErrNoGateway):
		m.publish(StateNoGateway, "no router on this network answers to UPnP; it may be switched off in the router", nil, slots)
		return m.cfg.Watch
	case err != nil:
		m.publish(StateFailed, cleanTo(err.Error(), maxError), nil, slots)
		return m.cfg.Watch
	}
	for _, gw := range gateways[:min(len(gateways), maxTried)] {
		err := m.placeDue(ctx, gw, slots, everySlot)
		if ctx.Err() != nil {
			return 0
		}
		m.publishMapped(gw, slots, err)
		if slices.ContainsFunc(slots, func(s *slot) bool { return s.gw == gw }) {
			m.keep(ctx, gw, slots)
			return 0
		}
	}
	return m.cfg.Watch
}

func everySlot(*slot) bool { return true }

// placeDue makes or renews the mappings that are due. It stops at the first
// silence of the gateway, which it returns; refusals stay with their slots.
func (m *Mapper) placeDue(ctx context.Context, gw *Gateway, slots []*slot, due func(*slot) bool) error {
	var silence error
	for _, s := range slots {
		if !due(s) {
			continue
		}
		if silence != nil {
			s.renew = wallNow().Add(m.cfg.Watch)
			continue
		}
		port, before := s.external, s.gw
		err := s.place(ctx, gw, m.cfg.Lease)
		if err == nil {
			if before != gw || port != s.external {
				m.log.Info("port mapped", "protocol", s.Protocol, "internal", s.InternalPort, "external", s.external,
					"local", gw.Local, "permanent", s.permanent, "foreign", s.foreign)
			}
			continue
		}
		now := wallNow()
		s.renew = now.Add(m.cfg.Watch)
		if s.gw != nil && !s.expires.IsZero() && !now.Before(s.expires) {
			s.forget()
		}
		if !portRefused(err) && !isFault(err) {
			silence = err
		}
	}
	return silence
}

// publishMapped shows the slots as they stand with a gateway.
func (m *Mapper) publishMapped(gw *Gateway, slots []*slot, err error) {
	for _, s := range slots {
		if s.gw == gw {
			m.publish(StateMapped, "", gw, slots)
			return
		}
		if err == nil {
			err = s.err
		}
	}
	reason := err.Error()
	if !gw.External.IsValid() {
		reason += "; the router says no outside address: it is not connected, or stands behind another NAT itself"
	}
	m.publish(StateFailed, reason, gw, slots)
}

// removeAll closes what was opened, within its own time. What would stay for
// ever goes first; the rest is forgotten by the router in time.
func (m *Mapper) removeAll(ctx context.Context, slots []*slot) {
	ctx, cancel := context.WithTimeout(ctx, removeTime+time.Duration(len(slots))*removeTimeEach)
	defer cancel()
	m.publish(StateRemoving, "", nil, slots)
	inOrder := slices.Clone(slots)
	slices.SortStableFunc(inOrder, func(a, b *slot) int { return a.expires.Compare(b.expires) })
	reason := ""
	for _, s := range inOrder {
		err := s.remove(ctx)
		if err == nil {
			continue
		}
		reason = "a mapping could not be removed: " + err.Error()
		if !s.expires.IsZero() {
			reason += "; the router forgets it at " + s.expires.UTC().Format(time.RFC3339)
		}
		if !isFault(err) {
			break // it does not answer: the others would fare no better
		}
	}
	m.publish(StateOff, reason, nil, slots)
}
