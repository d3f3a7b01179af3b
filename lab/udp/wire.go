package udp

import (
	"sync"

	"peerlab/lab"
	"peerlab/netsim"
)

// wire counts what the packets of one variant's link come to. On the loopback
// there are none to be seen.
type wire struct {
	mu    sync.Mutex
	lines map[line]*count
}

// line is a direction between two hosts.
type line struct{ from, to string }

type count struct{ packets, lost, copies, overtook, bytes, refusals int }

// variant is one of the two programs, on a network of its own: the loopback, or
// a link that also duplicates and reorders.
func variant(r *lab.Run, p Params, name string) (*lab.Run, *wire) {
	w := &wire{lines: map[line]*count{}}
	if r.Network() == lab.Loopback {
		return r.Variant(name), w
	}
	link := r.Settings().Link()
	link.Reorder, link.Duplicate = p.Reorder, p.Duplicate/100
	return r.VariantOnLink(name, lab.Emulation{Link: link, MTU: p.MTU, Tap: w.packet}), w
}

// packet is called for each packet, delivered or not.
func (w *wire) packet(p netsim.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.ofLocked(line{p.From, p.To})
	switch {
	case p.Kind == netsim.ICMP:
		c.refusals++
		return
	case p.Lost:
		c.lost++
	case p.Note == "duplicate":
		c.copies++
	case p.Note == "overtakes":
		c.overtook++
	}
	c.packets++
	c.bytes += len(p.Data)
}

func (w *wire) ofLocked(l line) *count {
	if w.lines[l] == nil {
		w.lines[l] = &count{}
	}
	return w.lines[l]
}

// of is what went from one host to another so far.
func (w *wire) of(from, to string) count {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.ofLocked(line{from, to})
}

// since is what was added to an earlier count.
func (c count) since(before count) count {
	return count{
		packets: c.packets - before.packets, lost: c.lost - before.lost, copies: c.copies - before.copies,
		overtook: c.overtook - before.overtook, bytes: c.bytes - before.bytes, refusals: c.refusals - before.refusals,
	}
}
