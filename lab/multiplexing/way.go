package multiplexing

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// way is one way to ask, and what it was measured to do.
type way struct {
	p      Params
	name   string
	run    *lab.Run // whose lanes and facts are its
	shown  *place
	quiet  *place // for the rounds that are only measured
	began  time.Time
	rounds []round
}

// Bounds of time: with many losses a round takes long.
const (
	maxRound     = 30 * time.Second // then what is not there has failed
	maxMeasuring = 20 * time.Second // then a way begins no more rounds
)

// place is a server, a client, and what lies between them.
type place struct {
	p      Params
	name   string // of the way
	run    *lab.Run
	server *server
	client *lab.Host
}

// newWay opens the servers of a way: one for the round that is shown, and on
// the link another one on a network whose packets are not recorded.
func newWay(p Params, r *lab.Run, name string) (*way, error) {
	w := &way{p: p, name: name, run: r.Variant(name), began: time.Now()}
	var err error
	if w.shown, err = newPlace(p, name, w.run); err != nil {
		return nil, err
	}
	w.run.State(trace.TCP, "server", "listens on", w.shown.server.addr.String())
	if name == h2 && r.Network() == lab.Loopback {
		r.Live("url", "https://"+w.shown.server.addr.String()+"/")
	}
	if w.quiet = w.shown; r.Network() == lab.Loopback || p.Rounds == 1 {
		return w, nil
	}
	link := r.Settings().Link()
	link.Seed++
	w.quiet, err = newPlace(p, name, r.VariantOnLink(name+"-measured", lab.Emulation{Link: link, Quiet: true}))
	return w, err
}

func newPlace(p Params, name string, r *lab.Run) (*place, error) {
	at := &place{p: p, name: name, run: r}
	host, err := r.Host("server")
	if err != nil {
		return nil, err
	}
	if at.client, err = r.Host("client"); err != nil {
		return nil, err
	}
	at.server, err = newServer(p, r, host, name)
	return at, err
}

// show has one round in the record.
func (w *way) show(ctx context.Context) error {
	got, err := w.shown.round(ctx, w.run)
	if err != nil {
		return err
	}
	w.rounds = append(w.rounds, got)
	w.facts()
	return nil
}

// measure has the other rounds, one after the other.
func (w *way) measure(ctx context.Context) error {
	for n := 2; n <= w.p.Rounds && time.Since(w.began) < maxMeasuring; n++ {
		got, err := w.quiet.round(ctx, nil)
		if err != nil {
			return err
		}
		w.rounds = append(w.rounds, got)
		if got.failed == 0 {
			w.run.Sample(trace.App, "", "all answers of a round", lab.Milliseconds(got.last), "ms")
		}
	}
	w.facts()
	return nil
}

// round has all requests answered once, on new connections. With shown it is
// recorded there.
func (at *place) round(ctx context.Context, shown *lab.Run) (round, error) {
	p := &progress{run: shown, began: time.Now()}
	inTime, cancel := context.WithTimeout(ctx, maxRound)
	defer cancel()
	var requests []func(context.Context) error
	client, err := at.dialer()
	if err != nil {
		return round{}, err
	}
	defer client.close()
	for n := 1; n <= at.p.Requests; n++ { // all are wanted now
		a := p.begin(n)
		requests = append(requests, func(ctx context.Context) error {
			err := a.get(inTime, client)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			a.finish(err)
			return nil
		})
	}
	if err := at.run.Together(ctx, requests...); err != nil {
		return round{}, err
	}
	return p.result(client.connections()), nil
}

// get has one request answered and takes down when its bytes come.
func (a *answer) get(ctx context.Context, c client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://%s/%d", serverName, a.number), nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return a.read(resp.Body)
}
