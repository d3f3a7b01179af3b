package portmapping

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"peerlab/trace"
)

// region hold

// hold keeps a mapping for the stay: it renews it at half its lease, and makes
// it anew when the router has lost it. The naive program does nothing.
func (h *home) hold(ctx context.Context, g grant) (grant, error) {
	over, look := time.NewTimer(h.p.Stay), time.NewTicker(h.p.Pace)
	defer over.Stop()
	defer look.Stop()
	renew := time.NewTimer(g.half())
	defer renew.Stop()
	for {
		due := false
		select {
		case <-ctx.Done():
			return g, ctx.Err()
		case <-h.killed:
			return g, nil
		case <-over.C:
			return g, nil
		case <-renew.C:
			due = true
		case <-look.C:
		}
		if h.way == naive {
			continue
		}
		stands, err := h.look(ctx)
		if err != nil || stands && !due {
			continue // no answer: it is asked again
		}
		if !stands {
			h.run.Note("The router does not have the mapping any more; it is made anew.")
			h.result.lost++
		}
		if again, err := h.opener.open(ctx, h.p.Lease); err == nil {
			g = again
			h.result.renewals++
			renew.Reset(g.half())
		}
	}
}

// endregion

// look asks whether the mapping stands, and records what is left of its lease.
func (h *home) look(ctx context.Context) (bool, error) {
	stands, left, err := h.opener.stands(ctx)
	if err != nil {
		return false, err
	}
	if left > 0 || !stands {
		h.run.Sample(trace.App, laptop, "left of the lease", left.Seconds(), "s")
	}
	return stands, nil
}

// keepTrying tries from outside at every pace, until ctx ends.
func (h *home) keepTrying(ctx context.Context, to netip.AddrPort) {
	tick := time.NewTicker(h.p.Pace)
	defer tick.Stop()
	for {
		heard := h.reach(ctx, to)
		if ctx.Err() != nil {
			return
		}
		h.reachable(heard != "")
		h.result.tries++
		if heard != "" {
			h.result.through++
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *home) reachable(yes bool) {
	h.run.Sample(trace.App, outside, "reachable from outside", truth(yes), "of 1")
}

// experiment is the life of a program that wants to be reached: before, open,
// held, after.
func (h *home) experiment(ctx context.Context) error {
	end, err := listen(h.run, h.laptop, h.p.Service, h.p.Port, "hello from the laptop")
	if err != nil {
		return err
	}
	if h.result.seen, err = h.seenAs(ctx); err != nil {
		return err
	}
	before := h.reach(ctx, h.address(uint16(h.p.Port)))
	h.reachable(before != "")
	h.result.before = before == "hello from the laptop"

	g, err := h.openPort(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		h.result.failed = err
		h.run.Note("Nothing could be mapped: %v.", err)
		return end()
	}
	to := h.address(g.external)
	h.result.while = h.reach(ctx, to) != ""
	h.reachable(h.result.while)
	if g, err = h.holdWatched(ctx, g, to); err != nil {
		return err
	}
	h.result.while = h.result.while || h.result.through > 0
	return h.leave(ctx, g, to, end)
}

// address is where the program is reached, if it is: at how the internet sees it.
func (h *home) address(port uint16) netip.AddrPort {
	if h.result.seen.IsValid() {
		return netip.AddrPortFrom(h.result.seen, port)
	}
	return netip.AddrPortFrom(h.nat.External(), port)
}

// openPort finds the router and opens the port, and measures what that takes.
func (h *home) openPort(ctx context.Context) (grant, error) {
	began := time.Now()
	h.tally.on(true)
	defer h.tally.on(false)
	done := h.run.Begin(trace.App, laptop, "find the router")
	external, err := h.opener.find(ctx)
	if err != nil {
		done("none: " + err.Error())
		return grant{}, err
	}
	done("it says it is " + external.String() + " outside")
	h.result.external = external
	lease := h.p.Lease
	if h.way == naive {
		lease = 0
	}
	done = h.run.Begin(trace.App, laptop, fmt.Sprintf("open port %d", h.p.Port))
	g, err := h.opener.open(ctx, lease)
	if err != nil {
		done("refused: " + err.Error())
		return grant{}, err
	}
	life := "for ever"
	if g.lease > 0 {
		life = "for " + g.lease.String()
	}
	done(fmt.Sprintf("port %d outside, %s", g.external, life))
	h.result.took, h.result.grant = time.Since(began), g
	return g, nil
}

// holdWatched is hold while somebody tries from outside.
func (h *home) holdWatched(ctx context.Context, g grant, to netip.AddrPort) (grant, error) {
	if h.p.Stay == 0 {
		return g, nil
	}
	watched, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	h.run.Go(func(context.Context) error {
		defer close(done)
		h.keepTrying(watched, to)
		return nil
	})
	defer func() { stop(); <-done }()
	return h.hold(ctx, g)
}
