package signaling

import (
	"context"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

func TestTwoPeersFindEachOther(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	if len(room) != 26 || !isRoomID(room) {
		t.Errorf("room id %q", room)
	}
	a, wa := r.join(room, "Ada")
	if wa.Room != room || wa.Self.Name != "Ada" || wa.Self.Kind != envelope.Browser || wa.Self.Order != 1 || len(wa.Peers) != 0 {
		t.Errorf("welcome %+v", wa)
	}
	if wa.Resumed || wa.ResumeWindow != 30 || wa.MaxPeers != 8 || wa.Resume == "" {
		t.Errorf("welcome %+v", wa)
	}
	b, wb := r.join(room, "Bo")
	if !reflect.DeepEqual(wb.Peers, []envelope.Peer{wa.Self}) || wb.Self.Order != 2 {
		t.Errorf("welcome of the second: %+v", wb)
	}
	if joined := next[*envelope.PeerJoined](a); joined.Peer != wb.Self {
		t.Errorf("joined %+v, want %+v", joined.Peer, wb.Self)
	}

	b.send(`{"type":"signal","to":"` + wa.Self.ID + `","session":3,"description":{"type":"offer","sdp":"v=0\r\n<&>"},"later":true}`)
	if s := next[*envelope.Signal](a); s.From != wb.Self.ID || s.To != "" || s.Session != 3 || s.Description.SDP != "v=0\r\n<&>" {
		t.Errorf("signal %+v", s)
	}
	a.candidate(wb.Self.ID, "")
	if s := next[*envelope.Signal](b); s.From != wa.Self.ID || s.Candidate == nil || s.Candidate.Candidate != "" {
		t.Errorf("signal %+v", s)
	}
	if got := r.Peers(room); !reflect.DeepEqual(got, []envelope.Peer{wa.Self, wb.Self}) {
		t.Errorf("Peers = %+v", got)
	}

	b.send(`{"type":"bye"}`)
	if left := next[*envelope.PeerLeft](a); left.ID != wb.Self.ID || left.Reason != "bye" {
		t.Errorf("left %+v", left)
	}
	b.closed(websocket.CloseNormalClosure)
	s := r.Stats()
	if s.Rooms != 1 || s.Peers != 1 || s.Joined != 2 || s.Signals != 2 || s.Created != 1 || s.Dropped != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestUnknownPeerIsNotFatal(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, wa := r.join(room, "Ada")
	for _, to := range []string{"nobody", wa.Self.ID} {
		a.want(to, "ice-restart")
		if e := next[*envelope.Error](a); e.Code != envelope.CodeUnknownPeer || e.Fatal {
			t.Errorf("signal to %s: %+v", to, e)
		}
	}
	if _, wb := r.join(room, "Bo"); len(wb.Peers) != 1 {
		t.Error("the sender is not in the room any more")
	}
}

func TestNoRoomIsOneAnswer(t *testing.T) {
	r := newRig(t, Config{EmptyRoomLife: 50 * time.Millisecond})
	ended := r.room()
	eventually(t, "the empty room ends", func() bool { return !r.Exists(ended) })
	var answers []envelope.Error
	for _, room := range []string{ended, strings.Repeat("a", 26), "malformed%20id", long} {
		c := r.open(room)
		c.send(`{"type":"join","v":1,"name":"Eve","kind":"go"}`)
		answers = append(answers, *c.refused(envelope.CodeNoRoom, websocket.ClosePolicyViolation))
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("answers differ: %+v and %+v", a, answers[0])
		}
	}
}

func TestRoomFull(t *testing.T) {
	r := newRig(t, Config{MaxPeers: 2})
	room := r.room()
	a, _ := r.join(room, "Ada")
	b, _ := r.join(room, "Bo")
	next[*envelope.PeerJoined](a)
	c := r.open(room)
	c.send(`{"type":"join","v":1,"name":"Cy","kind":"browser"}`)
	c.refused(envelope.CodeRoomFull, websocket.ClosePolicyViolation)
	b.send(`{"type":"bye"}`)
	next[*envelope.PeerLeft](a) // and nothing about Cy before it
	r.join(room, "Cy")
	next[*envelope.PeerJoined](a)
}

func TestICEServersComeWithTheWelcome(t *testing.T) {
	r := newRig(t, Config{ICE: func(peer, host string) ([]envelope.ICEServer, time.Duration) {
		return []envelope.ICEServer{{URLs: []string{"turn:" + host}, Username: peer, Credential: "c"}}, time.Hour
	}})
	_, w := r.join(r.room(), "Ada")
	want := []envelope.ICEServer{{URLs: []string{"turn:" + r.addr}, Username: w.Self.ID, Credential: "c"}}
	if !reflect.DeepEqual(w.ICEServers, want) || w.ICETTL != 3600 {
		t.Errorf("welcome %+v", w)
	}
}

func TestCheckOrigin(t *testing.T) {
	r := newRig(t, Config{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "https://lab.test" }})
	url := "ws://" + r.addr + "/rooms/" + r.room() + "/ws"
	for origin, status := range map[string]int{
		"https://lab.test": http.StatusSwitchingProtocols, "https://evil.test": http.StatusForbidden, "": http.StatusForbidden,
	} {
		ws, resp, err := websocket.DefaultDialer.Dial(url, http.Header{"Origin": {origin}})
		if err == nil {
			ws.Close()
		}
		if resp == nil || resp.StatusCode != status {
			t.Errorf("Origin %q: %v, %v, want %d", origin, resp, err, status)
		}
	}
}

func TestShutdownEndsEverything(t *testing.T) {
	r := newRig(t, Config{})
	room := r.room()
	a, _ := r.join(room, "Ada")
	silent := r.open(room)
	local, err := r.Join(t.Context(), room, "bot")
	if err != nil {
		t.Fatal(err)
	}
	next[*envelope.PeerJoined](a)
	eventually(t, "the silent socket is known", func() bool { return r.Stats().Unjoined == 1 })
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(t.Context()) }()
	for _, c := range []*wire{a, silent} {
		if bye := next[*envelope.Bye](c); bye.Reason != "shutdown" {
			t.Errorf("bye %+v", bye)
		}
		c.closed(websocket.CloseGoingAway)
		c.ws.Close()
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	receive[*envelope.Welcome](t, local)
	if bye := receive[*envelope.Bye](t, local); bye.Reason != "shutdown" {
		t.Errorf("bye %+v", bye)
	}
	if _, err := local.Receive(t.Context()); err != ErrClosed {
		t.Errorf("Receive: %v, want ErrClosed", err)
	}
	if _, err := r.Create(netip.MustParseAddr("192.0.2.1")); err != ErrClosed {
		t.Errorf("Create: %v, want ErrClosed", err)
	}
	if _, resp, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/rooms/"+room+"/ws", nil); err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a socket was opened after the end: %v", err)
	}
	if s := r.Stats(); s.Sockets != 0 || s.Peers != 0 || s.Rooms != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestShutdownDoesNotWaitForTheDeaf(t *testing.T) {
	r := newRig(t, Config{})
	r.open(r.room()) // never reads, never closes
	eventually(t, "the socket is open", func() bool { return r.Stats().Unjoined == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Shutdown(ctx); err == nil {
		t.Error("Shutdown hides that it had no time")
	}
	if s := r.Stats(); s.Sockets != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestConfigIsValidated(t *testing.T) {
	for field, cfg := range map[string]Config{
		"MaxPeers":     {MaxPeers: 1},
		"MaxRooms":     {MaxRooms: -1},
		"JoinRate":     {JoinRate: -1},
		"ByteBurst":    {ByteBurst: 100},
		"QueueFrames":  {QueueFrames: 10},
		"ResumeWindow": {ResumeWindow: -time.Second},
		"DeadAfter":    {PingAfter: time.Minute},
	} {
		if _, err := NewHub(cfg); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
