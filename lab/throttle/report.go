package throttle

import (
	"context"
	"fmt"
	"peerlab/lab"
	"time"
)

// report tells what came of the experiment, as the clients saw it.
func (s *service) report() {
	accepted, refused, failed, skipped := 0, 0, 0, 0
	var retry, behind, slowest time.Duration
	for _, a := range s.clients {
		s.run.Fact(a.name+": let through", a.tally.share(), "%")
		t := &a.tally
		t.mu.Lock()
		accepted, refused, failed, skipped = accepted+t.accepted, refused+t.refused, failed+t.failed, skipped+t.skipped
		retry, behind, slowest = max(retry, t.retry), max(behind, t.behind), max(slowest, t.slowest)
		t.mu.Unlock()
		if a.name == greedy {
			got := t.rate(s.began)
			s.run.Fact(a.name+": rate once the burst is used up", got, "requests/s")
			s.run.Fact(a.name+": rate, of the one set", 100*got/s.p.Rate, "%")
		}
	}
	s.run.Fact("accepted (200)", float64(accepted), "requests")
	s.run.Fact("refused (429)", float64(refused), "requests")
	s.run.Fact("longest Retry-After", retry.Seconds(), "s")
	s.run.Fact("buckets kept", float64(s.limiters.kept()), "buckets")
	s.run.Fact("slowest answer", lab.Milliseconds(slowest), "ms")
	s.run.Fact("most a request was sent too late", lab.Milliseconds(behind), "ms") // this machine was busy
	if failed > 0 {
		s.run.Fact("without an answer", float64(failed), "requests")
	}
	if skipped > 0 {
		s.run.Fact("not sent: too many were waiting", float64(skipped), "requests")
	}
}

// maxLater is how many clients can come by the button.
const maxLater = 9

// act does what somebody asked for by a button. It does not block.
func (s *service) act(name string) {
	switch name {
	case "burst":
		for _, a := range s.clients {
			if a.name == bursty {
				s.run.Note("%s sends %d requests at once.", bursty, s.plan(bursty).n)
				a.send(s.plan(bursty), &group{})
			}
		}
	case "new-client":
		s.mu.Lock()
		s.later++
		n := s.later
		s.mu.Unlock()
		if n > maxLater {
			s.run.Note("No more than %d clients can come.", maxLater)
			return
		}
		a, err := newAsker(s.run, fmt.Sprintf("late-%d", n))
		if err != nil {
			s.run.Note("The client could not come: %v.", err)
			return
		}
		s.run.Note("%s comes and asks every %s.", a.name, s.plan(a.name).every)
		s.run.Go(func(ctx context.Context) error {
			a.ask(ctx, s.plan(a.name), time.Now(), time.Now().Add(s.p.For))
			return nil
		})
	}
}
