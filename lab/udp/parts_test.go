package udp

import (
	"bytes"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{"ASK 7", "DATA 3 100\nbytes\nmore", "ACK 4 3\n", "LIST", "TOKEN 5fa1", "", "\n", "ask 1", "A\xff 1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		m, err := parse(datagram)
		if err != nil {
			return
		}
		again, err := parse(m.datagram())
		if err != nil || again.verb != m.verb || !slices.Equal(again.args, m.args) || !bytes.Equal(again.body, m.body) {
			t.Errorf("%q: read as %+v, written and read again as %+v, %v", datagram, m, again, err)
		}
		if n, ok := m.number(0, 10); ok && (n < 0 || n >= 10) {
			t.Errorf("%q: number %d", datagram, n)
		}
	})
}

// simulate transfers a file between a sender and a receiver over a channel
// that loses, delays and duplicates, on a clock of its own.
func simulate(t *testing.T, seed uint64, delay time.Duration, loss, duplicate float64, count int) (*sender, *ordering, time.Duration) {
	t.Helper()
	type flight struct {
		at   time.Time
		ack  bool
		data []byte
	}
	r := rand.New(rand.NewPCG(seed, 0))
	now := time.Unix(0, 0)
	s, o := &sender{pieces: make([]piece, count), window: 10}, &ordering{}
	var air []flight
	launch := func(ack bool, data []byte) {
		for {
			if r.Float64() >= loss {
				air = append(air, flight{now.Add(delay + time.Duration(r.IntN(8))*time.Millisecond), ack, data})
			}
			if r.Float64() >= duplicate {
				return
			}
		}
	}
	for steps := 0; !s.done(); steps++ {
		if steps > 100_000 {
			t.Fatal("the transfer does not end")
		}
		numbers, err := s.take(now)
		if err != nil {
			t.Fatal(err)
		}
		if flying := s.next - s.first; flying > s.window {
			t.Fatalf("%d pieces on their way in a window of %d", flying, s.window)
		}
		for _, i := range numbers {
			launch(false, say("DATA", i, count).datagram())
		}
		slices.SortStableFunc(air, func(a, b flight) int { return a.at.Compare(b.at) })
		if len(air) == 0 || s.wake().Before(air[0].at) {
			now = s.wake()
			continue
		}
		f := air[0]
		air, now = air[1:], f.at
		m, err := parse(f.data)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := m.number(0, count+1)
		b, _ := m.number(1, count+1)
		if f.ack {
			s.ack(now, a, b)
		} else if answer := o.take(a, b, []byte{byte(a)}); answer != nil {
			launch(true, answer)
		}
	}
	return s, o, now.Sub(time.Unix(0, 0))
}

func TestTheSenderGetsEverythingThere(t *testing.T) {
	for _, loss := range []float64{0, 0.05, 0.3, 0.5} {
		for seed := range uint64(20) {
			s, o, took := simulate(t, seed, 20*time.Millisecond, loss, 0.1, 60)
			want := make([]byte, 60)
			for i := range want {
				want[i] = byte(i)
			}
			if !bytes.Equal(o.file(), want) {
				t.Errorf("loss %g, seed %d: the file is not what was sent", loss, seed)
			}
			if loss == 0 && (s.again != 0 || took > 500*time.Millisecond) {
				t.Errorf("seed %d: %d pieces sent again though nothing was lost, in %s", seed, s.again, took)
			}
		}
	}
}

func TestALongRoundTripIsLearnt(t *testing.T) {
	s, _, _ := simulate(t, 1, 1500*time.Millisecond, 0, 0, 60)
	if s.again >= 60/2 || s.rtt.mean < 3*time.Second {
		t.Errorf("%d of 60 pieces sent again though nothing was lost, the round trip of 3 s is thought to be %s", s.again, s.rtt.mean)
	}
}

func TestTheSenderGivesUp(t *testing.T) {
	s := &sender{pieces: make([]piece, 3), window: 3}
	now := time.Unix(0, 0)
	for range 200 {
		if _, err := s.take(now); err != nil {
			return
		}
		now = s.wake()
	}
	t.Error("a receiver that says nothing is not given up")
}

func TestTheSenderIsNotFooledByWildAcknowledgements(t *testing.T) {
	s := &sender{pieces: make([]piece, 5), window: 2}
	if _, err := s.take(time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	s.ack(time.Unix(1, 0), 5, 4) // of what was never sent
	s.ack(time.Unix(1, 0), 1, 3)
	if s.done() || s.first != 0 {
		t.Errorf("it takes pieces for acknowledged that were never sent: first is %d", s.first)
	}
}

func TestTheTimeoutFollowsTheRoundTrip(t *testing.T) {
	var e estimator
	if e.timeout(1) != time.Second {
		t.Errorf("at first %s", e.timeout(1))
	}
	for range 50 {
		e.add(100 * time.Millisecond)
	}
	if got := e.timeout(1); got < 140*time.Millisecond || got > 160*time.Millisecond {
		t.Errorf("after many steady 100 ms: %s", got)
	}
	if e.timeout(2) != 2*e.timeout(1) || e.timeout(20) != maxRTO {
		t.Errorf("it does not double: %s, %s", e.timeout(2), e.timeout(20))
	}
	once := e.timeout(1)
	if e.late(1); e.timeout(1) != 2*once {
		t.Errorf("after a timeout a new piece has %s, want twice %s", e.timeout(1), once)
	}
	if e.add(100 * time.Millisecond); e.timeout(1) > once {
		t.Errorf("measured again, a new piece has %s, want %s", e.timeout(1), once)
	}
}

func TestOverlongAndOddPieces(t *testing.T) {
	o := &ordering{}
	o.take(0, 2, []byte("a"))
	if answer := o.take(7, 9, []byte("b")); answer != nil {
		t.Errorf("a piece beyond the end of the file is answered %q", answer)
	}
	o.take(0, 2, []byte("other"))
	if got := string(o.take(1, 2, []byte("c"))); got != "ACK 2 1\n" || string(o.file()) != "ac" {
		t.Errorf("answered %q, the file is %q", got, o.file())
	}
}

func TestTokens(t *testing.T) {
	l := validating{list: listOf(5000), key: newKey()}
	from, now := &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5}, time.Unix(1000, 0)
	ask := message{verb: "LIST", args: []string{l.token(from, now)}}
	if got := l.answer(ask, 30, from, now.Add(slot)); len(got) != len(l.list) {
		t.Errorf("a token of just now gets %q", got)
	}
	for name, got := range map[string][][]byte{
		"an old token":               l.answer(ask, 30, from, now.Add(3*slot)),
		"a token of another port":    l.answer(ask, 30, &net.UDPAddr{IP: from.IP, Port: 6}, now),
		"a token of another process": validating{list: l.list, key: newKey()}.answer(ask, 30, from, now),
	} {
		if len(got) != 1 || !bytes.HasPrefix(got[0], []byte("TOKEN ")) {
			t.Errorf("%s gets %.40q", name, got)
		}
	}
	for size := 1; size < 50; size++ {
		if got := l.answer(message{verb: "LIST"}, size, from, now); len(got) != 1 || len(got[0]) > factor*size {
			t.Errorf("%d bytes are answered with %q", size, got)
		}
	}
	for _, datagram := range l.list {
		if len(datagram) > safe {
			t.Errorf("an item of %d bytes", len(datagram))
		}
	}
}
