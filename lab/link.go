package lab

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"

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

// Emulation is an emulated network that a variant has for itself.
type Emulation struct {
	netsim.Link
	// Prefix is the network of its hosts; not valid: that of the lab's Info.
	Prefix netip.Prefix
	// TCP tunes the TCP of its hosts.
	TCP netsim.TCP
	// MTU is the largest IP packet, in bytes; 0: netsim.DefaultMTU.
	MTU int
	// Tap, if not nil, sees each packet as netsim.Config.Tap does.
	Tap func(netsim.Packet)
	// Quiet keeps packets and the tables of NATs out of the record, for a lab
	// that measures on many networks at once and tells of the outcomes only.
	Quiet bool
}

// VariantOnLink is Variant on an emulated network whichever one the run is on,
// with the impairments of that and not those of the parameters. It is for a
// lab that sets networks side by side, whose Info says Emulates or which runs on the link only. A variant that
// is there already stays what it is.
func (r *Run) VariantOnLink(name string, on Emulation) *Run {
	r.smu.Lock()
	defer r.smu.Unlock()
	v := r.variants[name]
	if v == nil {
		v = &Run{shared: r.shared, variant: name, line: &on, hosts: map[string]*Host{}}
		r.variants[name] = v
	}
	return v
}

// netLocked is the emulated network of r, made when first asked for.
func (r *Run) netLocked() (*netsim.Net, error) {
	if r.net != nil {
		return r.net, nil
	}
	cfg := netsim.Config{
		Link: r.settings.Link(), Prefix: r.settings.lab.Prefix, Tap: r.packet, Keys: &r.packets.keys,
		Logger: slog.New(slog.DiscardHandler), // what there is to say is in the record
	}
	if r.line != nil {
		cfg.Link, cfg.MTU, cfg.TCP = r.line.Link, r.line.MTU, r.line.TCP
		if r.line.Prefix.IsValid() {
			cfg.Prefix = r.line.Prefix
		}
		if r.line.Quiet {
			cfg.Tap = r.line.Tap
		}
	}
	n, err := netsim.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("emulated link: %w", err)
	}
	r.net = n
	return n, nil
}

// packet records one packet and keeps its bytes. The net stands still
// meanwhile.
func (r *Run) packet(p netsim.Packet) {
	n := r.packets.add(netsim.Interface{Name: r.variant, LinkType: netsim.LinkTypeRaw}, p)
	r.Add(packetEvent(p, n))
	if r.tap != nil {
		r.tap(p, n)
	}
	if r.line != nil && r.line.Tap != nil {
		r.line.Tap(p)
	}
}

// Nobody is the lane of packets to addresses that no host has.
const Nobody = "nobody"

// packetEvent is the message that a packet is; number is its own among those kept.
func packetEvent(p netsim.Packet, number int) trace.Event {
	e := trace.Event{
		Kind: trace.Message, Layer: trace.Layer(p.Layer), From: p.From, To: p.To,
		Name: p.Summary, Text: p.Note, Lost: p.Lost, Took: p.Took(), Attrs: p.Attrs,
	}
	if p.Lost {
		e.Text = p.Why
	}
	if p.Why == netsim.WhyNoHost {
		e.To = Nobody // one lane for all such addresses; which one it was is in the attributes
	}
	return numbered(e, number)
}

// numbered says under which number the bytes of a packet are kept; none is 0.
func numbered(e trace.Event, n int) trace.Event {
	if n > 0 {
		if e.Attrs == nil {
			e.Attrs = map[string]string{}
		}
		e.Attrs[PacketAttr] = strconv.Itoa(n)
	}
	return e
}

func (r *Run) closeNet() {
	if n := r.Net(); n != nil {
		n.Close()
	}
}
