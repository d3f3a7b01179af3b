package fasthttp

import (
	"fmt"
	"slices"

	"peerlab/lab"
)

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// conclude sets the figures side by side in sentences.
func conclude(p Params, r *lab.Run, both [2]*server) {
	n, f := both[0], both[1]
	switch {
	case p.Show == "features":
	case len(n.bareRates) > 0:
		tone, faster := compare(n.bareRates, f.bareRates)
		r.Verdict(tone, "Here, one after the other on one connection, %s; net/http makes %.1f allocations for a request, fasthttp %.1f. Under the load the medians are %.2f ms and %.2f ms: %s",
			faster, n.allocs, f.allocs, n.latencies.at(50), f.latencies.at(50), judge(n, f))
	default:
		r.Verdict(lab.Warn, "Over the link the medians under load are %.1f ms by net/http and %.1f ms by fasthttp: %s", n.latencies.at(50), f.latencies.at(50), judge(n, f))
	}
	if p.Show == "speed" {
		return
	}
	if n.unanswered+f.unanswered > 0 {
		for _, s := range both {
			s.run.Verdict(lab.Warn, "%d of 5 things that were asked had no answer: this link is too bad to tell the two apart.", s.unanswered)
		}
		return
	}
	n.run.Verdict(lab.Good, "The first of five lines came after %.0f ms; work %s; %s; HTTP/2: %s; a path that a handler kept %s.",
		lab.Milliseconds(n.firstLine), n.work(), "an upload of 2 MiB: "+n.uploaded, yes(n.http2), n.remembered)
	f.run.Verdict(lab.Warn, "The first of five lines came after %.0f ms, with the last; work %s; %s; HTTP/2: %s; a path that a handler kept %s.",
		lab.Milliseconds(f.firstLine), f.work(), "an upload of 2 MiB: "+f.uploaded, yes(f.http2), f.remembered)
}

// compare says which is faster, if it is so in each round: the two of a round were
// disturbed by the same.
func compare(standard, fast []float64) (lab.Tone, string) {
	var ratios []float64
	for i := range fast {
		ratios = append(ratios, fast[i]/standard[i])
	}
	least, most := slices.Min(ratios), slices.Max(ratios)
	switch {
	case least > 1:
		return lab.Good, fmt.Sprintf("fasthttp is %.2f to %.2f times as fast, by round", least, most)
	case most < 1:
		return lab.Warn, fmt.Sprintf("net/http is %.2f to %.2f times as fast, by round", 1/most, 1/least)
	}
	return lab.Warn, fmt.Sprintf("neither is faster in every round (fasthttp is %.2f to %.2f times as fast), so the difference is within the noise of this machine", least, most)
}

// work tells what a handler did for a client that left.
func (s *server) work() string {
	if s.stopped < maxWork {
		return fmt.Sprintf("stopped %.0f ms after it began, as the client had left", lab.Milliseconds(s.stopped))
	}
	return fmt.Sprintf("went on for %.0f ms for a client that had left", lab.Milliseconds(s.stopped))
}

// judge says whether the difference of the medians is more than their noise.
func judge(n, f *server) string {
	if failed := n.failed + f.failed; failed > 0 {
		return fmt.Sprintf("those of the requests that were answered; %d of %d had no answer in time.", failed, n.sent+f.sent)
	}
	a, b := n.latencies.at(50), f.latencies.at(50)
	spread := max(n.latencies.at(75)-n.latencies.at(25), f.latencies.at(75)-f.latencies.at(25))
	if diff := max(a-b, b-a); diff < spread/2 {
		return "no difference that a client would notice."
	}
	return fmt.Sprintf("a difference of %.2f ms.", max(a-b, b-a))
}
