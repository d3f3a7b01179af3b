package deadlines

import (
	"fmt"
	"strings"

	"peerlab/lab"
)

// verdicts says of each kind of server what it has come to.
func verdicts(sieges []*siege, streams []*stream) {
	for _, s := range sieges {
		tone, said := lab.Good, []string(nil)
		if s.asked > 0 {
			said = append(said, s.verdict())
			if s.answered < s.asked {
				tone = lab.Bad
			}
		}
		for _, st := range streams {
			if st.kind != s.kind || st.lasted == 0 {
				continue
			}
			said = append(said, st.verdict())
			if st.received < ticks {
				tone = lab.Bad
			}
		}
		if len(said) > 0 {
			s.run.Verdict(tone, "%s", strings.Join(said, " "))
		}
	}
}

// verdict is the sentence on the slow clients.
func (s *siege) verdict() string {
	clients := lab.Plural(s.p.Drips, "slow client")
	var what string
	switch {
	case s.kind == fixed && s.cut > 0:
		what = "A deadline for the whole header: " + clients + " lost their places again and again."
	case s.kind == fixed:
		what = "A deadline for the whole header, which cut nobody off meanwhile."
	case s.kind == idleOnly && s.cut > 0:
		what = fmt.Sprintf("A deadline for each Read: slow clients were cut off %s, when their next byte came too late.", lab.Plural(s.cut, "time"))
	case !s.filled:
		what = clients + " did not fill its places, and kept theirs."
	case s.kind == naive:
		what = "No deadline: " + clients + " kept all its places."
	default:
		what = "A deadline renewed by every byte never falls due: " + clients + " kept all its places."
	}
	return fmt.Sprintf("%s %d of %d polite requests were answered.", what, s.answered, s.asked)
}

// verdict is the sentence on the stream of events.
func (st *stream) verdict() string {
	which := "A stream under WriteTimeout"
	if st.kind == fixed {
		which = "A stream that moves its write deadline before each event"
	}
	if st.received == ticks {
		return which + " was complete."
	}
	return fmt.Sprintf("%s was cut off after %d of %d events.", which, st.received, ticks)
}
