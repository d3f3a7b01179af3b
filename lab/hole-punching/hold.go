package holepunching

import (
	"context"
	"slices"
	"time"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

// holder holds a hole open, or does not.
type holder struct {
	stage *stage
	a, b  outcome
	kept  int // keepalives sent
}

// hold keeps the holes alive if asked to, does what the buttons say, and has A
// say something at the end of the stay. It returns when the odds are measured, too.
func hold(ctx context.Context, p Params, r *lab.Run, shown []*stage, measured <-chan struct{}) error {
	var open []*holder
	for _, s := range shown {
		if s.holder != nil {
			open = append(open, s.holder)
		}
	}
	alive := make(<-chan time.Time) // never
	if p.Keepalive > 0 {
		tick := time.NewTicker(p.Keepalive)
		defer tick.Stop()
		alive = tick.C
	}
	stay := p.Stay
	if len(open) == 0 {
		stay = 0
	}
	over := time.NewTimer(stay)
	defer over.Stop()
	for staying := true; staying || measured != nil; {
		select {
		case <-alive:
			for _, h := range open {
				h.keepAlive()
			}
		case action := <-r.Actions():
			if err := act(ctx, action, r, open); err != nil {
				return err
			}
		case <-over.C:
			staying = false
			for _, h := range open {
				if err := h.facts(ctx); err != nil {
					return err
				}
			}
		case <-measured:
			measured = nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// act does what a button says to every hole that was opened.
func act(ctx context.Context, action string, r *lab.Run, open []*holder) error {
	if len(open) == 0 {
		r.Note("No hole was opened.")
	}
	for _, h := range open {
		if action == "expire" {
			h.expire()
		} else if _, err := h.say(ctx); err != nil {
			return err
		}
	}
	return nil
}

// region hold

// keepAlive refreshes the mappings of both NATs: only what goes out does that.
func (h *holder) keepAlive() {
	send(h.a.path.at, h.a.path.to, "alive")
	send(h.b.path.at, h.b.path.to, "alive")
	h.kept += 2
}

// endregion

func (h *holder) expire() {
	for _, one := range []*side{h.stage.a, h.stage.b} {
		if one.nat != nil {
			h.stage.run.Note("nat-%s forgets %d mappings.", one.name, one.nat.Expire())
		}
	}
}

// say sends something from A to B and tells whether it arrives.
func (h *holder) say(ctx context.Context) (heard bool, err error) {
	const text = "still there?"
	run := h.stage.run
	wait, cancel := context.WithTimeout(ctx, h.stage.timing().wait)
	defer cancel()
	for len(h.b.peer.mail) > 0 { // what came meanwhile
		<-h.b.peer.mail
	}
	end := run.Begin(trace.App, "a", "say something")
	send(h.a.path.at, h.a.path.to, text)
	for {
		select {
		case l := <-h.b.peer.mail:
			if l.text == text {
				end("b has heard it")
				return true, nil
			}
		case <-wait.Done():
			end("b has not heard it")
			return false, ctx.Err()
		}
	}
}

// stands tells whether the NATs have the mappings still that the hole is made of.
func (h *holder) stands() bool {
	for _, end := range []struct {
		side *side
		path path
	}{{h.stage.a, h.a.path}, {h.stage.b, h.b.path}} {
		if end.side.nat == nil {
			continue
		}
		from, to := end.path.at.LocalAddr().String(), end.path.to.String()
		if !slices.ContainsFunc(end.side.nat.Mappings(), func(m netsim.Mapping) bool {
			return m.Inside.String() == from && (!m.Toward.IsValid() || m.Toward.String() == to)
		}) {
			return false
		}
	}
	return true
}

// facts tell whether the hole is still open at the end.
func (h *holder) facts(ctx context.Context) error {
	stands := h.stands()
	heard, err := h.say(ctx)
	if err != nil {
		return err
	}
	run, p := h.stage.run, h.stage.p
	run.Fact("keepalives sent", float64(h.kept), "packets")
	run.Fact("open at the end", truth(heard), "of 1")
	switch {
	case heard:
	case stands:
		run.Note("%s: b has not heard the last one, though nobody has forgotten the hole: it was lost on the way, or late.", h.stage.name())
	default:
		run.Note("%s: the hole is closed. After %s without a packet from inside a NAT forgets, and nobody tells the two.", h.stage.name(), p.Lifetime)
	}
	return nil
}
