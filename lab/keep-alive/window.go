package keepalive

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"peerlab/lab"
)

// steps is how many pauses are tried.
const steps = 9

// windows has clients be silent for just about as long as the server waits, and
// then send a POST. One of them leaves closing to the server; the other closes
// first, after half the time.
func (l *live) windows(ctx context.Context) error {
	r := l.variant("window")
	s, err := newServer(ctx, r, l.p, l.p.ServerIdle, true)
	if err != nil {
		return err
	}
	t := &tally{}
	var all []func(context.Context) error
	for i := range steps {
		pause := l.pause(i)
		for _, c := range []struct {
			name string
			idle time.Duration
		}{
			{"waits for the server", time.Minute},
			{"closes first", l.p.ServerIdle / 2},
		} {
			row := "pause of " + inMS(pause)
			r.Cell(row, c.name, "…", nil)
			all = append(all, func(ctx context.Context) error {
				return l.tire(ctx, r, s, row, c.name, pause, c.idle, t)
			})
		}
	}
	if err := r.Together(ctx, all...); err != nil {
		return err
	}
	failed := t.failed["waits for the server"]
	r.Fact("POSTs that failed, of 9", float64(len(failed)), "requests")
	r.Fact("of a client that closes first, of 9", float64(len(t.failed["closes first"])), "requests")
	if len(failed) == 0 {
		r.Verdict(lab.Warn, "No POST came just when the server closed: on this network the window is too narrow for %d tries. It is a round trip wide.", steps)
		return nil
	}
	r.Verdict(lab.Bad, "%d of %d POSTs failed, after %s of silence: they were on their way when the server, tired after %s, closed. Of the client that closes first %d failed.",
		len(failed), steps, between(failed), inMS(l.p.ServerIdle), len(t.failed["closes first"]))
	return nil
}

// pause is the one of a step. The server's clock starts one way before the
// client has the answer, and what it sees of the client is one way old. So the
// window is a round trip wide and ends when the server's FIN is here.
func (l *live) pause(step int) time.Duration {
	rtt := 2 * l.delay()
	width := max(2*rtt, 20*time.Millisecond)
	from := l.p.ServerIdle - width*3/4
	return max(0, from+width*time.Duration(step)/(steps-1))
}

// delay is that of the link, one way.
func (l *live) delay() time.Duration {
	if l.run.Network() == lab.Link {
		return l.run.Settings().Delay
	}
	return 0
}

// tally collects the pauses after which requests failed.
type tally struct {
	mu     sync.Mutex
	failed map[string][]time.Duration
}

func (t *tally) add(client string, pause time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = map[string][]time.Duration{}
	}
	t.failed[client] = append(t.failed[client], pause)
}

// between are the shortest and the longest of some pauses.
func between(all []time.Duration) string {
	least, most := slices.Min(all), slices.Max(all)
	if least == most {
		return inMS(least)
	}
	return inMS(least) + " to " + inMS(most)
}

// inMS is a duration for people, to a tenth of a millisecond.
func inMS(d time.Duration) string {
	return fmt.Sprintf("%g ms", lab.Milliseconds(d.Round(100*time.Microsecond)))
}

// region window

// tire uses a connection, is silent, and sends a POST on it.
func (l *live) tire(ctx context.Context, r *lab.Run, s *server, row, column string, pause, idle time.Duration, t *tally) error {
	c, err := newClient(ctx, r, s, pooled(0, 0, idle))
	if err != nil {
		return err
	}
	c.quiet = true
	defer c.transport.CloseIdleConnections()
	if err := c.warm(ctx); err != nil {
		return l.failed(ctx, r, row, column, err)
	}
	if err := r.Sleep(ctx, pause); err != nil {
		return nil
	}
	req, err := c.post("/", true)
	if err != nil {
		return err
	}
	res, err := c.send(ctx, "POST", req, drain)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		if res.reused {
			t.add(column, pause)
		}
		r.Cell(row, column, "failed ("+short(err)+")", nil)
	case res.reused:
		r.Cell(row, column, "on the old connection", nil)
	default:
		r.Cell(row, column, "on a new connection", nil)
	}
	return nil
}

// endregion
