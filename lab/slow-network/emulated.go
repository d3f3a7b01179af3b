package slownetwork

import (
	"sync"

	"peerlab/lab"
	"peerlab/netsim"
)

// wire counts the packets of a client.
type wire struct {
	mu                    sync.Mutex
	packets, lost, resent int
}

// region emulated

// variant puts a way on its network. The emulated link has the delay, the
// jitter, the rate, the queue and the losses in its wire; what the hosts do
// about them is TCP's own business.
func variant(r *lab.Run, name string, w *wire) *lab.Run {
	switch {
	case name == emulated:
		return r.VariantOnLink(name, lab.Emulation{Link: r.Settings().Link(), Tap: w.packet})
	case r.Network() == lab.Link: // to see the packets of the other ways: a perfect wire
		return r.VariantOnLink(name, lab.Emulation{Tap: w.packet})
	}
	return r.Variant(name)
}

// packet is called for each packet, delivered or not.
func (w *wire) packet(p netsim.Packet) {
	if p.From != client && p.To != client {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets++
	if p.Lost {
		w.lost++
	}
	if p.Retransmit {
		w.resent++
	}
}

// endregion

// facts tells what was counted.
func (w *wire) facts(r *lab.Run) {
	if r.Network() != lab.Link {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Fact("packets of the client", float64(w.packets), "packets")
	r.Fact("packets lost", float64(w.lost), "packets")
	r.Fact("retransmissions", float64(w.resent), "packets")
}
