package multiplexing

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"peerlab/lab"
)

// round is what was measured in one.
type round struct {
	median, last        time.Duration // answers complete; 0 if there were none
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

// last is when all answers were there: never, if one failed.
func last(r round) time.Duration {
	if r.failed > 0 {
		return never
	}
	return r.last
}

// ofAnswers is what a round tells, if it had any answer.
func ofAnswers(of func(round) time.Duration) func(round) time.Duration {
	return func(r round) time.Duration {
		if r.median == 0 {
			return never
		}
		return of(r)
	}
}

const never = time.Duration(math.MaxInt64)

// facts tells what was measured, over all rounds so far.
func (w *way) facts() {
	failed := 0
	for _, r := range w.rounds {
		failed += r.failed
	}
	for _, f := range []struct {
		name string
		of   func(round) time.Duration
	}{
		{"all answers after, median of the rounds", last},
		{"one answer after, median", ofAnswers(func(r round) time.Duration { return r.median })},
		{"longest silence, median of the rounds", ofAnswers(func(r round) time.Duration { return r.silence })},
	} {
		if took := w.over(f.of); took != never {
			w.run.Fact(f.name, lab.Milliseconds(took), "ms")
		}
	}
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

// conclude names the fastest, as measured, and how sure that is. What counts are
// the rounds that all have made.
func conclude(p Params, r *lab.Run, all []*way) {
	rounds := p.Rounds
	for _, w := range all {
		rounds = min(rounds, len(w.rounds))
	}
	if rounds < p.Rounds {
		r.Note("%d of %d rounds were made by all: more would take too long here.", rounds, p.Rounds)
	}
	best := slices.MinFunc(all, func(a, b *way) int { return cmp.Compare(a.over(last), b.over(last)) })
	if best.over(last) == never {
		r.Verdict(lab.Bad, "None had all answers in most of the rounds: requests failed on each of the ways.")
		return
	}
	wins := 0
	for n := range rounds {
		winner := slices.MinFunc(all, func(a, b *way) int { return cmp.Compare(last(a.rounds[n]), last(b.rounds[n])) })
		if winner == best {
			wins++
		}
	}
	var times []string
	for _, w := range all {
		took := "not all"
		if all := w.over(last); all != never {
			took = fmt.Sprintf("%.0f ms", lab.Milliseconds(all))
		}
		times = append(times, w.name+" "+took)
	}
	tone := lab.Good
	if 2*wins <= rounds {
		tone = lab.Warn
	}
	r.Verdict(tone, "%s had all answers first: %s (medians). It was the first in %d of %d rounds.", best.name, strings.Join(times, ", "), wins, rounds)
}
