package multiplexing

import (
	"slices"
	"strings"
	"time"

	"peerlab/lab"
)

// round is what was measured in one.
type round struct {
	first, median, last time.Duration // answers complete
	silence             time.Duration // the longest one of all answers together
	connections, failed int
}

// over is the median of all rounds.
func (w *way) over(of func(round) time.Duration) time.Duration {
	var all []time.Duration
	for _, r := range w.rounds {
		all = append(all, of(r))
	}
	return lab.Median(all)
}

func last(r round) time.Duration { return r.last }

// facts tells what was measured, over all rounds so far.
func (w *way) facts() {
	failed := 0
	for _, r := range w.rounds {
		failed += r.failed
	}
	w.run.Fact("all answers after, median of the rounds", lab.Milliseconds(w.over(last)), "ms")
	w.run.Fact("one answer after, median", lab.Milliseconds(w.over(func(r round) time.Duration { return r.median })), "ms")
	w.run.Fact("longest silence, median of the rounds", lab.Milliseconds(w.over(func(r round) time.Duration { return r.silence })), "ms")
	w.run.Fact("connections", float64(w.rounds[0].connections), "")
	w.run.Fact("rounds measured", float64(len(w.rounds)), "")
	w.run.Fact("requests failed", float64(failed), "requests")
	if net := w.run.Net(); net != nil {
		s := net.Stats()
		var lost uint64
		for _, n := range s.Lost {
			lost += n
		}
		w.run.Fact("packets of the round shown", float64(s.Sent), "packets")
		w.run.Fact("of them lost", float64(lost), "packets")
	}
}

// conclude names the fastest, as measured, and how sure that is.
func conclude(p Params, r *lab.Run, all []*way) {
	best := slices.MinFunc(all, func(a, b *way) int { return int(a.over(last) - b.over(last)) })
	wins := 0
	for n := range p.Rounds {
		winner := slices.MinFunc(all, func(a, b *way) int { return int(a.rounds[n].last - b.rounds[n].last) })
		if winner == best {
			wins++
		}
	}
	var times []string
	for _, w := range all {
		times = append(times, w.name+" "+w.over(last).Round(time.Millisecond).String())
	}
	tone := lab.Good
	if 2*wins <= p.Rounds {
		tone = lab.Warn
	}
	r.Verdict(tone, "%s had all answers first: %s (medians). It was the first in %d of %d rounds.", best.name, strings.Join(times, ", "), wins, p.Rounds)
}
