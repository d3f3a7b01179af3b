package transport

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// play asks what shows the layers, one request after another. Requests that
// fail are results. If the run ends before all is asked, what was seen so far counts.
func (s *stage) play(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // lets go of answers that a layer has left open
	defer func() { s.facts(ctx.Err() != nil) }()
	for _, scene := range []func(context.Context){s.flaky, s.shared, s.redirected, s.outage, s.stale} {
		if scene(ctx); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (s *stage) all(ctx context.Context, wishes ...wish) {
	for _, w := range wishes {
		if ctx.Err() == nil {
			_, _, _ = s.ask(ctx, w) // it tells what came of it
		}
	}
}

// region scenes

// flaky is a server that fails at first. An order is sent by PUT, which may be
// repeated, by POST with a key, by which the server knows it again, and by POST.
func (s *stage) flaky(ctx context.Context) {
	const order = "two bicycles"
	s.all(ctx,
		wish{path: "/flaky", user: "alice"},
		wish{method: http.MethodPut, path: "/orders/7", user: "alice", body: order, want: "an order of 12 bytes"},
		wish{method: http.MethodPost, path: "/orders", user: "alice", body: order, header: map[string]string{"Idempotency-Key": "8c1f"}},
		wish{method: http.MethodPost, path: "/orders", user: "alice", body: order},
	)
}

// shared is a cache that several users and languages have in common.
func (s *stage) shared(ctx context.Context) {
	german, english := map[string]string{"Accept-Language": "de"}, map[string]string{"Accept-Language": "en"}
	s.all(ctx,
		wish{path: "/me", user: "alice", want: "the page of alice"},
		wish{path: "/me", user: "bob", want: "the page of bob"},
		wish{path: "/greeting", user: "alice", header: german, want: "guten Tag"},
		wish{path: "/greeting", user: "alice", header: english, want: "good day"},
		wish{path: "/greeting", user: "bob", header: german, want: "guten Tag"},
		wish{path: "/news", user: "alice"},
		wish{path: "/news", user: "bob"},
	)
	s.newsCame = time.Now()
}

// redirected is sent to another host, and http.Client goes there.
func (s *stage) redirected(ctx context.Context) { s.all(ctx, wish{path: "/moved", user: "alice"}) }

// outage is a server that answers nothing but 503 for a while.
func (s *stage) outage(ctx context.Context) {
	if s.p.Outage == 0 {
		return
	}
	s.api.setDown(true)
	before := s.api.sums().requests
	for range s.p.Outage {
		s.all(ctx, wish{path: "/status", user: "alice"})
	}
	s.inOutage = s.api.sums().requests - before
	s.api.setDown(false)
	if sleep(ctx, s.p.Cooldown) == nil {
		s.all(ctx, wish{path: "/status", user: "alice"})
	}
}

// stale is the news again, when what was kept of it has become old.
func (s *stage) stale(ctx context.Context) {
	if sleep(ctx, time.Until(s.newsCame.Add(s.p.Fresh+10*time.Millisecond))) == nil {
		s.all(ctx, wish{path: "/news", user: "alice"})
	}
}

// endregion

// act does what somebody's button says.
func (s *stage) act(ctx context.Context, action string) {
	switch action {
	case "down":
		s.api.setDown(true)
	case "up":
		s.api.setDown(false)
	case "ask":
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // as in play
		s.all(ctx, wish{path: "/status", user: "alice"}, wish{path: "/news", user: "bob"})
		s.facts(ctx.Err() != nil)
	}
}

// tally is what came of the requests. One goroutine asks at a time.
type tally struct {
	changed                  int
	refused, refusedUp       int // by the breaker; with the server working
	lostBodies               int // orders that failed on our side
	failed                   int // in another way
	wrongUser, wrongLanguage int // answers that were for another one
	inOutage                 int
	newsCame                 time.Time
}

func (t *tally) take(w wish, changed, down bool, status int, text string, err error) (wrong bool) {
	if changed {
		t.changed++
	}
	switch {
	case errors.Is(err, errOpen):
		t.refused++
		if !down {
			t.refusedUp++
		}
	case err != nil && strings.Contains(err.Error(), "with Body length"): // the transport's own
		t.lostBodies++
	case err != nil:
		t.failed++
	case status != http.StatusOK || w.want == "" || text == w.want:
	case w.body != "": // the server's book tells
		return true
	case w.header == nil:
		t.wrongUser++
		return true
	default:
		t.wrongLanguage++
		return true
	}
	return false
}
