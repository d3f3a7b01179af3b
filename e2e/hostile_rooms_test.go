package e2e

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func silentSockets(t *testing.T, l hostileLab) {
	before := openFiles(t, l.Process)
	var first *member
	conns := make([]net.Conn, crowd)
	for i := range conns {
		m := l.openSocket(t, l.mallory, l.others.room)
		if conns[i] = m.ws.NetConn(); i == 0 {
			first = m
		}
	}
	// The oldest make room for the newest, and are told why.
	if told := first.expect("error"); told.Code != "rate-limited" {
		t.Errorf("the first is told %+v", told)
	}
	first.expectClose()
	l.others.stillTalk(t)
	l.serves(t)
	closeAll(conns[:crowd-64])
	eventually(t, "the early ones to be gone", patience, func() bool { return openFiles(t, l.Process) <= before+100 })
	closeAll(conns)
}

func malformedMessages(t *testing.T, l hostileLab) {
	long := strings.Repeat("x", 65)
	for text, field := range map[string]string{
		`hello`: "", `{`: "", `[]`: "", `null`: "", `{}`: "type", `{"type":7}`: "type", "\x00\xff": "", `{"type":"nope"}`: "nope",
		strings.Repeat("[", 30000):                                "",
		`{"type":"signal","to":"x","session":1,"want":"x"}`:       "",
		`{"type":"bye"}`:                                          "join",
		`{"type":"join","name":"ann","kind":"go"}`:                "v",
		`{"type":"join","v":1,"name":"","kind":"go"}`:             "name",
		`{"type":"join","v":1,"name":"` + long + `","kind":"go"}`: "name",
		`{"type":"join","v":1,"name":"a\u0000b","kind":"go"}`:     "name",
		`{"type":"join","v":1,"name":"ann","kind":"fridge"}`:      "kind",
		`{"type":"join","v":1,"name":7,"kind":"go"}`:              "name",
		`{"type":"welcome","v":1}`:                                "",
	} {
		m := l.openSocket(t, l.mallory, l.others.room)
		m.t = t
		m.send(text)
		told := m.expect("error")
		if told.Code != "bad-message" || !told.Fatal || !strings.Contains(told.Message, field) {
			t.Errorf("%.50q is answered %+v, want bad-message about %q", text, told, field)
		}
		if code := m.expectClose(); code != 1008 {
			t.Errorf("%.50q: close code %d", text, code)
		}
	}
	// And from within a room.
	for text, field := range map[string]string{
		`{"type":"join","v":1,"name":"ann","kind":"go"}`:                                   "join",
		`{"type":"signal","to":"x","session":0,"want":"ice-restart"}`:                      "session",
		`{"type":"signal","to":"x","session":1}`:                                           "",
		`{"type":"signal","session":1,"want":"ice-restart"}`:                               "to",
		`{"type":"signal","to":"x","session":1,"want":"ice-restart","candidate":{}}`:       "candidate",
		`{"type":"signal","to":"x","session":1,"description":{"type":"bomb","sdp":"v=0"}}`: "description",
		`{"type":"peer-left","id":"x","reason":"bye"}`:                                     "",
	} {
		m := l.join(t, l.mallory, l.room(), "mallory")
		m.send(text)
		if told := m.expect("error"); told.Code != "bad-message" || !strings.Contains(told.Message, field) {
			t.Errorf("%.60q is answered %+v, want bad-message about %q", text, told, field)
		}
		m.expectClose()
	}
}

func oversizeFrames(t *testing.T, l hostileLab) {
	open := func() *member { return l.join(t, l.mallory, l.room(), "mallory") }
	t.Run("one byte too many", func(t *testing.T) {
		m := open()
		m.send(strings.Repeat(" ", 64<<10+1))
		if told := m.expect("error"); told.Code != "too-large" {
			t.Errorf("told %+v", told)
		}
		if code := m.expectClose(); code != 1009 {
			t.Errorf("close code %d, want 1009 (too big)", code)
		}
	})
	// The header of a masked text frame of 2^63-1 bytes, and as much of it as
	// the server takes.
	t.Run("a frame without end", func(t *testing.T) {
		m := open()
		raw := m.ws.NetConn()
		raw.Write(unhex(t, "81ff7fffffffffffffff00000000"))
		go io.Copy(raw, io.LimitReader(endless{}, 64<<20))
		if told := m.expect("error"); told.Code != "too-large" && told.Code != "rate-limited" {
			t.Errorf("told %+v", told)
		}
		m.expectClose()
	})
	t.Run("fragments without end", func(t *testing.T) {
		m := open()
		raw := m.ws.NetConn()
		raw.Write(unhex(t, "018000000000")) // the first: no bytes, and more to come
		go raw.Write(bytes.Repeat(unhex(t, "008000000000"), 1<<20))
		if told := m.expect("error"); told.Code != "rate-limited" {
			t.Errorf("told %+v", told)
		}
		m.expectClose()
	})
	t.Run("what is no frame", func(t *testing.T) {
		m := open()
		raw := m.ws.NetConn()
		raw.Write(unhex(t, "f1ff"+strings.Repeat("ff", 200)))
		m.ws.Close()
	})
	t.Run("binary", func(t *testing.T) {
		m := open()
		m.ws.WriteMessage(2, []byte(`{"type":"bye"}`))
		if told := m.expect("error"); told.Code != "bad-message" {
			t.Errorf("told %+v", told)
		}
		m.expectClose()
	})
}

// endless is a stream of spaces.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// Mallory has the link of the others' room and talks one of them down.
func floods(t *testing.T, l hostileLab) {
	for name, frame := range map[string]any{
		"signals": candidateMessage(l.others.ann.welcome.Self.ID, "flood"),
		"strange": candidateMessage("nobody", "flood"),
	} {
		m := l.join(t, l.mallory, l.others.room, "mallory")
		go func() {
			for m.write(frame) == nil {
			}
		}()
		for {
			told, err := m.read()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if told.Code == "unknown-peer" {
				continue
			}
			if told.Code != "rate-limited" || !told.Fatal {
				t.Errorf("%s: told %+v", name, told)
			}
			break
		}
		m.expectClose()
	}
	t.Run("by many", func(t *testing.T) { l.gangUp(t) })
	t.Run("rooms", func(t *testing.T) {
		for range 500 {
			if r := l.do(l.mallory, http.MethodPost, "/rooms"); r.StatusCode == http.StatusTooManyRequests {
				return
			}
		}
		t.Error("one address may make 500 rooms at once")
	})
	t.Run("joins", func(t *testing.T) {
		for range 500 {
			m := l.openSocket(t, l.mallory, "none")
			m.send(joinMessage("mallory"))
			if m.expect("error").Code == "rate-limited" {
				return
			}
			m.ws.Close()
		}
		t.Error("one address may join 500 times at once")
	})
}

// gangUp fills the others' room with attackers, who all say to ann at once
// what they may say at once. She reads and answers pings, so nothing of that
// may count against her.
func (l hostileLab) gangUp(t *testing.T) {
	const each = 390 // of the burst of 400 that one may send
	var gang [6]*member
	for i := range gang {
		gang[i] = l.join(t, l.mallory, l.others.room, "mallory")
	}
	var all sync.WaitGroup
	for _, m := range gang {
		all.Go(func() {
			for range each {
				if err := m.write(candidateMessage(l.others.ann.welcome.Self.ID, "flood")); err != nil {
					t.Errorf("one of the gang sends: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	l.others.stillTalk(t)
	for _, m := range gang {
		m.send(`{"type":"bye"}`)
		m.expectClose()
	}
}
