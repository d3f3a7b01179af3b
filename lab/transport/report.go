package transport

import (
	"fmt"
	"slices"
	"strings"

	"peerlab/lab"
)

// facts tells what was measured, and what it comes to. cut: the run ended before
// all was asked.
func (s *stage) facts(cut bool) {
	api, elsewhere, t := s.api.sums(), s.elsewhere.sums(), s.tally
	twice, empty := s.api.booked()
	fact := func(name string, n int, unit string) { s.run.Fact(name, float64(n), unit) }
	fact("seen by api", api.requests, "requests")
	fact("connections to api", int(s.dialled.Load()), "")
	fact("answered without the network", s.onlooker.withoutNetwork(), "requests")
	fact("answers meant for somebody else", t.wrongUser+t.wrongLanguage, "answers")
	fact("requests that a layer changed", t.changed, "requests")
	fact("Authorization lines in one request, at most", api.mostLines, "lines")
	fact("tokens told to the other host", elsewhere.withToken, "tokens")
	fact("bodies that arrived empty", api.emptyBodies, "requests")
	fact("orders booked once too often", twice, "orders")
	if s.p.Body == "known" {
		fact("orders that failed on our own side", t.lostBodies, "orders")
	}
	fact("refused by the breaker", t.refused, "requests")
	if s.p.Outage > 0 {
		fact("reached api while it was down", t.inOutage, "requests")
	}
	if t.failed > 0 {
		fact("requests that failed on the network", t.failed, "requests")
	}
	s.conclude(cut, api, elsewhere, twice, empty)
}

// conclude says in words what was wrong, and why.
func (s *stage) conclude(cut bool, api, elsewhere sums, twice, empty int) {
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
	say(elsewhere.withToken, "the token was told to another host, as auth stands below the redirect and did not look where the request goes")
	say(api.emptyBodies, "%d times an order arrived without its content, as the first attempt had read the body (%d of them are in the book)", api.emptyBodies, empty)
	say(s.lostBodies, "orders failed on our own side (%d), as a body of known length had been read by the first attempt", s.lostBodies)
	say(twice, "one order is %d times in the book, as a POST was repeated that had been carried out", twice+1)
	say(api.mostLines-1, "up to %d Authorization lines stood in one request, as each attempt added one to the same request", api.mostLines)
	say(s.changed, "%d of the caller's requests came back changed: a second goroutine that holds one of them would have a data race", s.changed)
	say(s.refusedUp, "%d requests were refused while the server worked, as the failures before them had opened the breaker", s.refusedUp)
	text := strings.Join(wrong, "; ")
	switch {
	case cut && len(wrong) > 0:
		s.run.Verdict(lab.Bad, "The run was over before all was asked. Until then %s.", text)
	case cut:
		s.run.Verdict(lab.Warn, "The run was over before all was asked. Until then nothing went wrong.")
	case len(wrong) > 0:
		s.run.Verdict(lab.Bad, "%s%s.", strings.ToUpper(text[:1]), text[1:])
	case s.failed > 0:
		s.run.Verdict(lab.Warn, "%d requests failed on the network; nothing else went wrong.", s.failed)
	case !slices.Contains(s.order, authing):
		s.run.Verdict(lab.Warn, "Nothing went wrong, but without auth nobody was known to the server.")
	default:
		s.run.Verdict(lab.Good, "Every attempt was whole and had one token, no host got a token that is not its own, and nobody was given another one's answer; answers that came without the network: %d.", s.onlooker.withoutNetwork())
	}
}
