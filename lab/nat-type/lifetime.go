package nattype

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"peerlab/nat"
	"peerlab/trace"
)

// region lifetime

// lifetime measures how long a mapping lives, if that was asked for, until it is
// known or somebody has waited enough.
func (s *session) lifetime(ctx context.Context, of subject, server netip.AddrPort, found nat.Discovery) error {
	if s.p.Lifetime == 0 || !found.Behavior.Translated {
		return nil
	}
	end := of.run.Begin(trace.ICE, client, "lifetime of a mapping")
	got, err := nat.MeasureLifetime(ctx, nat.LifetimeConfig{
		Open: of.open, Server: server, Max: s.p.Lifetime, Precision: max(200*time.Millisecond, s.p.Lifetime/100),
		Progress: func(w nat.Wait) {
			of.run.Sample(trace.ICE, client, "alive after", w.AtLeast.Seconds(), "s")
			if w.Below > 0 {
				of.run.Sample(trace.ICE, client, "gone after", w.Below.Seconds(), "s")
			}
			of.run.State(trace.ICE, client, "found: lifetime", between(w.Lifetime))
		},
	})
	end(between(got))
	// endregion
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		of.run.Note("The lifetime was not waited for to the end. Known so far: %s.", between(got))
	case err != nil: // it is about the server, or the network: a result
		of.run.Note("The lifetime can't be measured here: %s.", err)
		return nil
	default:
		of.run.Note("A mapping lives %s without packets.", between(got))
	}
	of.run.Fact("a mapping lives at least", got.AtLeast.Seconds(), "s")
	if got.Below > 0 {
		of.run.Fact("and not as long as", got.Below.Seconds(), "s")
	}
	return nil
}

// between says what is known of a lifetime.
func between(l nat.Lifetime) string {
	if l.Below == 0 {
		return fmt.Sprintf("%.1f s or longer", l.AtLeast.Seconds())
	}
	return fmt.Sprintf("%.1f s to %.1f s", l.AtLeast.Seconds(), l.Below.Seconds())
}
