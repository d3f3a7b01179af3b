package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"peerlab/peer"
)

type benchCmd struct {
	URL      string        `arg:"" help:"Address of the room."`
	Duration time.Duration `help:"Of each direction, 100ms to 30s." default:"5s"`
	To       string        `help:"Measure to the peer of this name (default: the first)." placeholder:"NAME"`
	JSON     bool          `name:"json" help:"Print the result as JSON."`
}

// report is the result as JSON. Rates are in bytes a second, as the receiver
// counted them.
type report struct {
	Peer    string  `json:"peer"`
	Path    string  `json:"path"`
	Relayed bool    `json:"relayed"`
	Send    through `json:"send"`
	Receive through `json:"receive"`
	RTT     rtt     `json:"rtt_ms"`
}

type through struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"bytes_per_second"`
}

type rtt struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
	Jitter float64 `json:"jitter"`
	Sent   int     `json:"sent"`
	Lost   int     `json:"lost"`
}

func (b *benchCmd) run(ctx context.Context, o *options, c *console) error {
	if b.Duration < peer.MinBench || b.Duration > peer.MaxBench {
		return fail(exitUsage, "--duration: %v is not between %v and %v", b.Duration, peer.MinBench, peer.MaxBench)
	}
	v, err := enter(ctx, b.URL, o, c, peer.Handlers{})
	if err != nil {
		return err
	}
	defer v.close()
	l, err := v.pick(ctx, b.To, nil)
	if err != nil {
		return err
	}
	r := report{Peer: l.Remote().Name, Path: l.Path().String(), Relayed: l.Path().Relayed}
	c.say("to %s. %s", printable(r.Peer), r.Path)
	for _, m := range []struct {
		dir  peer.Direction
		into *through
	}{{peer.Upload, &r.Send}, {peer.Download, &r.Receive}} {
		result, err := l.Bench().Run(ctx, m.dir, b.Duration, nil)
		if err != nil {
			return fail(exitConnection, "measure %s: %w", m.dir, err)
		}
		*m.into = through{result.Bytes, result.Took.Seconds(), result.Rate()}
	}
	r.RTT = inMilliseconds(l.Probe().RTT())
	return b.print(c, r)
}

func inMilliseconds(r peer.RTT) rtt {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return rtt{ms(r.Min), ms(r.Median), ms(r.P95), ms(r.Jitter), r.Sent, r.Lost}
}

func (b *benchCmd) print(c *console, r report) error {
	if b.JSON {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	for _, m := range []struct {
		name string
		t    through
	}{{"send", r.Send}, {"receive", r.Receive}} {
		fmt.Fprintf(c.out, "%-8s %8.1f Mbit/s  %s in %.1f s\n", m.name, m.t.Rate*8/1e6, peer.FormatSize(m.t.Bytes), m.t.Seconds)
	}
	fmt.Fprintf(c.out, "%-8s %8.1f ms      min %.1f, 95%% below %.1f, jitter %.1f; %d of %d pings lost\n",
		"rtt", r.RTT.Median, r.RTT.Min, r.RTT.P95, r.RTT.Jitter, r.RTT.Lost, r.RTT.Sent)
	return nil
}
