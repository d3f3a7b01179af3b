package nat

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// The calls below are one each, for who wants to see what a gateway does. To
// keep ports open there is the Mapper.

// Condition is what a router says of itself at one moment.
type Condition struct {
	// External is the address it has outside; zero if it says none.
	External netip.Addr
	// Uptime is how long it has been there, or its connection; it falls when
	// the router restarts. 0 if it does not say.
	Uptime time.Duration
}

// Condition asks for it. The error wraps a *Fault if the gateway refuses.
func (g *Gateway) Condition(ctx context.Context) (Condition, error) {
	now, err := g.ask(ctx)
	return Condition{External: now.external, Uptime: time.Duration(now.uptime) * time.Second}, err
}

// Map asks for a mapping of the external port wanted to our address, for a
// lease in whole seconds. 0 asks for one without an end, which a gateway of
// version 2 cuts to a week. A mapping of ours at that port is renewed. Errors
// wrap a *Fault if the gateway refuses, and ErrInternalClient.
func (g *Gateway) Map(ctx context.Context, m Mapping, lease time.Duration) error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("map a port: %w", err)
	}
	if lease < 0 || lease > MaxLease {
		return fmt.Errorf("map a port: lease %v is not within 0 to %v", lease, MaxLease)
	}
	return g.add(ctx, m, m.wanted(), uint32((lease+time.Second-1)/time.Second))
}

// Unmap removes a mapping. One that is not there is no error.
func (g *Gateway) Unmap(ctx context.Context, protocol Protocol, external uint16) error {
	return g.remove(ctx, protocol, external)
}

// Entry is a line of a gateway's table.
type Entry struct {
	Client      string // whom it forwards to, in the gateway's words
	Port        uint16 // there
	Description string
	Lease       time.Duration // left; 0: without an end
}

// Lookup tells who has an external port: nil if nobody has. The error wraps a
// *Fault if the gateway won't say.
func (g *Gateway) Lookup(ctx context.Context, protocol Protocol, external uint16) (*Entry, error) {
	e, err := g.lookup(ctx, protocol, external)
	if e == nil || err != nil {
		return nil, err
	}
	return &Entry{
		Client: cleanText(e.client), Port: e.port, Description: cleanText(e.description),
		Lease: time.Duration(e.lease) * time.Second,
	}, nil
}
