package transport

import (
	"fmt"
	"slices"
	"strings"

	"peerlab/lab"
)

// found is what the servers and the client saw.
type found struct {
	mostLines   int // of Authorization in one request
	elsewhere   int // requests with a token at the other host
	emptyBodies int
	bookedTwice int
	bookedEmpty int
}

func (s *stage) found() (f found) {
	for _, x := range s.api.ours() {
		f.mostLines = max(f.mostLines, len(x.authorization))
		if (x.method == "POST" || x.method == "PUT") && len(x.body) == 0 && !x.cut {
			f.emptyBodies++
		}
	}
	for _, x := range s.elsewhere.ours() {
		if len(x.authorization) > 0 {
			f.elsewhere++
		}
	}
	f.bookedTwice, f.bookedEmpty = s.api.booked()
	return f
}

// facts tells what was measured, and what it comes to.
func (s *stage) facts() {
	f, t := s.found(), s.tally
	fact := func(name string, n int, unit string) { s.run.Fact(name, float64(n), unit) }
	fact("seen by api", len(s.api.ours()), "requests")
	fact("connections to api", int(s.dialled.Load()), "")
	fact("answered without the network", s.onlooker.withoutNetwork(), "requests")
	fact("answers meant for somebody else", t.wrongUser+t.wrongLanguage, "answers")
	fact("requests that a layer changed", t.changed, "requests")
	fact("Authorization lines in one request, at most", f.mostLines, "lines")
	fact("tokens told to the other host", f.elsewhere, "tokens")
	fact("bodies that arrived empty", f.emptyBodies, "requests")
	fact("orders booked once too often", f.bookedTwice, "orders")
	if s.p.Body == "known" {
		fact("orders that failed on our own side", t.lostBodies, "orders")
	}
	fact("refused by the breaker", t.refused, "requests")
	if s.p.Outage > 0 {
		fact("reached api while it was down", t.inOutage, "requests")
	}
	s.conclude(f)
}

// conclude says in words what was wrong, and why.
func (s *stage) conclude(f found) {
	var wrong []string
	say := func(n int, format string, args ...any) {
		if n > 0 {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	why := "the cache goes by the URL alone"
	if s.name == careful {
		why = "the cache stands outside auth and never saw whose request it was"
	}
	say(s.wrongUser, "somebody was given another user's page, as %s", why)
	say(s.wrongLanguage, "an answer came in the wrong language, as the cache does not look at Vary")
	say(f.elsewhere, "the token was told to another host, as auth stands below the redirect and did not look where the request goes")
	say(f.emptyBodies, "%d orders were sent without their content, as the first attempt had read the body (%d of them were accepted)", f.emptyBodies, f.bookedEmpty)
	say(s.lostBodies, "%d orders failed on our own side, as a body of known length had been read by the first attempt", s.lostBodies)
	say(f.bookedTwice, "one order is %d times in the book, as a POST was repeated that had been carried out", f.bookedTwice+1)
	say(f.mostLines-1, "up to %d Authorization lines stood in one request, as each attempt added one to the same request", f.mostLines)
	say(s.changed, "%d of the caller's requests came back changed: a second goroutine that holds one of them would have a data race", s.changed)
	say(s.refusedUp, "%d requests were refused while the server worked, as the failures before them had opened the breaker", s.refusedUp)
	switch {
	case len(wrong) > 0:
		text := strings.Join(wrong, "; ") + "."
		s.run.Verdict(lab.Bad, "%s", strings.ToUpper(text[:1])+text[1:])
	case !slices.Contains(s.order, authing):
		s.run.Verdict(lab.Warn, "Nothing went wrong, but without auth nobody was known to the server.")
	default:
		s.run.Verdict(lab.Good, "Every attempt was whole and had one token, no host got a token that is not its own, and nobody was given another one's answer; %d answers came without the network.", s.onlooker.withoutNetwork())
	}
}
