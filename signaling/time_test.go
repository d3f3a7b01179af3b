package signaling

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// The Hub looks at its clocks once a second.
const slack = time.Second

// listener reads all the time, as a browser does, and so answers pings.
type listener struct {
	*wire
	messages chan envelope.Message
	pings    chan time.Time
	end      error // once messages is closed
}

func (c *wire) listen() *listener {
	l := &listener{wire: c, messages: make(chan envelope.Message, 100), pings: make(chan time.Time, 100)}
	c.ws.SetReadDeadline(time.Time{})
	answer := c.ws.PingHandler()
	c.ws.SetPingHandler(func(data string) error {
		l.pings <- time.Now()
		return answer(data)
	})
	go func() {
		defer close(l.messages)
		for {
			_, data, err := c.ws.ReadMessage()
			if err != nil {
				l.end = err
				return
			}
			m, err := envelope.Decode(data)
			if err != nil {
				c.t.Errorf("Decode(%s): %v", data, err)
			}
			l.messages <- m
		}
	}()
	return l
}

func await[M envelope.Message](l *listener) M {
	l.t.Helper()
	m, ok := (<-l.messages).(M)
	if !ok {
		l.t.Fatalf("not a %T: %T %+v", *new(M), m, l.end)
	}
	return m
}

// took checks the time since start against what it should be.
func took(t *testing.T, what string, start time.Time, want time.Duration) {
	t.Helper()
	if d := time.Since(start); d < want || d > want+slack {
		t.Errorf("%s after %v, want %v", what, d, want)
	}
}

func TestJoinTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPipeRig(t, Config{})
		start := time.Now()
		l := r.open(r.room()).listen()
		if e := await[*envelope.Error](l); e.Code != envelope.CodeTimeout || !e.Fatal {
			t.Errorf("told %+v", e)
		}
		took(t, "refused", start, 15*time.Second)
		<-l.messages
		if !websocket.IsCloseError(l.end, websocket.ClosePolicyViolation) {
			t.Errorf("closed with %v", l.end)
		}
		l.ws.Close()
	})
}

func TestPingsAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPipeRig(t, Config{})
		room := r.room()
		c, _ := r.join(room, "awake")
		start := time.Now()
		awake := c.listen()
		d, wd := r.join(room, "dead")
		d.ws.SetPingHandler(func(string) error { return nil })
		dead := d.listen()
		await[*envelope.PeerJoined](awake)
		for i := range 3 {
			<-awake.pings
			took(t, "ping", start, time.Duration(i+1)*20*time.Second)
			if i == 1 {
				if s := await[*envelope.PeerState](awake); s.ID != wd.Self.ID || s.State != "away" {
					t.Errorf("state %+v", s)
				}
				took(t, "away", start, 45*time.Second)
			}
		}
		if left := await[*envelope.PeerLeft](awake); left.ID != wd.Self.ID || left.Reason != "timeout" {
			t.Errorf("left %+v", left)
		}
		if d := time.Since(start); d < 75*time.Second || d > 75*time.Second+2*slack {
			t.Errorf("timed out after %v, want 45 s + 30 s", d)
		}
		for range dead.messages {
		}
		if n := len(r.Peers(room)); n != 1 {
			t.Errorf("%d peers", n)
		}
		c.ws.Close()
		d.ws.Close()
		for range awake.messages {
		}
	})
}

func TestResumeWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPipeRig(t, Config{})
		room := r.room()
		c, _ := r.join(room, "Ada")
		ada := c.listen()
		b, wb := r.join(room, "Bo")
		await[*envelope.PeerJoined](ada)

		b.ws.NetConn().Close()
		await[*envelope.PeerState](ada)
		time.Sleep(30*time.Second - time.Millisecond)
		b, again := r.resume(room, wb.Resume)
		if !again.Resumed {
			t.Error("not resumed within the window")
		}
		await[*envelope.PeerState](ada)

		start := time.Now()
		b.ws.NetConn().Close()
		await[*envelope.PeerState](ada)
		if left := await[*envelope.PeerLeft](ada); left.ID != wb.Self.ID || left.Reason != "timeout" {
			t.Errorf("left %+v", left)
		}
		took(t, "left", start, 30*time.Second)
		late, welcome := r.resume(room, again.Resume)
		if welcome.Resumed || welcome.Self.ID == wb.Self.ID {
			t.Errorf("resumed after the window: %+v", welcome)
		}
		late.ws.Close()
		c.ws.Close()
		for range ada.messages {
		}
	})
}

func TestEmptyRoomsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPipeRig(t, Config{})
		never, visited := r.room(), r.room()
		time.Sleep(9 * time.Minute)
		c, _ := r.join(visited, "Ada")
		time.Sleep(10 * time.Second) // no ping yet, as nobody reads
		c.send(`{"type":"bye"}`)
		c.closed(websocket.CloseNormalClosure)
		c.ws.Close()
		if !r.Exists(never) || !r.Exists(visited) {
			t.Error("a room ended before its time")
		}
		time.Sleep(50*time.Second + slack)
		if r.Exists(never) || !r.Exists(visited) {
			t.Error("ten minutes: the room nobody entered should be gone, the other not")
		}
		time.Sleep(9*time.Minute + 10*time.Second + slack)
		if s := r.Stats(); s.Rooms != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestCredentialsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issued := 0
		r := newPipeRig(t, Config{ICE: func(peer, host string) ([]envelope.ICEServer, time.Duration) {
			issued++
			return []envelope.ICEServer{{URLs: []string{"turn:" + host}, Username: peer}}, 10 * time.Minute
		}})
		start := time.Now()
		c, w := r.join(r.room(), "Ada")
		l := c.listen()
		for i := range 2 {
			fresh := await[*envelope.ICEServers](l)
			if fresh.ICETTL != 600 || len(fresh.ICEServers) != 1 || fresh.ICEServers[0].Username != w.Self.ID || fresh.ICEServers[0].URLs[0] != "turn:pipe.test" {
				t.Errorf("fresh %+v", fresh)
			}
			if d, want := time.Since(start), time.Duration(i+1)*5*time.Minute; d < want || d > want+2*slack {
				t.Errorf("renewed after %v, want %v", d, want)
			}
		}
		if issued != 3 {
			t.Errorf("issued %d times", issued)
		}
		c.ws.Close()
		<-l.messages
	})
}
