package throttle

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/trace"
)

// service is one variant: a server with its limiters, and the clients.
type service struct {
	p        Params
	run      *lab.Run
	limiters limiters
	began    time.Time
	clients  []*asker // the three that the facts are about

	mu      sync.Mutex
	later   int               // clients that came by the button
	outside map[string]*tally // by address, at most maxShown
	drawn   map[string]point  // last sampled
	told    *rate.Limiter     // events about outsiders
}

// newService opens the server and makes the clients.
func newService(p Params, r *lab.Run, variant string) (*service, error) {
	s := &service{p: p, run: r, outside: map[string]*tally{}, drawn: map[string]point{}, told: rate.NewLimiter(20, 60)}
	var err error
	s.limiters, err = newLimiters(p, variant, s.forgotten)
	if err != nil {
		return nil, err
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		io.WriteString(w, "Here you are, "+who(req)+".\n")
	})
	_, addr, err := serve(r, limit(s.limiters, who, s.decided, hello))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{steady, bursty, greedy} {
		a, err := newAsker(r, name)
		if err != nil {
			return nil, err
		}
		s.clients = append(s.clients, a)
	}
	r.Live("url", "http://"+addr.String()+"/")
	return s, nil
}

// experiment has the clients ask for as long as they should and reports what
// came of it.
func (s *service) experiment(ctx context.Context) error {
	s.run.Go(s.draw)
	var asking group
	s.began = time.Now()
	for _, a := range s.clients {
		asking.run(s.run, func(ctx context.Context) error {
			a.ask(ctx, s.plan(a.name), s.began, s.began.Add(s.p.For))
			return nil
		})
	}
	defer s.report() // of what there was, if it was stopped
	return asking.wait(ctx)
}

// decided records what the server decided about a request. It is the server's
// side: the clients record their own.
func (s *service) decided(d decision) {
	if !strings.ContainsAny(d.client, ".:") {
		return // a host of the run, which records its own requests; an address is an outsider
	}
	s.mu.Lock()
	t := s.outside[d.client]
	if t == nil && len(s.outside) < maxShown {
		t = &tally{}
		s.outside[d.client] = t
	}
	s.mu.Unlock()
	t.add(d.allowed, d.retry)
	if !s.told.Allow() {
		return // counted, but a flood from outside should not fill the record
	}
	text := "200"
	if !d.allowed {
		text = "429"
	}
	s.run.Add(trace.Event{
		Kind: trace.Message, Layer: trace.HTTP, From: "server", To: lab.Outside, Name: text,
		Text:  fmt.Sprintf("to %s, %.1f tokens left", d.client, d.left),
		Attrs: map[string]string{"client": d.client, "bucket": d.bucket},
	})
}

// forgotten notes that a bucket was pushed out by a newer one.
func (s *service) forgotten(bucket string) {
	s.run.Note("The bucket of %s was forgotten to make room. Should it come back, it begins with a full one.", bucket)
}

// sampleEvery is how often the buckets are looked at.
const sampleEvery = 100 * time.Millisecond

// draw samples the buckets until the run ends. What has not changed is not
// drawn again.
func (s *service) draw(ctx context.Context) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		buckets := s.limiters.shown()
		s.samples(buckets)
		if n%5 == 0 {
			s.states(buckets)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			clear(s.drawn) // what has not changed goes on to the end, too
			s.samples(s.limiters.shown())
			return nil
		}
	}
}

func (s *service) samples(buckets map[string]*rate.Limiter) {
	for _, name := range slices.Sorted(maps.Keys(buckets)) {
		s.sample("tokens of "+name, buckets[name].Tokens(), "tokens")
	}
	s.sample("buckets kept", float64(s.limiters.kept()), "buckets")
}

// point is a sample that was drawn, and how often the same value has been left
// out since.
type point struct {
	value   float64
	skipped int
}

// sample draws a value. One that stays the same is drawn now and then only, and
// once more before it changes, so that the line stays level until then.
func (s *service) sample(name string, value float64, unit string) {
	last, known := s.drawn[name]
	if known && last.value == value && last.skipped < 20 {
		s.drawn[name] = point{value, last.skipped + 1}
		return
	}
	if known && last.skipped > 0 && last.value != value {
		s.run.Sample(trace.App, "server", name, last.value, unit)
	}
	s.drawn[name] = point{value: value}
	s.run.Sample(trace.App, "server", name, value, unit)
}

// states shows who got what so far.
func (s *service) states(buckets map[string]*rate.Limiter) {
	s.state("buckets kept", fmt.Sprint(s.limiters.kept()))
	for name, l := range buckets {
		s.state("bucket of "+name, fmt.Sprintf("%.1f of %d tokens", l.Tokens(), l.Burst()))
	}
	for _, a := range s.clients {
		s.state("client "+a.name, a.tally.String())
	}
	s.mu.Lock()
	outside := maps.Clone(s.outside)
	s.mu.Unlock()
	for name, t := range outside {
		s.state("client "+name, t.String())
	}
}

func (s *service) state(key, value string) {
	s.run.State(trace.App, "server", key, value)
}
