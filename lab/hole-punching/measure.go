package holepunching

import (
	"context"
	"fmt"
	"sync"

	"peerlab/lab"
	"peerlab/trace"
)

// measure begins to try again and again, on networks like those shown whose
// packets are not recorded. The channel is closed when all have been counted.
func measure(p Params, r *lab.Run, shown []*stage) (measured <-chan struct{}, err error) {
	var counting sync.WaitGroup
	done := make(chan struct{})
	for _, s := range shown {
		if p.Tries == 0 {
			break
		}
		quiet := &stage{p: p, predict: s.predict, quiet: true}
		quiet.run = r.VariantOnLink(s.name()+"-odds", lab.Emulation{Link: r.Settings().Link(), Quiet: true})
		if err := quiet.open(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name(), err)
		}
		counting.Add(1)
		r.Go(func(ctx context.Context) error {
			defer counting.Done()
			return quiet.count(ctx, s.run)
		})
	}
	r.Go(func(context.Context) error {
		defer close(done)
		counting.Wait()
		return nil
	})
	return done, nil
}

// count makes the tries, each a new flow, and tells to the run shown how many
// of them connected.
func (s *stage) count(ctx context.Context, shown *lab.Run) error {
	connected := 0
	for n := 1; n <= s.p.Tries; n++ {
		a, b, err := s.try(ctx, n)
		a.close()
		b.close()
		if err != nil {
			return err
		}
		if a.ok && b.ok {
			connected++
		}
		shown.Sample(trace.App, "", "tries connected", float64(connected), "tries")
	}
	shown.Fact("tries", float64(s.p.Tries), "tries")
	shown.Fact("tries connected", float64(connected), "tries")
	shown.Fact("odds, measured", 100*float64(connected)/float64(s.p.Tries), "%")
	shown.Fact("odds, by arithmetic", 100*odds(s.p, s.predict), "%")
	return nil
}
