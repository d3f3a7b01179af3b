package portmapping

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"peerlab/igdsim"
	"peerlab/trace"
)

const (
	notes    = "private notes" // what the next program on the port says
	maxAfter = 20 * time.Second
	minPace  = 200 * time.Millisecond
)

// leave ends the program, and looks from outside at what the router still lets
// in. Meanwhile another program has taken the port: one that was for the home only.
func (h *home) leave(ctx context.Context, g grant, to netip.AddrPort, end func() error) error {
	if h.p.Exit == "killed" {
		h.kill()
	}
	if !h.isKilled() && h.way != naive {
		done := h.run.Begin(trace.App, laptop, "close the port")
		err := h.opener.shut(ctx)
		if h.result.closed = err == nil; h.result.closed {
			done("closed")
		} else {
			done(err.Error())
		}
	}
	ended := time.Now()
	if err := end(); err != nil {
		return err
	}
	h.run.Note("The program has ended. Another one, for the home only, takes port %d.", h.p.Port)
	endNotes, err := listen(h.run, h.laptop, h.p.Service, h.p.Port, notes)
	if err != nil {
		return err
	}
	return errors.Join(h.linger(ctx, g, to, ended), endNotes())
}

// linger tries from outside until the router has no mapping any more, or it has seen enough.
func (h *home) linger(ctx context.Context, g grant, to netip.AddrPort, ended time.Time) error {
	enough, pace := 2*h.p.Pace, h.p.Pace
	if !h.result.closed && g.lease > 0 {
		enough = min(g.lease+time.Second, maxAfter)
		pace = min(pace, max(enough/12, minPace)) // to see when it is over
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		heard := h.reach(ctx, to) == notes
		h.reachable(heard)
		if heard {
			h.result.leaked = true
			h.result.open = time.Since(ended)
		}
		if h.result.after = h.mapped(g.external); !h.result.after || time.Since(ended) > enough {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// mapped looks into the simulated router's own table: a try that is not let in
// may have been lost on the way.
func (h *home) mapped(external uint16) bool {
	to := netip.AddrPortFrom(h.laptop.Addr(), uint16(h.p.Port))
	return slices.ContainsFunc(h.router.Table(), func(e igdsim.Entry) bool {
		return e.Proto == h.p.Service && e.External == external && e.To == to
	})
}
