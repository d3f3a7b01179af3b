package deadlines

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// ticks is how many events a stream has, a third of the deadline apart.
const ticks = 9

// stream is a server with a WriteTimeout that sends events for longer than that,
// and a client that listens.
type stream struct {
	kind string
	run  *lab.Run
	p    Params
	http *http.Client

	received int
	lasted   time.Duration
}

// region stream

// events sends some events, as an EventSource reads them. WriteTimeout counts
// from the end of the request's header, so an answer that goes on for longer is
// cut off; unless its deadline is moved along.
func (s *stream) events(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	answer := http.NewResponseController(w)
	for i := range ticks {
		if s.kind == fixed {
			if err := answer.SetWriteDeadline(time.Now().Add(s.p.Deadline)); err != nil {
				return
			}
		}
		fmt.Fprintf(w, "data: %d of %d\n\n", i+1, ticks)
		if err := answer.Flush(); err != nil {
			s.run.Note("The handler of the stream is told, at event %d: %s.", i+1, ending(err))
			return
		}
		if s.run.Sleep(req.Context(), s.p.Deadline/3) != nil {
			return
		}
	}
}

// endregion

// openStreams starts both servers.
func openStreams(r *lab.Run, p Params) (all []*stream, err error) {
	for _, kind := range []string{naive, fixed} {
		s := &stream{kind: kind, run: r.Variant(kind), p: p}
		l, err := listen(s.run, ":81")
		if err != nil {
			return nil, err
		}
		s.run.State(trace.TCP, server, "listens on", l.Addr().String())
		s.run.Live("events", "http://"+l.Addr().String()+"/events")
		serve(s.run, &http.Server{
			Handler: http.HandlerFunc(s.events), WriteTimeout: p.Deadline, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second,
		}, l)
		if s.http, err = httpClient(s.run, ":81"); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// watchStreams listens to both at once.
func watchStreams(ctx context.Context, r *lab.Run, streams []*stream) error {
	var all []func(context.Context) error
	for _, s := range streams {
		all = append(all, s.watch)
	}
	return r.Together(ctx, all...)
}

// watch listens until the stream ends.
func (s *stream) watch(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/events", nil)
	if err != nil {
		return err
	}
	end := s.run.Begin(trace.HTTP, client, "listens to events")
	began := time.Now()
	resp, err := s.http.Do(req)
	if err != nil {
		end(ending(err))
		return nil // the facts tell that nothing came
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			s.received++
			s.run.Message(trace.HTTP, server, client, "event", text)
			s.run.Sample(trace.HTTP, client, "events received", float64(s.received), "events")
		}
	}
	why := "complete"
	if err := lines.Err(); err != nil {
		why = "cut off: " + ending(err)
	}
	end(why)
	s.run.Fact("events received", float64(s.received), "events")
	s.lasted = time.Since(began)
	s.run.Fact("the stream lasted", lab.Milliseconds(s.lasted), "ms")
	return nil
}
