package igdsim

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	maxEntries   = 64
	maxText      = 80   // bytes kept of a description
	firstDynamic = 1024 // of the ports tried when the one wanted is taken
)

// Entry is a line of the table.
type Entry struct {
	Proto    string // "tcp" or "udp"
	External uint16
	To       netip.AddrPort
	Text     string        // what the client calls it
	By       string        // "UPnP" or "NAT-PMP"
	Lease    time.Duration // as granted; 0: without an end
	Expires  time.Time     // zero: never
}

// left is what remains of the lease in whole seconds, at least 1; 0: without an end.
func (e Entry) left(now time.Time) uint32 {
	if e.Expires.IsZero() {
		return 0
	}
	return uint32(max((e.Expires.Sub(now)+time.Second-1)/time.Second, 1))
}

// Change tells of a line that is new or renewed, or gone.
type Change struct {
	Entry
	Renewed bool
	Gone    bool
	// Why it is gone: "removed", "lease over" or "router restarted".
	Why string
}

// What a table refuses.
var (
	errTaken  = errors.New("the outside port goes to somebody else")
	errFull   = errors.New("the table is full")
	errNobody = errors.New("no such mapping")
	errOthers = errors.New("the mapping is somebody else's")
)

type key struct {
	proto    string
	external uint16
}

// table is the mappings that clients have asked for, and keeps the NAT in step.
type table struct {
	nat    Forwarder
	change func(Change)
	wake   chan struct{} // the earliest end may be another

	mu     sync.Mutex
	began  time.Time
	byPort map[key]Entry
}

func newTable(cfg Config) *table {
	t := &table{nat: cfg.NAT, change: cfg.OnChange, wake: make(chan struct{}, 1), began: time.Now(), byPort: map[key]Entry{}}
	if t.change == nil {
		t.change = func(Change) {}
	}
	return t
}

// add makes or renews a mapping.
func (t *table) add(e Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.addLocked(e)
}

func (t *table) addLocked(e Entry) error {
	k := key{e.Proto, e.External}
	old, there := t.byPort[k]
	switch {
	case there && old.To != e.To:
		return errTaken
	case !there && len(t.byPort) >= maxEntries:
		return errFull
	}
	if other, ok := t.ofInside(e.Proto, e.To); ok && other.External != e.External {
		return errTaken
	}
	if err := t.nat.Forward(e.Proto, e.External, e.To); err != nil {
		return err
	}
	if e.Lease > 0 {
		e.Expires = time.Now().Add(e.Lease)
	}
	e.Text = e.Text[:min(len(e.Text), maxText)]
	t.byPort[k] = e
	t.change(Change{Entry: e, Renewed: there})
	t.stir()
	return nil
}

// ofInside finds the mapping to an address and port inside.
func (t *table) ofInside(proto string, to netip.AddrPort) (Entry, bool) {
	for _, e := range t.byPort {
		if e.Proto == proto && e.To == to {
			return e, true
		}
	}
	return Entry{}, false
}

// addAny is add at the port wanted, or at the next one that is free; one that
// the client has for this port inside is kept (RFC 6886 section 3.3).
func (t *table) addAny(e Entry) (Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.ofInside(e.Proto, e.To); ok {
		e.External = old.External
		return e, t.addLocked(e)
	}
	for range maxEntries + 1 {
		err := t.addLocked(e)
		if !errors.Is(err, errTaken) {
			return e, err
		}
		if e.External++; e.External < firstDynamic {
			e.External = firstDynamic
		}
	}
	return e, errFull
}

// remove takes out a client's mapping.
func (t *table) remove(proto string, external uint16, client netip.Addr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.byPort[key{proto, external}]
	switch {
	case !ok:
		return errNobody
	case e.To.Addr() != client:
		return errOthers
	}
	t.drop(e, "removed")
	return nil
}

// removeInside takes out a client's mapping of a port inside, 0: all of them.
func (t *table) removeInside(proto string, client netip.Addr, port uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.byPort {
		if e.Proto == proto && e.To.Addr() == client && (port == 0 || e.To.Port() == port) {
			t.drop(e, "removed")
		}
	}
}

func (t *table) drop(e Entry, why string) {
	delete(t.byPort, key{e.Proto, e.External})
	t.nat.Unforward(e.Proto, e.External)
	t.change(Change{Entry: e, Gone: true, Why: why})
}

func (t *table) find(proto string, external uint16) (Entry, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.byPort[key{proto, external}]
	return e, ok
}

func (t *table) all() []Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Entry, 0, len(t.byPort))
	for _, e := range t.byPort {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.External, b.External))
	})
	return list
}

// age is the time since the table began, in seconds.
func (t *table) age() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return uint32(time.Since(t.began) / time.Second)
}

func (t *table) restart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = time.Now()
	for _, e := range t.byPort {
		t.drop(e, "router restarted")
	}
}

func (t *table) stir() {
	select {
	case t.wake <- struct{}{}:
	default: // it is awake already
	}
}

// expire takes out what has come to its end, until ctx ends.
func (t *table) expire(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		case <-timer.C:
		}
		if next, any := t.sweep(time.Now()); any {
			timer.Reset(time.Until(next))
		}
	}
}

// sweep takes out what is over by now, and tells when to come again.
func (t *table) sweep(now time.Time) (next time.Time, any bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.byPort {
		switch {
		case e.Expires.IsZero():
		case !now.Before(e.Expires):
			t.drop(e, "lease over")
		case !any || e.Expires.Before(next):
			next, any = e.Expires, true
		}
	}
	return next, any
}
