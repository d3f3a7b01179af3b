package netsim

import (
	"bytes"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// send gives a packet of a host to the line. The view is the net's from here on.
func (n *Net) send(from *Host, view *buffer.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		view.Release()
		return
	}
	dst := parse(view.AsSlice()).dst.Addr()
	if dst.IsMulticast() {
		n.multicastLocked(from, dst, view)
		return
	}
	n.carryLocked(from, from.on.next(dst), from.on, view)
}

// multicastLocked sends a copy to every host of the same network that has
// joined the group.
func (n *Net) multicastLocked(from *Host, group netip.Addr, view *buffer.View) {
	var others []*Host
	for _, h := range from.on.groups[group] {
		if h != from {
			others = append(others, h)
		}
	}
	if len(others) == 0 {
		n.carryLocked(from, nil, from.on, view)
		return
	}
	for _, h := range others[1:] {
		n.carryLocked(from, h, from.on, view.Clone())
	}
	n.carryLocked(from, others[0], from.on, view)
}

// carryLocked takes a packet one line further, from a node of a network to
// another one, nil if nobody has the address: it decides what becomes of it,
// tells the tap, and hands it to the scheduler.
func (n *Net) carryLocked(from, to node, on *subnet, view *buffer.View) {
	data := view.AsSlice()
	s := parse(data)
	kind := s.kind()
	name, drop := s.dst.Addr().String(), WhyNoHost
	if to != nil {
		name, drop = to.label(), ""
	}
	flow, dir := n.flows.of(&s, from.label(), name)
	// The draw comes first: a packet dropped for another reason has had its own.
	loss, jitter := flow.draws[dir].next(n.link.Seed, kind)
	again, delay := flow.draws[dir].twice(n.link.Seed, kind)
	if n.dropLocked(from.label(), name, kind) && drop == "" {
		drop = WhyAction
	}
	if n.inFlight+len(data) > maxInFlight && drop == "" {
		drop = WhyFlood
	}

	now := time.Since(n.begin)
	f := fate{why: drop}
	link := n.link
	if on.perfect() {
		link = Link{}
	}
	if to != nil {
		f = n.pathLocked(from.at(), to.at()).send(now, len(data), link, drop, loss, jitter)
	}
	n.countLocked(len(data), f.why)
	if n.cfg.Tap != nil {
		n.tapLocked(from, to, name, data, &s, flow, dir, now, f, flow.observe(dir, &s, now, f))
	}
	if f.why != "" {
		view.Release()
		return
	}
	n.flyLocked(to, view, f)
	if again < link.Duplicate && n.inFlight+len(data) <= maxInFlight {
		f = n.pathLocked(from.at(), to.at()).again(f, link, delay)
		n.countLocked(len(data), "")
		if n.cfg.Tap != nil {
			v := flow.recall(dir, &s)
			v.note = noteDuplicate
			n.tapLocked(from, to, name, data, &s, flow, dir, now, f, v)
		}
		n.flyLocked(to, buffer.NewViewWithData(data), f)
	}
}

// flyLocked hands a packet to the scheduler.
func (n *Net) flyLocked(to node, view *buffer.View, f fate) {
	n.inFlight += view.Size()
	n.sched.add(&flight{due: f.arrive, n: n.stats.Sent, to: to, view: view})
}

// refuseLocked tells of a packet that reached a NAT and does not leave it.
func (n *Net) refuseLocked(at node, to string, view *buffer.View, why string) {
	data := view.AsSlice()
	n.countLocked(len(data), why)
	if n.cfg.Tap != nil {
		s := parse(data)
		flow, dir := n.flows.of(&s, at.label(), to)
		n.tapLocked(at, nil, to, data, &s, flow, dir, time.Since(n.begin), fate{why: why}, flow.recall(dir, &s))
	}
	view.Release()
}

func (n *Net) countLocked(size int, why string) {
	n.stats.Sent++
	n.stats.SentBytes += uint64(size)
	if why != "" {
		n.stats.Lost[why]++
	}
}

// tapLocked shows a packet to the tap. To is nil if it goes nowhere.
func (n *Net) tapLocked(from, to node, name string, data []byte, s *segment, flow *flow, dir int, now time.Duration, f fate, v verdict) {
	p := Packet{
		N: n.stats.Sent, At: n.begin.Add(now), From: from.label(), To: name, Src: s.src, Dst: s.dst,
		Flow: flow.number, Kind: s.kind(), Lost: f.why != "", Why: f.why, Data: bytes.Clone(data),
	}
	if from.has(s.src.Addr()) {
		p.SrcIs = p.From
	}
	if to != nil && to.has(s.dst.Addr()) {
		p.DstIs = p.To
	}
	if !p.Lost {
		p.Arrive = n.begin.Add(f.arrive)
	}
	describe(&p, s, v, flow, dir, n.cfg.Keys)
	n.cfg.Tap(p)
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
