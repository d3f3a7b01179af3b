package pipelining

import (
	"time"

	"peerlab/lab"
)

// outcome is what came of the requests of a way.
type outcome struct {
	first, last, slow time.Duration // when answers were there
	meanFast          time.Duration // of those that were not slow
	failed, wrong     int
	twice             int // requests that the server carried out more than once
}

func (a *asker) outcome() outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	var o outcome
	var sum time.Duration
	quick := 0
	for n, r := range a.requests {
		if r.took == 0 {
			o.failed++
			continue
		}
		if o.first == 0 || r.took < o.first {
			o.first = r.took
		}
		o.last = max(o.last, r.took)
		if r.answer != n {
			o.wrong++
		}
		if n == a.p.At {
			o.slow = r.took
			continue
		}
		sum += r.took
		quick++
	}
	if quick > 0 {
		o.meanFast = sum / time.Duration(quick)
	}
	for _, times := range a.done {
		if times > 1 {
			o.twice++
		}
	}
	return o
}

// facts tells the outcome.
func (a *asker) facts() {
	o := a.outcome()
	if o.first > 0 {
		a.run.Fact("first answer after", lab.Milliseconds(o.first), "ms")
		a.run.Fact("a fast one, on average, after", lab.Milliseconds(o.meanFast), "ms")
		a.run.Fact("last answer after", lab.Milliseconds(o.last), "ms")
	}
	a.mu.Lock()
	dialled, resent := a.dialled, a.resent
	a.mu.Unlock()
	a.run.Fact("connections", float64(dialled), "")
	a.run.Fact("without an answer", float64(o.failed), "requests")
	a.run.Fact("answers taken for another's", float64(o.wrong), "answers")
	if a.p.Close > 0 {
		a.run.Fact("sent again", float64(resent), "requests")
		a.run.Fact("carried out twice", float64(o.twice), "requests")
	}
}

// conclude says for each way what its figures come to.
func conclude(p Params, all []*asker) {
	by := map[string]outcome{}
	for _, a := range all {
		by[a.name] = a.outcome()
	}
	for _, a := range all {
		o := by[a.name]
		fastOnes, alone := lab.Milliseconds(o.meanFast), lab.Milliseconds(p.Fast)
		switch {
		case o.failed > 0:
			a.run.Verdict(lab.Bad, "%d requests were left without an answer: the server had closed the connection, and the client would not guess which of them had been carried out.", o.failed)
		case o.wrong > 0:
			a.run.Verdict(lab.Bad, "%d of %d answers were taken for another request's, and nobody noticed: no error anywhere.", o.wrong, p.Requests)
		case a.name == disorder:
			a.run.Verdict(lab.Warn, "This time the answers happened to be in order. Nothing makes them so.")
		case p.At < p.Requests && p.Slow > p.Fast && o.meanFast > p.Slow:
			why := "answers leave in the order of the requests"
			if a.name == oneByOne {
				why = "a request is sent when the one before it has its answer"
			}
			a.run.Verdict(lab.Warn, "A fast request, which takes the server %.0f ms, had its answer after %.0f ms on average: it stood behind the slow one, as %s.", alone, fastOnes, why)
		default:
			a.run.Verdict(lab.Good, "A fast request, which takes the server %.0f ms, had its answer after %.0f ms on average: it did not stand behind the slow one.", alone, fastOnes)
		}
	}
}
