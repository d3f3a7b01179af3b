package signaling

import (
	"reflect"
	"testing"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

const coneNAT = `{"type":"nat","nat":{"mapping":"endpoint-independent","filtering":"address-and-port-dependent"}}`

var cone = envelope.NAT{Mapping: "endpoint-independent", Filtering: "address-and-port-dependent"}

func TestTheRoomHearsOfANAT(t *testing.T) {
	servers := []string{"stun:192.0.2.1:3478", "stun:192.0.2.1:3479"}
	r := newRig(t, Config{NATServers: func(string) []string { return servers }})
	room := r.room()
	a, wa := r.join(room, "Ada")
	if !reflect.DeepEqual(wa.NATServers, servers) {
		t.Errorf("to measure with: %q, want %q", wa.NATServers, servers)
	}
	b, wb := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)

	b.send(coneNAT)
	if s := next[*envelope.PeerState](a); s.ID != wb.Self.ID || s.State != "here" || s.NAT != cone {
		t.Errorf("state %+v", s)
	}
	// The same again is no news; that nothing is known any more is.
	b.send(coneNAT)
	b.send(`{"type":"nat","nat":{"mapping":"unknown"}}`)
	if s := next[*envelope.PeerState](a); s.NAT != (envelope.NAT{Mapping: "unknown"}) {
		t.Errorf("state %+v", s)
	}
	b.send(coneNAT)
	next[*envelope.PeerState](a)

	// Who comes later learns it with the name.
	_, wc := r.join(room, "Cy")
	next[*envelope.PeerJoined](a)
	if len(wc.Peers) != 2 || wc.Peers[1].NAT != cone || wc.Peers[0].NAT != (envelope.NAT{}) {
		t.Errorf("the third sees %+v", wc.Peers)
	}
	next[*envelope.PeerJoined](b)

	// A place keeps it.
	b.ws.NetConn().Close()
	if s := next[*envelope.PeerState](a); s.State != "away" || s.NAT != (envelope.NAT{}) {
		t.Errorf("state %+v", s)
	}
	_, again := r.resume(room, wb.Resume)
	if !again.Resumed || again.Self.NAT != cone {
		t.Errorf("welcome %+v", again)
	}
	if s := next[*envelope.PeerState](a); s.State != "here" {
		t.Errorf("state %+v", s)
	}
}

// TestANATIsSharedByGoMembers does the same by a Local and a Client.
func TestANATIsSharedByGoMembers(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, wa := r.join(room, "Ada")
	if wa.NATServers != nil {
		t.Errorf("to measure with: %q, want nothing", wa.NATServers)
	}
	local, err := r.Join(t.Context(), room, "bot")
	if err != nil {
		t.Fatal(err)
	}
	client, err := Dial(t.Context(), ClientConfig{URL: "ws://" + r.addr + "/rooms/" + room + "/ws", Name: "Gopher"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	next[*envelope.PeerJoined](a)
	next[*envelope.PeerJoined](a)
	for _, member := range []signaler{local, client} {
		id := receive[*envelope.Welcome](t, member).Self.ID
		if err := member.Send(t.Context(), &envelope.ShareNAT{NAT: cone}); err != nil {
			t.Fatal(err)
		}
		if s := next[*envelope.PeerState](a); s.ID != id || s.NAT != cone {
			t.Errorf("%T: state %+v", member, s)
		}
		if err := member.Send(t.Context(), &envelope.ShareNAT{}); err == nil {
			t.Errorf("%T sends a NAT that says nothing", member)
		}
	}
}

func TestANATThatIsNoneEndsTheSocket(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	c, _ := r.join(room, "Eve")
	c.send(`{"type":"nat","nat":{"mapping":"` + long + `"}}`)
	c.refused(envelope.CodeBadMessage, websocket.ClosePolicyViolation)
	early := r.open(room)
	early.send(coneNAT)
	early.refused(envelope.CodeBadMessage, websocket.ClosePolicyViolation)
}

// TestANATSpeaksAtMemberSpeed: it counts as every message does.
func TestANATSpeaksAtMemberSpeed(t *testing.T) {
	r := newRig(t, Config{MessageBurst: 3, MessageRate: 0.001})
	c, _ := r.join(r.room(), "Eve")
	for range 3 { // the join was one
		c.send(coneNAT)
	}
	c.refused(envelope.CodeRateLimited, websocket.ClosePolicyViolation)
}
