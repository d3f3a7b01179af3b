package holepunching

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// region rendezvous

// rendezvous is a server that everybody can reach. It writes down from which
// address each hello came, which is what the NAT made of it, at each of its
// two doors, and tells both peers when it knows all four.
type rendezvous struct {
	doors [2]net.PacketConn

	mu   sync.Mutex
	seen map[guest]*[2]netip.AddrPort
}

// guest is one of two in one session.
type guest struct {
	session int
	name    string
}

// attend serves one door.
func (v *rendezvous) attend(door int) error {
	buf := make([]byte, 1500)
	for {
		n, from, err := v.doors[door].ReadFrom(buf)
		if err != nil {
			return nil // closed
		}
		var who guest
		if _, err := fmt.Sscanf(string(buf[:n]), "hello %d %s", &who.session, &who.name); err != nil {
			continue
		}
		at := from.(*net.UDPAddr).AddrPort()
		for _, m := range v.note(who, door, at) {
			send(v.doors[0], net.UDPAddrFromAddrPort(m.me[0]), m.String())
		}
	}
}

// note writes down a hello, and returns what to tell if both are complete.
func (v *rendezvous) note(who guest, door int, at netip.AddrPort) []meeting {
	v.mu.Lock()
	defer v.mu.Unlock()
	me := v.seen[who]
	if me == nil {
		me = new([2]netip.AddrPort)
		v.seen[who] = me
	}
	me[door] = at
	other := v.seen[guest{who.session, opposite(who.name)}]
	if other == nil || !me[0].IsValid() || !me[1].IsValid() || !other[0].IsValid() || !other[1].IsValid() {
		return nil
	}
	return []meeting{{*me, *other}, {*other, *me}}
}

// endregion

func opposite(name string) string {
	if name == "a" {
		return "b"
	}
	return "a"
}
