package turnsrv

import (
	"net/netip"
	"slices"
	"time"
)

// Stats is what the server has done since it started. All but Allocations and
// TCPConns only ever grow. The maps are the caller's.
type Stats struct {
	Allocations      int    // live now
	AllocationsTotal uint64 // ever made
	TCPConns         int    // open now

	ToPeer   Traffic // client to peer
	ToClient Traffic // peer to client

	Refused      map[string]uint64 // peers, allocations and permissions we said no to
	AuthFailures map[string]uint64
	Dropped      map[string]uint64 // packets nobody was answered for
}

// Allocation is one live allocation.
type Allocation struct {
	Transport string         // "udp" or "tcp", between client and server
	Client    netip.AddrPort // as the server sees it
	Relayed   netip.AddrPort
	PeerID    string // from the credential it was made with
	Started   time.Time
	ToPeer    Traffic
	ToClient  Traffic
}

// Stats takes a snapshot.
func (s *Server) Stats() Stats {
	st := Stats{
		AllocationsTotal: s.allocated.Load(),
		TCPConns:         s.conns.count(),
		Refused:          s.refused.snapshot(),
		AuthFailures:     s.authFailures.snapshot(),
		Dropped:          s.dropped.snapshot(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.ToPeer, st.ToClient = s.retiredToPeer, s.retiredClient
	s.eachLocked(func(r *relay) {
		st.Allocations++
		st.ToPeer = st.ToPeer.plus(r.toPeer.read())
		st.ToClient = st.ToClient.plus(r.toClient.read())
	})
	return st
}

// Allocations lists the live allocations, oldest first.
func (s *Server) Allocations() []Allocation {
	var all []Allocation
	s.mu.Lock()
	s.eachLocked(func(r *relay) {
		all = append(all, Allocation{
			Transport: r.front.wire.transport(),
			Client:    r.client,
			Relayed:   netip.AddrPortFrom(s.cfg.RelayIP, r.port),
			PeerID:    r.peerID,
			Started:   r.started,
			ToPeer:    r.toPeer.read(),
			ToClient:  r.toClient.read(),
		})
	})
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b Allocation) int { return a.Started.Compare(b.Started) })
	return all
}

// eachLocked visits the live relays.
func (s *Server) eachLocked(visit func(*relay)) {
	for _, f := range s.fronts {
		f.mu.RLock()
		for _, r := range f.relays {
			visit(r)
		}
		f.mu.RUnlock()
	}
}

// retire adds a closed relay's traffic to the totals in the same instant as
// unlist takes it out of the list, so that a snapshot has it once.
func (s *Server) retire(r *relay, unlist func()) {
	s.mu.Lock()
	unlist()
	s.retiredToPeer = s.retiredToPeer.plus(r.toPeer.read())
	s.retiredClient = s.retiredClient.plus(r.toClient.read())
	s.mu.Unlock()
	s.giveQuota(r.peerID, r.client.Addr())
	s.live.Done()
}
