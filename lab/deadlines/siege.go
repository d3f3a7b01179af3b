package deadlines

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"peerlab/lab"
	"peerlab/trace"
)

// maxTold is how many changes by outsiders are recorded, so that somebody who
// comes without end leaves room for the others.
const maxTold = 400

// patience of a polite client, in deadlines, beside two round trips.
const patience = 3

// siege is one server whose places slow clients take, while polite ones ask.
type siege struct {
	kind string
	run  *lab.Run
	p    Params
	http *http.Client

	mu     sync.Mutex
	places map[net.Conn]time.Time // taken since
	full   chan struct{}          // not nil: closed when all are taken
	held   time.Duration          // the longest that one was
	filled bool                   // all were taken before polite clients came
	told   int                    // changes by outsiders
	cut    int                    // slow clients that were cut off

	answered, asked int           // polite requests of the last time
	waited          time.Duration // the longest of an answered one
}

// openSieges starts the three servers.
func openSieges(r *lab.Run, p Params) (all []*siege, err error) {
	for _, kind := range []string{naive, idleOnly, fixed} {
		s := &siege{kind: kind, run: r.Variant(kind), p: p, places: map[net.Conn]time.Time{}}
		l, err := listen(s.run, ":80")
		if err != nil {
			return nil, err
		}
		s.run.State(trace.TCP, server, "listens on", l.Addr().String())
		s.run.LiveAt(l.Addr(), "port")
		s.run.Live("url", "http://"+l.Addr().String()+"/")
		hello := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			io.WriteString(w, "Here you are.\n")
		})
		srv, l := guarded(kind, p.Deadline, netutil.LimitListener(l, p.Places), hello)
		srv.ConnState = s.state
		serve(s.run, srv, l)
		if s.http, err = httpClient(s.run, ":80"); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// state is told by the server what becomes of its connections.
func (s *siege) state(c net.Conn, now http.ConnState) {
	outside := s.run.HostOf(c.RemoteAddr()) == ""
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now {
	case http.StateNew:
		s.places[c] = time.Now()
	case http.StateClosed, http.StateHijacked:
		s.held = max(s.held, time.Since(s.places[c]))
		delete(s.places, c)
	default:
		return
	}
	if len(s.places) >= s.p.Places && s.full != nil {
		close(s.full)
		s.full = nil
	}
	if outside {
		if s.told++; s.told > maxTold {
			return
		}
	}
	s.run.Sample(trace.TCP, server, "places taken", float64(len(s.places)), "places")
	s.run.State(trace.TCP, server, "places", fmt.Sprintf("%d of %d taken", len(s.places), s.p.Places))
}

// withstand lets the slow clients come to all servers at once.
func withstand(ctx context.Context, r *lab.Run, sieges []*siege) error {
	var all []func(context.Context) error
	for _, s := range sieges {
		all = append(all, s.withstand)
	}
	return r.Together(ctx, all...)
}

// withstand lets slow clients take the places, and polite ones ask, until those
// have been answered or have had enough.
func (s *siege) withstand(ctx context.Context) error {
	full := make(chan struct{})
	s.mu.Lock()
	s.full, s.held, s.cut, s.filled = full, 0, 0, false
	s.mu.Unlock()
	theirs, enough := context.WithCancel(ctx)
	defer enough()
	all := []func(context.Context) error{func(ctx context.Context) error {
		defer enough()
		select {
		case <-full:
			s.filled = true
		case <-time.After(2*s.p.Deadline + 2*trip(s.run)): // they are too few to fill it
		case <-ctx.Done():
			return ctx.Err()
		}
		return s.polite(ctx)
	}}
	for i := range s.p.Drips {
		all = append(all, func(context.Context) error { return s.slow(theirs, i+1) })
	}
	if err := s.run.Together(ctx, all...); err != nil {
		return err
	}
	s.facts()
	return nil
}

// polite asks, one request after another, and gives up on each in time.
func (s *siege) polite(ctx context.Context) error {
	s.answered, s.asked, s.waited = 0, 0, 0
	for i := range s.p.Polite {
		end := s.run.Begin(trace.HTTP, client, "polite request "+strconv.Itoa(i+1))
		began := time.Now()
		status, err := s.get(ctx)
		took := time.Since(began)
		if ctx.Err() != nil {
			end("the run is over")
			return ctx.Err()
		}
		s.asked++
		if err != nil {
			end("gave up")
			s.run.Message(trace.HTTP, client, server, "gives up", fmt.Sprintf("after %.0f ms", lab.Milliseconds(took)))
			continue
		}
		end(status)
		s.answered++
		s.waited = max(s.waited, took)
		s.run.Message(trace.HTTP, server, client, status, fmt.Sprintf("after %.0f ms", lab.Milliseconds(took)))
	}
	return nil
}

func (s *siege) get(ctx context.Context) (status string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience*s.p.Deadline+2*trip(s.run))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/", nil)
	if err != nil {
		return "", err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Status, err
}

// slow is a client that never finishes its header, and comes back when it is
// cut off, until ctx ends.
func (s *siege) slow(ctx context.Context, number int) error {
	h, err := s.run.Host(client)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		c, err := h.DialContext(ctx, "tcp", "server:80")
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		end := s.run.Begin(trace.TCP, client, "slow client "+strconv.Itoa(number))
		if s.drip(ctx, c) {
			end("was cut off")
			s.mu.Lock()
			s.cut++
			s.mu.Unlock()
		} else {
			end("has had enough")
		}
	}
	return nil
}

// drip sends a header byte by byte, for as long as it may. It tells whether it
// was the server that ended it.
func (s *siege) drip(ctx context.Context, c net.Conn) (cut bool) {
	gone := make(chan struct{})
	s.run.Go(func(context.Context) error {
		defer close(gone)
		io.Copy(io.Discard, c) // until either side closes
		return nil
	})
	defer func() {
		c.Close()
		<-gone
	}()
	tick := time.NewTicker(s.p.Pace)
	defer tick.Stop()
	const header = "GET / HTTP/1.1\r\nHost: server\r\nX-More: "
	for i := 0; ; i++ {
		b := byte('x')
		if i < len(header) {
			b = header[i]
		}
		if _, err := c.Write([]byte{b}); err != nil {
			return ctx.Err() == nil
		}
		select {
		case <-tick.C:
		case <-gone:
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		}
	}
}

// facts tells what came of it.
func (s *siege) facts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held
	for _, since := range s.places {
		held = max(held, time.Since(since))
	}
	s.run.Fact("polite requests answered", float64(s.answered), "requests")
	s.run.Fact("slow clients cut off", float64(s.cut), "times")
	s.run.Fact("longest that a place was held", lab.Milliseconds(held), "ms")
	if s.answered > 0 {
		s.run.Fact("longest wait of a polite request", lab.Milliseconds(s.waited), "ms")
	}
}
