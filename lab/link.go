package lab

import (
	"fmt"

	"log/slog"

	"peerlab/netsim"
	"peerlab/trace"
)

// Link is the emulated network that the parameters ask for.
func (c Common) Link() netsim.Link {
	return netsim.Link{
		Delay: c.Delay, Jitter: c.Jitter, Loss: c.Loss / 100, Rate: int64(c.Rate) * 1000,
		Queue: c.Queue, Seed: uint64(c.Seed),
	}
}

// joinLocked puts h on the emulated network of r, which is made for its first
// host.
func (r *Run) joinLocked(h *Host) error {
	if r.net == nil {
		n, err := netsim.New(netsim.Config{
			Link: r.settings.Link(), Tap: r.packet,
			Logger: slog.New(slog.DiscardHandler), // what there is to say is in the record
		})
		if err != nil {
			return fmt.Errorf("emulated link: %w", err)
		}
		r.net = n
	}
	sim, err := r.net.Host(h.name)
	if err != nil {
		return fmt.Errorf("emulated link: %w", err)
	}
	h.sim, h.addr = sim, sim.Addr()
	return nil
}

// packet records one packet and keeps its bytes. The net stands still
// meanwhile.
func (r *Run) packet(p netsim.Packet) {
	r.packets.add(r.variant, p)
	r.Add(packetEvent(p))
}

// packetEvent is the message that a packet is.
func packetEvent(p netsim.Packet) trace.Event {
	e := trace.Event{
		Kind: trace.Message, Layer: trace.Layer(p.Layer), From: p.From, To: p.To,
		Name: p.Summary, Text: p.Note, Lost: p.Lost, Took: p.Took(), Attrs: p.Attrs,
	}
	if p.Lost {
		e.Text = p.Why
	}
	return e
}

func (r *Run) closeNet() {
	if n := r.Net(); n != nil {
		n.Close()
	}
}
