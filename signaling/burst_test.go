package signaling

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"peerlab/signaling/envelope"
)

// TestAllAtOnceToOneReader fills a room, and everybody says all at once what
// they may say at once to the first, who has a slow link: a frame takes a
// millisecond. She reads all the time, so nobody has done wrong.
func TestAllAtOnceToOneReader(t *testing.T) {
	for name, burst := range map[string]struct {
		messages int // of each, join included
		size     int
	}{
		"short messages": {400, 20},
		"long messages":  {1 + 5, 47 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newPipeRig(t, Config{})
				ada, id, others := r.fill()
				text := "v=0" + strings.Repeat("x", burst.size)
				var senders sync.WaitGroup
				for _, o := range others {
					senders.Go(func() {
						for range burst.messages - 1 {
							o.send(`{"type":"signal","to":"` + id + `","session":1,"description":{"type":"offer","sdp":"` + text + `"}}`)
						}
					})
				}
				got := map[string]int{}
				for range len(others) * (burst.messages - 1) {
					time.Sleep(time.Millisecond) // of her link
					got[next[*envelope.Signal](ada).From]++
				}
				senders.Wait()
				for from, n := range got {
					if n != burst.messages-1 {
						t.Errorf("%d of %d messages of %s", n, burst.messages-1, from)
					}
				}
				if s := r.Stats(); len(got) != len(others) || s.Peers != 8 || len(s.Refused) != 0 {
					t.Errorf("from %d senders, stats %+v", len(got), s)
				}
			})
		})
	}
}

// TestAllAtOnceToOneWhoDoesNotRead is the same with somebody who does not: the
// others go on as they may, until that one is out.
func TestAllAtOnceToOneWhoDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPipeRig(t, Config{})
		_, id, others := r.fill()
		for range 399 {
			for _, o := range others {
				o.want(id, "ice-restart")
			}
		}
		if s := r.Stats(); s.Dropped != 0 {
			t.Errorf("dropped after bursts that are allowed: %+v", s)
		}
		for start := time.Now(); r.Stats().Dropped == 0; {
			if time.Since(start) > 10*time.Second {
				t.Fatal("still a member")
			}
			time.Sleep(25 * time.Millisecond) // 40 messages a second, of 50
			for _, o := range others {
				o.want(id, "ice-restart")
			}
		}
		for _, o := range others {
			m := <-o.messages
			for _, ok := m.(*envelope.PeerJoined); ok; _, ok = m.(*envelope.PeerJoined) {
				m = <-o.messages
			}
			if left, ok := m.(*envelope.PeerLeft); !ok || left.ID != id || left.Reason != "dropped" {
				t.Errorf("got %+v", m)
			}
		}
		if s := r.Stats(); s.Peers != 7 || s.Dropped != 1 || s.Refused[envelope.CodeTooSlow] != 1 || s.Refused[envelope.CodeRateLimited] != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// fill makes a room that is full: its first member, whose id it returns and
// who has read who is there, and the others, who listen.
func (r *rig) fill() (first *wire, id string, others []*listener) {
	r.t.Helper()
	room := r.room()
	first, w := r.join(room, "first")
	for i := range w.MaxPeers - 1 {
		c, _ := r.join(room, fmt.Sprint("other ", i))
		next[*envelope.PeerJoined](first)
		o := c.listen()
		others = append(others, o)
		r.t.Cleanup(func() { // before the Hub ends, which else waits for answers
			c.ws.Close()
			for range o.messages {
			}
		})
	}
	r.t.Cleanup(func() { first.ws.Close() })
	return first, w.Self.ID, others
}

// TestAnswersToOurPingsAreFree has a member to whom much is said, so that it
// is asked often what has arrived.
func TestAnswersToOurPingsAreFree(t *testing.T) {
	r := newRig(t, Config{MessageRate: 1e-9, MessageBurst: 5})
	room := r.room()
	c, w := r.join(room, "Ada")
	ada := c.listen()
	bot, err := r.Join(t.Context(), room, "bot") // a Local has no rate
	if err != nil {
		t.Fatal(err)
	}
	await[*envelope.PeerJoined](ada)
	for range 20 {
		if err := bot.Send(t.Context(), &envelope.Signal{To: w.Self.ID, Session: 1, Want: envelope.WantICERestart}); err != nil {
			t.Fatal(err)
		}
		await[*envelope.Signal](ada)
		<-ada.pings
		eventually(t, "the answer is in", func() bool { return unconfirmed(r.Hub, room, w.Self.ID) == 0 })
	}
	if s := r.Stats(); len(s.Refused) != 0 {
		t.Errorf("stats %+v", s)
	}
	// What nobody asked for is not free: not the number of an old ping, nor
	// one of a ping to come.
	for i := range 5 {
		c.pong(fmt.Sprint(19 + 2*(i%2)))
	}
	if e := await[*envelope.Error](ada); e.Code != envelope.CodeRateLimited {
		t.Errorf("told %+v", e)
	}
}
