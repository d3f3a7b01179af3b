package signaling

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats is what a Hub has and has done. Those below the line only grow.
type Stats struct {
	Rooms    int // now
	Peers    int // members of all rooms, those away included
	Away     int // members without a socket
	Sockets  int // open, joined or not
	Unjoined int // of those, without a join yet
	// ──
	Created uint64            // rooms
	Joined  uint64            // peers, ever
	Resumed uint64            // times a peer came back to its place
	Signals uint64            // passed on
	Dropped uint64            // members removed for what they did or did not do
	Refused map[string]uint64 // errors told, by their code
}

type counts struct {
	created, joined, resumed, signals, dropped atomic.Uint64

	mu   sync.Mutex
	told map[string]uint64
}

func (c *counts) tell(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[code]++
}

// Stats counts what there is at this moment.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	s := Stats{Rooms: len(h.rooms), Sockets: h.open}
	for _, waiting := range h.unjoined {
		s.Unjoined += len(waiting)
	}
	h.mu.Unlock()
	for _, r := range h.allRooms() {
		r.mu.Lock()
		s.Peers += len(r.members)
		for _, m := range r.members {
			if m.out == nil {
				s.Away++
			}
		}
		r.mu.Unlock()
	}
	c := &h.counts
	s.Created, s.Joined, s.Resumed = c.created.Load(), c.joined.Load(), c.resumed.Load()
	s.Signals, s.Dropped = c.signals.Load(), c.dropped.Load()
	c.mu.Lock()
	s.Refused = maps.Clone(c.told)
	c.mu.Unlock()
	return s
}
