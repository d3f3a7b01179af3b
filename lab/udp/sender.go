package udp

import (
	"errors"
	"time"
)

// maxTries is how often one piece is sent before the receiver is given up.
const maxTries = 20

var errGaveUp = errors.New("a piece was sent 20 times and never acknowledged")

// region sender

// sender decides what to send when. It knows no socket and no clock, so that
// a test can be both.
type sender struct {
	pieces []piece
	window int // pieces on their way at most
	rtt    estimator

	first, next int // not acknowledged yet; not sent yet
	sent, again int // datagrams; those that repeat a piece
}

// piece is what the sender knows of a part of the file.
type piece struct {
	sent, due time.Time // last sent; to be sent again
	tries     int
	passed    bool // one that was sent well after it is acknowledged
	here      bool
}

// take returns the pieces to send now: what timed out or was passed by, and
// new ones as long as the window has room.
func (s *sender) take(now time.Time) (numbers []int, err error) {
	for i := s.first; i < s.next; i++ {
		p := &s.pieces[i]
		if p.here || now.Before(p.due) && !p.passed {
			continue
		}
		if p.tries == maxTries {
			return nil, errGaveUp
		}
		if !p.passed {
			s.rtt.late(p.tries)
		}
		s.again++
		numbers = append(numbers, i)
	}
	for s.next < len(s.pieces) && s.next < s.first+s.window {
		numbers = append(numbers, s.next)
		s.next++
	}
	for _, i := range numbers {
		p := &s.pieces[i]
		s.sent++
		p.tries++
		p.sent, p.due, p.passed = now, now.Add(s.rtt.timeout(p.tries)), false
	}
	return numbers, nil
}

// ack notes that all pieces before next are at the receiver, and got, too.
func (s *sender) ack(now time.Time, next, got int) {
	if next > s.next || got >= s.next {
		return // of what was never sent: not from our receiver
	}
	if p := &s.pieces[got]; !p.here {
		p.here = true
		if p.tries == 1 { // of a repeated one nobody knows which it answers (Karn)
			s.rtt.add(now.Sub(p.sent))
		}
		for i := s.first; i < s.next; i++ {
			// A little later is not enough, it may only have been overtaken (RACK, RFC 8985).
			if p.sent.Sub(s.pieces[i].sent) > s.rtt.mean/4 {
				s.pieces[i].passed = true
			}
		}
	}
	for i := s.first; i < next; i++ {
		s.pieces[i].here = true
	}
	for s.first < s.next && s.pieces[s.first].here {
		s.first++
	}
}

// wake is when something has to be sent though nothing comes.
func (s *sender) wake() time.Time {
	var soonest time.Time
	for i := s.first; i < s.next; i++ {
		if p := s.pieces[i]; !p.here && (soonest.IsZero() || p.due.Before(soonest)) {
			soonest = p.due
		}
	}
	return soonest
}

func (s *sender) done() bool { return s.first == len(s.pieces) }

// endregion

// flying is how many pieces are on their way, as far as the sender knows.
func (s *sender) flying() (n int) {
	for i := s.first; i < s.next; i++ {
		if !s.pieces[i].here {
			n++
		}
	}
	return n
}
