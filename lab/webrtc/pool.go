package webrtc

import (
	"context"

	pion "github.com/pion/webrtc/v3"

	"peerlab/lab"
)

// chunkSize of the messages of pool, in bytes: each is one packet.
const chunkSize = 1000

// pool moves the same messages as fast as it goes: over one channel, over several
// of one connection, and over several connections.
func (p Params) pool(ctx context.Context, r *lab.Run) error {
	var loads []*load
	defer func() { closeLoads(loads) }()
	for i, k := range []struct {
		name                  string
		connections, channels int
	}{{"one-channel", 1, 1}, {"channels", 1, p.Pool}, {"connections", p.Pool, 1}} {
		l, err := newLoad(r, k.name, i, k.connections, k.channels, pion.DataChannelInit{})
		loads = append(loads, l)
		if err != nil {
			return err
		}
	}
	return p.compare(ctx, r, loads, p.spread, func(l *load, s summary) {
		l.facts(s)
		if l.late {
			l.r.Verdict(lab.Warn, "The run is nearly over: %d of %d messages were sent by now, and %d of these have come.", s.sent, p.Count, s.got)
			return
		}
		l.r.Fact("time for all", round(s.took), "ms")
		rate := float64(s.got*chunkSize) / s.took.Seconds() / 1000
		l.r.Fact("throughput", round1(rate), "kB/s")
		tone := lab.Good
		if s.held > s.got/10 {
			tone = lab.Warn
		}
		l.r.Verdict(tone, "%d kB in %.2f s. %d of %d messages had arrived and waited for an earlier one of their channel, up to %g ms.",
			s.got*chunkSize/1000, s.took.Seconds(), s.held, s.got, round(s.heldMost))
	})
}

// region spread

// spread gives each channel a message in turn.
func (p Params) spread(ctx context.Context, l *load) error {
	for i := range p.Count {
		if err := l.send(ctx, i%len(l.channels), chunkSize); err != nil {
			return err
		}
	}
	return nil
}

// endregion
