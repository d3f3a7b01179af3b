package netsim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

const (
	minPort = 1024 // of what a NAT assigns
	maxPort = 65535
	// maxMappings bounds the table of a NAT, maxPeers the destinations a mapping
	// remembers for its filter; the oldest one makes room.
	maxMappings = 4096
	maxPeers    = 256
)

// Mapping is one line of a NAT's table, as it is now.
type Mapping struct {
	// Proto is "udp", "tcp" or "icmp", where a port is an echo's identifier.
	Proto string
	// Inside and External are what is translated into each other.
	Inside, External netip.AddrPort
	// Toward is the destination it is for: not valid if it is for all, with a port of
	// 0 if it is for an address.
	Toward netip.AddrPort
	// LetsIn is who may send by it, with a port of 0 for any port of that
	// address; Anybody tells that everybody may.
	LetsIn  []netip.AddrPort
	Anybody bool
	// Expires is when it will be gone if nothing refreshes it; zero for a static one.
	Expires time.Time
	Static  bool
}

// MappingChange tells of a mapping that is new, or different in LetsIn or
// External, or gone.
type MappingChange struct {
	NAT string
	Mapping
	Gone bool
	// Why it is gone: "expired", "forgotten", "new outside address", "unmapped", "no room".
	Why string
}

// mapping is a Mapping as the table has it.
type mapping struct {
	key     mapKey
	port    uint16           // outside
	peers   []netip.AddrPort // written to, oldest first
	expires time.Duration    // since the net began
	static  bool
}

// mapKey is what outbound packets find their mapping by.
type mapKey struct {
	proto  byte
	inside netip.AddrPort
	toward netip.AddrPort
}

// portKey is what inbound packets find it by.
type portKey struct {
	proto byte
	port  uint16
}

// table is the mappings of a NAT. All of it is guarded by Net.mu.
type table struct {
	nat    *NAT
	luck   *rand.Rand
	byKey  map[mapKey]*mapping
	byPort map[portKey]*mapping
	next   uint16        // sequential port
	timer  *time.Timer   // for the next sweep, nil if there is none to come
	due    time.Duration // when that is
	parts  fragments
}

func newTable(nat *NAT, luck *rand.Rand) table {
	return table{
		nat: nat, luck: luck, next: nat.cfg.FirstPort,
		byKey: make(map[mapKey]*mapping), byPort: make(map[portKey]*mapping),
	}
}

// toward is the part of a destination that a mapping or filter depends on.
func (d Dependence) toward(dst netip.AddrPort) netip.AddrPort {
	switch d {
	case AddressDependent:
		return netip.AddrPortFrom(dst.Addr(), 0)
	case AddressAndPortDependent:
		return dst
	}
	return netip.AddrPort{}
}

// outbound finds or makes the mapping of a packet from inside to dst, and
// refreshes it; nil if there is no room.
func (t *table) outbound(proto byte, inside, dst netip.AddrPort) *mapping {
	m := t.byKey[mapKey{proto: proto, inside: inside}] // static ones are for every destination
	if m == nil || !m.static {
		m = t.byKey[mapKey{proto, inside, t.nat.cfg.Mapping.toward(dst)}]
	}
	if m == nil {
		if m = t.add(mapKey{proto, inside, t.nat.cfg.Mapping.toward(dst)}); m == nil {
			return nil
		}
	}
	t.refresh(m)
	if !slices.Contains(m.peers, dst) {
		if len(m.peers) == maxPeers {
			m.peers = slices.Delete(m.peers, 0, 1)
		}
		m.peers = append(m.peers, dst)
		t.tell(m, "")
	}
	return m
}

// add makes a mapping.
func (t *table) add(k mapKey) *mapping {
	if len(t.byKey) >= maxMappings {
		t.dropOldest()
	}
	port, ok := t.assign(k)
	if !ok {
		return nil
	}
	m := &mapping{key: k, port: port}
	t.byKey[k], t.byPort[portKey{k.proto, port}] = m, m
	return m
}

// assign picks the outside port of a new mapping.
func (t *table) assign(k mapKey) (uint16, bool) {
	free := func(p uint16) bool { return t.byPort[portKey{k.proto, p}] == nil }
	from := uint16(0)
	switch t.nat.cfg.Ports {
	case Sequential:
		from = t.next
	case Random:
		from = uint16(minPort + t.luck.IntN(maxPort-minPort+1))
	default:
		from = max(k.inside.Port(), minPort)
		if k.proto == protoICMP {
			from = k.inside.Port()
		}
	}
	p := from
	for !free(p) {
		if p++; p == 0 {
			p = minPort
		}
		if p == from {
			return 0, false
		}
	}
	if t.nat.cfg.Ports == Sequential {
		if t.next = p + 1; t.next == 0 {
			t.next = minPort
		}
	}
	return p, true
}

// inbound finds the mapping of a packet from src to an outside port. why tells
// that there is none, or that it lets src not in.
func (t *table) inbound(proto byte, port uint16, src netip.AddrPort) (m *mapping, why string) {
	if m = t.byPort[portKey{proto, port}]; m == nil {
		return nil, WhyNoMapping
	}
	if m.static {
		return m, ""
	}
	by := t.nat.cfg.Filtering
	if by != EndpointIndependent && !slices.ContainsFunc(m.peers, func(p netip.AddrPort) bool { return by.toward(p) == by.toward(src) }) {
		return m, WhyFiltered
	}
	if t.nat.cfg.InboundRefresh {
		t.refresh(m)
	}
	return m, ""
}

func (t *table) refresh(m *mapping) {
	if m.static {
		return
	}
	life := t.nat.cfg.Lifetime
	switch m.key.proto {
	case protoTCP:
		life = tcpLifetime
	case protoICMP:
		life = icmpLifetime
	}
	m.expires = time.Since(t.nat.net.begin) + life
	t.sweepBy(m.expires)
}

// sweepBy sees to it that there is a sweep at that time, or earlier.
func (t *table) sweepBy(due time.Duration) {
	if t.timer != nil && t.due <= due {
		return
	}
	t.stop()
	t.due = due
	t.timer = time.AfterFunc(due-time.Since(t.nat.net.begin), t.nat.sweep)
}

// sweep removes what has expired, and comes again when the next one will have.
func (nat *NAT) sweep() {
	n := nat.net
	n.mu.Lock()
	defer n.mu.Unlock()
	t := &nat.table
	t.timer = nil
	if n.closed {
		return
	}
	now, next := time.Since(n.begin), time.Duration(0)
	for _, m := range t.byKey {
		switch {
		case m.static:
		case m.expires <= now:
			t.remove(m, "expired")
		case next == 0 || m.expires < next:
			next = m.expires
		}
	}
	if next > 0 {
		t.sweepBy(next)
	}
}

func (t *table) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

func (t *table) remove(m *mapping, why string) {
	delete(t.byKey, m.key)
	delete(t.byPort, portKey{m.key.proto, m.port})
	t.tell(m, why)
}

func (t *table) dropOldest() {
	var oldest *mapping
	for _, m := range t.byKey {
		if !m.static && (oldest == nil || m.expires < oldest.expires) {
			oldest = m
		}
	}
	if oldest != nil {
		t.remove(oldest, "no room")
	}
}

// clear forgets all mappings but the static ones.
func (t *table) clear(why string) (n int) {
	for _, m := range t.byKey {
		if !m.static {
			t.remove(m, why)
			n++
		}
	}
	return n
}

// moved tells of static mappings that have another address now.
func (t *table) moved() {
	for _, m := range t.byKey {
		t.tell(m, "")
	}
}

func (t *table) tell(m *mapping, gone string) {
	if f := t.nat.cfg.OnChange; f != nil {
		f(MappingChange{NAT: t.nat.name, Mapping: t.show(m), Gone: gone != "", Why: gone})
	}
}

func (t *table) show(m *mapping) Mapping {
	out := Mapping{
		Proto: protoName(m.key.proto), Inside: m.key.inside, External: netip.AddrPortFrom(t.nat.external, m.port),
		Toward: m.key.toward, Static: m.static,
		Anybody: m.static || t.nat.cfg.Filtering == EndpointIndependent,
	}
	switch {
	case out.Anybody:
	case t.nat.cfg.Filtering == AddressAndPortDependent:
		out.LetsIn = slices.Clone(m.peers)
	default:
		for _, p := range m.peers {
			if p = t.nat.cfg.Filtering.toward(p); !slices.Contains(out.LetsIn, p) {
				out.LetsIn = append(out.LetsIn, p)
			}
		}
	}
	if !m.static {
		out.Expires = t.nat.net.begin.Add(m.expires)
	}
	return out
}

// Mappings is the table now, by protocol and outside port.
func (nat *NAT) Mappings() []Mapping {
	nat.net.mu.Lock()
	defer nat.net.mu.Unlock()
	var all []Mapping
	for _, m := range nat.table.byKey {
		all = append(all, nat.table.show(m))
	}
	slices.SortFunc(all, func(a, b Mapping) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.External.Port(), b.External.Port()))
	})
	return all
}

// Expire forgets all mappings that packets have made, as a restart of the
// router does, and tells how many there were.
func (nat *NAT) Expire() int {
	nat.net.mu.Lock()
	defer nat.net.mu.Unlock()
	return nat.table.clear("forgotten")
}

// Forward maps an outside port of proto, "udp" or "tcp", to an address inside
// until Unforward, for anybody: what UPnP and NAT-PMP ask a router for. What that
// address sends leaves by the port, too. Errors are ErrConfig, and ErrFull if the port is taken.
func (nat *NAT) Forward(proto string, external uint16, to netip.AddrPort) error {
	number := protoNumber(proto)
	if number != protoTCP && number != protoUDP || external == 0 || to.Port() == 0 || !nat.in.prefix.Contains(to.Addr()) {
		return fmt.Errorf("%w: forwarding %s port %d to %s", ErrConfig, proto, external, to)
	}
	nat.net.mu.Lock()
	defer nat.net.mu.Unlock()
	t := &nat.table
	if old := t.byPort[portKey{number, external}]; old != nil {
		if old.static && old.key.inside != to {
			return fmt.Errorf("%w: %s port %d is forwarded to %s", ErrFull, proto, external, old.key.inside)
		}
		t.remove(old, "unmapped")
	}
	key := mapKey{proto: number, inside: to}
	if old := t.byKey[key]; old != nil {
		t.remove(old, "unmapped")
	}
	m := &mapping{key: key, port: external, static: true}
	t.byKey[key], t.byPort[portKey{number, external}] = m, m
	t.tell(m, "")
	return nil
}

// Unforward ends what Forward began and tells whether there was anything.
func (nat *NAT) Unforward(proto string, external uint16) bool {
	nat.net.mu.Lock()
	defer nat.net.mu.Unlock()
	m := nat.table.byPort[portKey{protoNumber(proto), external}]
	if m == nil || !m.static {
		return false
	}
	nat.table.remove(m, "unmapped")
	return true
}

func protoName(p byte) string {
	switch p {
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	}
	return "icmp"
}

func protoNumber(name string) byte {
	switch name {
	case "tcp":
		return protoTCP
	case "udp":
		return protoUDP
	}
	return 0
}
