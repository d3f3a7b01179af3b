package turnsrv

import (
	"maps"
	"sync"
	"sync/atomic"
)

// tally counts events by reason. It is for what goes wrong, not for packets.
type tally struct {
	mu sync.Mutex
	by map[string]uint64
}

func (t *tally) add(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = make(map[string]uint64)
	}
	t.by[reason]++
}

func (t *tally) snapshot() map[string]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		return map[string]uint64{}
	}
	return maps.Clone(t.by)
}

// Traffic is what was relayed one way: datagrams, and the bytes in them without
// any TURN, UDP or IP header.
type Traffic struct{ Packets, Bytes uint64 }

func (t Traffic) plus(u Traffic) Traffic {
	return Traffic{t.Packets + u.Packets, t.Bytes + u.Bytes}
}

// meter counts traffic. Each allocation has its own pair: cores that relay for
// different clients then don't fight over one cache line.
type meter struct{ packets, bytes atomic.Uint64 }

func (m *meter) add(bytes int) {
	m.packets.Add(1)
	m.bytes.Add(uint64(bytes))
}

func (m *meter) read() Traffic { return Traffic{m.packets.Load(), m.bytes.Load()} }
