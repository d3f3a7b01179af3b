package multiplexing

import (
	"context"
	"embed"
	"fmt"
	"time"

	"peerlab/lab"
)

//go:embed lab.md ways.go quic.go progress.go
var files embed.FS

// Params are the parameters of a run.
type Params struct {
	Requests int           `lab:"requests" label:"Requests" default:"12" min:"1" max:"60" unit:"requests" help:"all wanted at the same moment, before there is any connection"`
	Pool     int           `lab:"pool" label:"Connections" default:"6" min:"1" max:"16" unit:"connections" help:"that HTTP/1.1 may have; browsers take 6. HTTP/2 and HTTP/3 have one"`
	Size     int           `lab:"size" label:"Answer" default:"20" min:"1" max:"200" unit:"kB" help:"length of each answer; 1 kB is 1000 bytes"`
	Think    time.Duration `lab:"think" label:"Think" default:"10" max:"500" unit:"ms" help:"that the server takes before each answer"`
	Rounds   int           `lab:"rounds" label:"Rounds" default:"5" min:"1" max:"20" unit:"rounds" help:"the first is shown; all are measured, each with new connections and other losses"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"on the loopback, for your own curl, when the rounds are done"`
}

// maxKilobytes is how much all answers of a round are at most: a record has
// room for the packets.
const maxKilobytes = 1000

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if all := p.Requests * p.Size; all > maxKilobytes {
		return &lab.ParamError{Field: "size", Message: fmt.Sprintf("makes %d kB of answers with that many requests, and the most is %d kB", all, maxKilobytes)}
	}
	return nil
}

// The ways.
const (
	h1 = "h1"
	h2 = "h2"
	h3 = "h3"
)

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "multiplexing", Title: "Multiplexing", Chapter: "HTTP", Question: 417,
		Ask:      "What is multiplexing, and what does a lost packet do to the requests that share a connection?",
		Files:    files,
		Views:    []lab.View{lab.Waterfall, lab.Chart, lab.Packets, lab.Lanes, lab.LogLines},
		Networks: []lab.Network{lab.Link, lab.Loopback},
		Defaults: map[string]string{"delay": "30", "loss": "2"},
		Commands: []lab.Command{
			{Text: `curl -sk --http1.1 -Z --parallel-immediate --parallel-max 6 -w '%{time_total} s, %{num_connects} new connection\n' -o /dev/null '{url}[1-12]'`, Note: "six connections at once, and six of the twelve find one that is there"},
			{Text: `curl -sk --http2 -Z -w '%{time_total} s, %{num_connects} new connection\n' -o /dev/null '{url}[1-12]'`, Note: "one connection for all of them"},
		},
		Duration: time.Minute,
	}, run)
}

// run shows the first round of all ways at once and measures the others.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var all []*way
	for _, name := range []string{h1, h2, h3} {
		w, err := newWay(p, r, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, w)
	}
	var measuring []func(context.Context) error
	for _, w := range all {
		measuring = append(measuring, w.show)
	}
	if err := r.Together(ctx, measuring...); err != nil {
		return err
	}
	measuring = nil
	for _, w := range all {
		measuring = append(measuring, w.measure)
	}
	if err := r.Together(ctx, measuring...); err != nil {
		return err
	}
	conclude(p, r, all)
	if p.Stay == 0 || r.Network() == lab.Link {
		return nil
	}
	r.Note("The rounds are done. The servers stay open for %s: try the commands.", p.Stay)
	return r.Sleep(ctx, p.Stay)
}
