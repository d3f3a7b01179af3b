package keepalive

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// delays measures, on emulated links of several lengths, what a handshake for
// each request costs.
func (l *live) delays(ctx context.Context) error {
	if l.run.Network() != lab.Link {
		if l.p.Part == "delays" {
			l.run.Note("The table by delays needs the emulated link.")
		}
		return nil
	}
	grid := l.run.Variant("delays")
	all := []func(context.Context) error{}
	for _, delay := range l.p.delays() {
		row := fmt.Sprintf("%d ms each way", delay.Milliseconds())
		for _, column := range []string{"kept", "not kept", "lost a request"} {
			grid.Cell(row, column, "…", nil)
		}
		all = append(all, func(ctx context.Context) error { return l.at(ctx, grid, row, delay) })
	}
	return l.run.Together(ctx, all...)
}

// at measures one link.
func (l *live) at(ctx context.Context, grid *lab.Run, row string, delay time.Duration) error {
	link := l.run.Settings().Link()
	link.Delay = delay
	r := l.run.VariantOnLink("delay-"+strconv.Itoa(int(delay.Milliseconds())), lab.Emulation{Link: link, Quiet: true})
	s, err := newServer(ctx, r, l.p, time.Minute, true)
	if err != nil {
		return err
	}
	var kept, not time.Duration
	if err := r.Together(ctx,
		func(ctx context.Context) error { return l.medianOf(ctx, r, s, true, &kept) },
		func(ctx context.Context) error { return l.medianOf(ctx, r, s, false, &not) },
	); err != nil {
		return err
	}
	if kept == 0 || not == 0 {
		grid.Cell(row, "lost a request", "failed (a request had no answer)", nil)
		return nil
	}
	lost := not - kept
	grid.Cell(row, "kept", fmt.Sprintf("%.1f ms", lab.Milliseconds(kept)), nil)
	grid.Cell(row, "not kept", fmt.Sprintf("%.1f ms", lab.Milliseconds(not)), nil)
	text := fmt.Sprintf("%.1f ms", lab.Milliseconds(lost))
	if delay > 0 {
		trips := float64(lost) / float64(2*delay)
		text += fmt.Sprintf(", %.1f round trips", trips)
		grid.Fact(fmt.Sprintf("lost a request at %d ms", delay.Milliseconds()), trips, "round trips")
	}
	grid.Cell(row, "lost a request", text, nil)
	for _, line := range []struct {
		name string
		took time.Duration
	}{{"kept", kept}, {"not kept", not}, {"lost a request", lost}} {
		grid.Point(trace.HTTP, line.name, lab.Milliseconds(line.took), "ms", "delay each way", lab.Milliseconds(delay), "ms")
	}
	return nil
}

// enough is how many requests are measured for a cell.
const enough = 3

// medianOf measures requests on connections that are kept, or are not. If one
// fails it stays 0.
func (l *live) medianOf(ctx context.Context, r *lab.Run, s *server, keep bool, median *time.Duration) error {
	c, err := newClient(ctx, r, s, func(t *http.Transport) { t.DisableKeepAlives = !keep })
	if err != nil {
		return err
	}
	c.quiet = true
	defer c.transport.CloseIdleConnections()
	var took []time.Duration
	for i := range enough + 1 {
		req, err := c.get("/warm")
		if err != nil {
			return err
		}
		res, err := c.send(ctx, "GET", req, drain)
		if err != nil {
			return nil // on a link that loses much, a result
		}
		if i > 0 { // the first one dials in any case
			took = append(took, res.took)
		}
	}
	*median = lab.Median(took)
	return nil
}
