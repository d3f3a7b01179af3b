package deadlines

import (
	"fmt"
	"strings"

	"peerlab/lab"
)

// verdicts says of each server what it has come to.
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
			if st.received < ticks {
				tone = lab.Bad
				said = append(said, fmt.Sprintf("Its stream was cut off by its own WriteTimeout after %d of %d events.", st.received, ticks))
			} else {
				said = append(said, "Its stream moves the write deadline before each event, and was complete.")
			}
		}
		if len(said) > 0 {
			s.run.Verdict(tone, "%s", strings.Join(said, " "))
		}
	}
}

// verdict is the sentence on the slow clients.
func (s *siege) verdict() string {
	why := map[string]string{
		naive:    "No deadline: %d slow clients kept all its places.",
		idleOnly: "A deadline renewed by every byte never falls due: %d slow clients kept all its places.",
		fixed:    "A deadline for the whole header: %d slow clients lost their places again and again.",
	}[s.kind]
	if s.kind != fixed && s.p.Drips < s.p.Places {
		why = "%d slow clients are fewer than its places, and kept theirs."
	}
	return fmt.Sprintf(why+" %d of %d polite requests were answered.", s.p.Drips, s.answered, s.asked)
}
