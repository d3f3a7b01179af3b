package webrtc

import (
	"context"
	"errors"
	"fmt"
	"time"

	pion "github.com/pion/webrtc/v3"

	"peerlab/lab"
)

// promise is what a channel promises.
type promise struct {
	name string
	init pion.DataChannelInit
}

// region promises

// promises are four kinds of channels. The first is what you get without asking.
func promises(lifetime time.Duration) []promise {
	no, never, ms := false, uint16(0), uint16(lifetime.Milliseconds())
	return []promise{
		{"reliable", pion.DataChannelInit{}},
		{"unordered", pion.DataChannelInit{Ordered: &no}},
		{"no-repeat", pion.DataChannelInit{Ordered: &no, MaxRetransmits: &never}},
		{"lifetime", pion.DataChannelInit{Ordered: &no, MaxPacketLifeTime: &ms}},
	}
}

// endregion

// messageSize of the messages of delivery, in bytes: a position in a game.
const messageSize = 200

// delivery sends the same messages at the same pace over each kind of channel,
// each on a network of its own with the same loss.
func (p Params) delivery(ctx context.Context, r *lab.Run) error {
	var loads []*load
	defer func() { closeLoads(loads) }()
	for i, k := range promises(p.Patient) {
		l, err := newLoad(r, k.name, i, 1, 1, k.init)
		loads = append(loads, l)
		if err != nil {
			return err
		}
		l.timed = k.init.MaxPacketLifeTime != nil
	}
	return p.compare(ctx, r, loads, func(ctx context.Context, l *load) error {
		for range p.Count {
			if err := l.send(ctx, 0, messageSize); err != nil {
				return err
			}
			if err := l.r.Sleep(ctx, p.Pace); err != nil {
				return err
			}
		}
		return nil
	}, func(l *load, s summary) {
		l.facts(s)
		l.r.Fact("overtaken", float64(s.overtaken), "messages")
		l.r.Fact("older than the lifetime", float64(s.expired), "messages")
		missing := s.sent - s.got
		switch {
		case l.late:
			l.r.Verdict(lab.Warn, "The run is nearly over: %d of %d messages were sent by now, and %d of these have come.", s.sent, p.Count, s.got)
		case missing > 0:
			l.r.Verdict(lab.Good, "%d of %d messages never came, and nobody waited for them.", missing, s.sent)
		case s.held > 0:
			l.r.Verdict(lab.Warn, "All came. %d had arrived, but were held back until an earlier one was repeated, up to %g ms.", s.held, round(s.heldMost))
		case l.timed && s.expired > 0:
			l.r.Verdict(lab.Warn, "All came, %d of them older than their lifetime: this SCTP begins it anew with each repetition.", s.expired)
		default:
			l.r.Verdict(lab.Good, "All came and none was held back. The oldest was %g ms old, and %d were overtaken.", round(s.worst), s.overtaken)
		}
	})
}

// compare opens all loads, sends on each, waits for what is to come and tells what became of it.
func (p Params) compare(ctx context.Context, r *lab.Run, loads []*load, send func(context.Context, *load) error, tell func(*load, summary)) error {
	r.Go(func(ctx context.Context) error { return attendLoads(ctx, r, loads) })
	quiet := 500*time.Millisecond + 6*r.Settings().Delay
	var opening, moving []func(context.Context) error
	for _, l := range loads {
		opening = append(opening, func(ctx context.Context) error { return l.open(ctx, p.Losing) })
		moving = append(moving, func(ctx context.Context) error {
			wait, cancel := patient(ctx, time.Hour)
			defer cancel()
			err := send(wait, l)
			if err == nil {
				err = l.settle(wait, quiet)
			}
			if l.late = errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil; err != nil && !l.late {
				return fmt.Errorf("send and wait for the messages: %w", err)
			}
			l.scene.busy()
			tell(l, l.summary(p.Patient+r.Settings().Delay))
			return nil
		})
	}
	if err := r.Together(ctx, opening...); err != nil {
		return err
	}
	r.Note("All channels are open. From now on the line loses %g %% of the packets.", p.Losing)
	return r.Together(ctx, moving...)
}

// facts tells what both comparisons measure.
func (l *load) facts(s summary) {
	l.r.Fact("delivered", float64(s.got), fmt.Sprintf("of %d messages", s.sent))
	l.r.Fact("median age", round(s.median), "ms")
	l.r.Fact("oldest", round(s.worst), "ms")
	l.r.Fact("held back by order", float64(s.held), "messages")
	l.r.Fact("held back at most", round(s.heldMost), "ms")
}

// attendLoads does what people ask for.
func attendLoads(ctx context.Context, r *lab.Run, loads []*load) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case action := <-r.Actions():
			if action != "cut" {
				r.Note("ICE restarts are for the life of a connection.")
				continue
			}
			for _, l := range loads {
				l.scene.down(time.Second)
			}
		}
	}
}

func closeLoads(loads []*load) {
	for _, l := range loads {
		if l != nil {
			l.close()
		}
	}
}
