package netsim

import (
	"container/list"
	"net/netip"
)

// maxFlows bounds how many flows are remembered; the one unused for longest is
// forgotten first, and counts as a new one if it comes back.
const maxFlows = 4096

// flowKey is a conversation, the lower end first.
type flowKey struct {
	proto byte
	a, b  netip.AddrPort
}

// pairKey is the names at the two ends of a line, in their order, and a
// protocol, within which flows are numbered. Addresses would not do: that of a
// NAT can change.
type pairKey struct {
	proto byte
	a, b  string
}

// flow is one conversation: its number, its draws, what TCP did so far, and
// what the decoder remembers of UDP.
// Index 0 is the direction from the lower end.
type flow struct {
	key    flowKey
	number int
	draws  [2]draws
	tcp    [2]half
	said   dialogue
}

// flows are those of a net. The zero value is ready.
type flows struct {
	byKey  map[flowKey]*list.Element
	recent list.List // of *flow, the one used last in front
	count  map[pairKey]int
}

// of finds or begins the flow of s, and which direction of it s goes. A flow
// without ports is all that the hosts say to each other in that protocol.
func (f *flows) of(s *segment, from, to string) (*flow, int) {
	key, dir := flowKey{s.proto, s.src, s.dst}, 0
	if s.src.Compare(s.dst) > 0 {
		key.a, key.b, dir = s.dst, s.src, 1
	}
	if e := f.byKey[key]; e != nil {
		f.recent.MoveToFront(e)
		return e.Value.(*flow), dir
	}
	if f.byKey == nil {
		f.byKey, f.count = make(map[flowKey]*list.Element), make(map[pairKey]int)
	}
	if len(f.byKey) >= maxFlows {
		old := f.recent.Remove(f.recent.Back()).(*flow)
		delete(f.byKey, old.key)
	}
	pair := pairKey{s.proto, min(from, to), max(from, to)}
	f.count[pair]++
	n := f.count[pair]
	made := &flow{key: key, number: n}
	made.draws[dir] = draws{from: from, to: to, proto: s.proto, flow: n}
	made.draws[1-dir] = draws{from: to, to: from, proto: s.proto, flow: n}
	f.byKey[key] = f.recent.PushFront(made)
	return made, dir
}

// before compares sequence numbers as RFC 9293 section 3.4 does.
func before(a, b uint32) bool { return int32(a-b) < 0 }
