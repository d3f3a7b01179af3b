package pipelining

import (
	"time"

	"peerlab/lab"
)

// outcome is what came of the requests of a way.
type outcome struct {
	first, last, slow time.Duration // when answers were there
	meanFast          time.Duration // of those that were not slow
	behind            int           // of these, how many came after the slow one
	meanBehind        time.Duration
	failed, wrong     int
	twice             int // requests that the server carried out more than once
}

func (a *asker) outcome() outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	var o outcome
	var sum, sumBehind time.Duration
	quick := 0
	if slow := a.requests[a.p.At]; slow != nil {
		o.slow = slow.took
	}
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
			continue
		}
		sum += r.took
		quick++
		if o.slow > 0 && r.took > o.slow {
			sumBehind += r.took
			o.behind++
		}
	}
	if quick > 0 {
		o.meanFast = sum / time.Duration(quick)
	}
	if o.behind > 0 {
		o.meanBehind = sumBehind / time.Duration(o.behind)
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
	for _, a := range all {
		o := a.outcome()
		fastOnes, alone := lab.Milliseconds(o.meanFast), lab.Milliseconds(p.Fast)
		switch {
		case o.failed > 0 && p.Close > 0:
			a.run.Verdict(lab.Bad, "%d requests were left without an answer: the server had closed the connection, and the client would not guess which of them had been carried out.", o.failed)
		case o.failed > 0:
			a.run.Verdict(lab.Bad, "%d requests were left without an answer.", o.failed)
		case o.wrong > 0:
			a.run.Verdict(lab.Bad, "%d of %d answers were taken for another request's, and nobody noticed: no error anywhere.", o.wrong, p.Requests)
		case a.name == disorder:
			a.run.Verdict(lab.Warn, "This time the answers happened to be in order. Nothing makes them so.")
		case p.Slow <= p.Fast || p.At == p.Requests && o.behind == 0:
			a.run.Verdict(lab.Good, "Nobody stood behind a slow one. A request that takes the server %.0f ms had its answer after %.0f ms on average.", alone, fastOnes)
		case o.behind > 0:
			a.run.Verdict(lab.Warn, "%d of the others had their answers after the slow one, %.0f ms after they were wanted on average, though they take the server %.0f ms: %s.", o.behind, lab.Milliseconds(o.meanBehind), alone, a.why())
		default:
			a.run.Verdict(lab.Good, "A fast request, which takes the server %.0f ms, had its answer after %.0f ms on average: none of them stood behind the slow one.", alone, fastOnes)
		}
	}
}

// why requests come to stand behind a slow one.
func (a *asker) why() string {
	switch a.name {
	case oneByOne:
		return "a request is sent when the one before it has its answer"
	case h2:
		return "not by any rule of HTTP/2, but a new connection or a packet that was lost holds up all streams"
	}
	return "answers leave in the order of the requests"
}
