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

// line is the emulated network of a variant that has one of its own choice.
type line struct {
	netsim.Link
	tap func(netsim.Packet)
}

// VariantOnLink is Variant on an emulated network whichever one the run is on,
// with the impairments of link and not those of the parameters. It is for a
// lab that sets the two networks side by side, whose Info says Emulates. The
// tap, if not nil, sees each packet as netsim.Config.Tap does. A variant that
// is there already stays what it is.
func (r *Run) VariantOnLink(name string, link netsim.Link, tap func(netsim.Packet)) *Run {
	r.smu.Lock()
	defer r.smu.Unlock()
	v := r.variants[name]
	if v == nil {
		v = &Run{shared: r.shared, variant: name, line: &line{link, tap}, hosts: map[string]*Host{}}
		r.variants[name] = v
	}
	return v
}

// joinLocked puts h on the emulated network of r, which is made for its first
// host.
func (r *Run) joinLocked(h *Host) error {
	if r.net == nil {
		link := r.settings.Link()
		if r.line != nil {
			link = r.line.Link
		}
		n, err := netsim.New(netsim.Config{
			Link: link, Tap: r.packet,
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
	if r.line != nil && r.line.tap != nil {
		r.line.tap(p)
	}
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
