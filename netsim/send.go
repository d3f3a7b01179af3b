package netsim

import (
	"bytes"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// send gives a packet to the line: it decides what becomes of it, tells the
// tap, and hands it to the scheduler. The view is the net's from here on.
func (n *Net) send(from *Host, view *buffer.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		view.Release()
		return
	}
	data := view.AsSlice()
	s := parse(data)
	to, kind := n.hostAt(s.dst.Addr()), s.kind()
	name, drop := s.dst.Addr().String(), WhyNoHost
	if to != nil {
		name, drop = to.name, ""
	}
	flow, dir := n.flows.of(&s, from.name, name)
	// The draw comes first: a packet dropped for another reason has had its own.
	loss, jitter := flow.draws[dir].next(n.link.Seed, kind)
	if n.dropLocked(from.name, name, kind) && drop == "" {
		drop = WhyAction
	}
	if n.inFlight+len(data) > maxInFlight && drop == "" {
		drop = WhyFlood
	}

	now := time.Since(n.begin)
	f := fate{why: drop}
	if to != nil {
		f = n.pathLocked(from.place, to.place).send(now, len(data), n.link, drop, loss, jitter)
	}
	n.stats.Sent++
	n.stats.SentBytes += uint64(len(data))
	if f.why != "" {
		n.stats.Lost[f.why]++
	}
	if n.cfg.Tap != nil {
		p := Packet{
			N: n.stats.Sent, At: n.begin.Add(now), From: from.name, To: name, Src: s.src, Dst: s.dst,
			Flow: flow.number, Kind: kind, Lost: f.why != "", Why: f.why, Data: bytes.Clone(data),
		}
		if !p.Lost {
			p.Arrive = n.begin.Add(f.arrive)
		}
		describe(&p, &s, flow.observe(dir, &s, now, f))
		n.cfg.Tap(p)
	}
	if f.why != "" {
		view.Release()
		return
	}
	n.inFlight += len(data)
	n.sched.add(&flight{due: f.arrive, n: n.stats.Sent, to: to.port, view: view})
}

func (n *Net) pathLocked(from, to int) *path {
	k := pathKey{from, to}
	p := n.paths[k]
	if p == nil {
		p = &path{}
		n.paths[k] = p
	}
	return p
}
