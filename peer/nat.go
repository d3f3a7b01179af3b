package peer

import (
	"context"
	"time"

	"peerlab/signaling/envelope"
)

// natPatience bounds the measurement of our NAT.
const natPatience = 20 * time.Second

// knowNAT begins to measure our NAT, once, in a goroutine that ends with ctx. A
// room that does not know of the result what we do, is told.
func (p *Peer) knowNAT(ctx context.Context, w *envelope.Welcome) {
	if p.cfg.MeasureNAT == nil || len(w.NATServers) == 0 {
		return
	}
	p.mu.Lock()
	first, known := !p.measuring, p.nat
	p.measuring = true
	p.mu.Unlock()
	if known != (envelope.NAT{}) && known != w.Self.NAT {
		p.out.put(&envelope.ShareNAT{NAT: known})
	}
	if first {
		p.closing.Go(func() { p.measureNAT(ctx, w.NATServers) })
	}
}

func (p *Peer) measureNAT(ctx context.Context, servers []string) {
	ctx, cancel := context.WithTimeout(ctx, natPatience)
	defer cancel()
	found, err := p.cfg.MeasureNAT(ctx, servers)
	if err == nil {
		err = envelope.Validate(&envelope.ShareNAT{NAT: found})
	}
	if err != nil {
		p.log.Debug("our NAT is not known", "err", err)
		return
	}
	p.mu.Lock()
	p.nat = found
	p.mu.Unlock()
	p.out.put(&envelope.ShareNAT{NAT: found})
	p.log.Debug("our NAT", "mapping", found.Mapping, "filtering", found.Filtering)
}

// NAT is what we found out about our own NAT; zero is nothing, so far.
func (p *Peer) NAT() envelope.NAT {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nat
}

// NAT is what the remote peer has told of its own; zero is nothing, so far.
func (l *Link) NAT() envelope.NAT {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nat
}

// heardNAT keeps what a peer told of its NAT, if it did.
func (p *Peer) heardNAT(id string, nat envelope.NAT) {
	l := p.link(id)
	if l == nil || nat == (envelope.NAT{}) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nat = nat
}
