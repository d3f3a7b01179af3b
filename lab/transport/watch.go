package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"peerlab/lab"
	"peerlab/trace"
)

// network is the innermost of all: the transport that the layers are around.
const network = "network"

// answerColumn is what the caller had of a request in the end.
const answerColumn = "answer"

// onlooker shows requests on their way through the layers: a span for each
// layer that one is in, and a row of the table for each request.
type onlooker struct {
	run   *lab.Run
	names []string // of the layers, the outermost first, and the network

	mu       sync.Mutex
	requests int
	row      string // of the latest
	inside   int    // answered without the network
}

func newOnlooker(run *lab.Run, order []string) *onlooker {
	o := &onlooker{run: run}
	seen := map[string]bool{}
	for _, name := range slices.Concat(order, []string{network}) {
		if seen[name] {
			name += "-2"
		}
		seen[name] = true
		o.names = append(o.names, name)
	}
	return o
}

// passage is one request on its way.
type passage struct {
	row string

	mu    sync.Mutex
	times map[string]int // a layer: how often it had the request
}

// stop is one request in one layer, once.
type stop struct {
	mu     sync.Mutex
	remark string
}

type (
	passageKey struct{}
	stopKey    struct{}
)

// remark tells what a layer does with a request, for people who watch.
func remark(req *http.Request, format string, args ...any) {
	if s, ok := req.Context().Value(stopKey{}).(*stop); ok {
		s.mu.Lock()
		s.remark = fmt.Sprintf(format, args...)
		s.mu.Unlock()
	}
}

// entrance numbers requests before they reach the first layer.
func (o *onlooker) entrance(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		o.mu.Lock()
		o.requests++
		p := &passage{times: map[string]int{}, row: fmt.Sprintf("%d %s %s", o.requests, req.Method, label(req))}
		if user := userOf(req); user != "" {
			p.row += " for " + user
		}
		o.row = p.row
		o.mu.Unlock()
		end := o.run.Begin(trace.HTTP, "client", p.row)
		resp, err := next.RoundTrip(req.WithContext(context.WithValue(req.Context(), passageKey{}, p)))
		end(outcomeOf(req.Context(), resp, err))
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, name := range o.names {
			if p.times[name] == 0 {
				o.run.Cell(p.row, name, "–", map[string]string{"why": "never got here"})
			}
		}
		o.run.Cell(p.row, answerColumn, "–", nil)
		if p.times[network] == 0 && err == nil {
			o.mu.Lock()
			o.inside++
			o.mu.Unlock()
		}
		return resp, err
	})
}

// around watches one layer.
func (o *onlooker) around(name string, l layer) layer {
	return func(next http.RoundTripper) http.RoundTripper {
		inner := l(next)
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			p, ok := req.Context().Value(passageKey{}).(*passage)
			if !ok {
				return inner.RoundTrip(req)
			}
			s := &stop{}
			p.mu.Lock()
			p.times[name]++
			time := p.times[name] // the first, the second…
			p.mu.Unlock()
			if time == 1 {
				o.run.Cell(p.row, name, "…", nil)
			}
			end := o.run.Begin(trace.HTTP, "client", name)
			resp, err := inner.RoundTrip(req.WithContext(context.WithValue(req.Context(), stopKey{}, s)))
			s.mu.Lock()
			said, came := s.remark, outcomeOf(req.Context(), resp, err)
			s.mu.Unlock()
			cell := came
			if said != "" {
				cell, came = said, said+"; "+came
			}
			if time > 1 {
				cell += fmt.Sprintf(" ×%d", time)
			}
			end(came)
			o.run.Cell(p.row, name, cell, map[string]string{"why": came})
			return resp, err
		})
	}
}

// outcomeOf is what came of a request with this context, which is cancelled by
// the end of the run alone: its sockets are closed then, and errors tell of that.
func outcomeOf(ctx context.Context, resp *http.Response, err error) string {
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return "failed the run was over"
	case errors.Is(err, errOpen):
		return "refused"
	case err != nil:
		return "failed with " + err.Error()
	}
	return fmt.Sprint(resp.StatusCode)
}

// answered shows what the caller got for the latest request; wrong tells that it
// was meant for somebody else.
func (o *onlooker) answered(text string, wrong bool) {
	o.mu.Lock()
	row := o.row
	o.mu.Unlock()
	if wrong {
		text = "failed not what was asked for: " + text
	}
	o.run.Cell(row, answerColumn, text, nil)
}

// withoutNetwork is how many requests a layer has answered by itself.
func (o *onlooker) withoutNetwork() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.inside
}
