package fasthttp

import (
	"context"
	"embed"
	"fmt"
	"time"

	"peerlab/lab"
)

//go:embed lab.md nethttp.go fast.go load.go bare.go gives.go
var files embed.FS

// Params are the parameters of a run.
type Params struct {
	Show  string        `lab:"show" label:"Show" oneof:"all speed features" help:"speed: the load, the allocations, the memory; features: what only one of them can do"`
	Rate  int           `lab:"load" label:"Load" default:"1000" min:"50" max:"5000" unit:"requests/s" help:"that come whether the earlier ones are answered or not"`
	For   time.Duration `lab:"for" label:"For" default:"4" min:"1" max:"20" unit:"s" help:"to each server, in turns"`
	Slice time.Duration `lab:"slice" label:"A turn" default:"500" min:"200" max:"5000" unit:"ms" help:"of load to one server, then the other: what disturbs this machine disturbs both"`
	Size  int           `lab:"size" label:"Answer" default:"200" min:"1" max:"20000" unit:"B" help:"length of each answer"`
	Bare  int           `lab:"bare" label:"Bare requests" default:"3000" min:"100" max:"50000" unit:"requests" help:"one after the other on one connection, by a client that does next to nothing: to count allocations"`
	Idle  int           `lab:"idle" label:"Idle connections" default:"100" max:"150" unit:"connections" help:"held open to each server, to see what they weigh"`
	Stay  time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"on the loopback, for your own curl"`
}

// maxRequests is what a run's load comes to at most, for each server.
const maxRequests = 40_000

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if n := float64(p.Rate) * p.For.Seconds(); n > maxRequests {
		return &lab.ParamError{Field: "for", Message: fmt.Sprintf("makes %.0f requests to each server at this load, and the most is %d", n, maxRequests)}
	}
	if p.Slice > p.For {
		return &lab.ParamError{Field: "slice", Message: "is longer than the load to each server in all"}
	}
	return nil
}

// The variants.
const (
	standard = "net-http"
	fast     = "fasthttp"
)

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "fasthttp", Title: "net/http and fasthttp", Chapter: "HTTP", Question: 412,
		Ask:   "What makes fasthttp faster than net/http, by how much here, and what does it cost?",
		Files: files,
		Views: []lab.View{lab.Chart, lab.State, lab.Waterfall, lab.Lanes, lab.LogLines, lab.Packets},
		Commands: []lab.Command{
			{Text: "curl -sN {net-http.url}drip", Note: "five lines, one each 100 ms, as they are written"},
			{Text: "curl -sN {fasthttp.url}drip", Note: "the same five lines, all at once after half a second"},
			{Text: "curl -sI --http2-prior-knowledge {net-http.url}", Note: "HTTP/2; fasthttp has none: try it there"},
			{Text: "head -c 2000000 /dev/zero | curl -s --data-binary @- {fasthttp.url}upload", Note: "a body is held in memory, so there is a limit, 1 MiB here; net/http's handler reads it as it comes"},
		},
		Duration: 2 * time.Minute,
	}, run)
}

// step measures something of both servers.
type step func(ctx context.Context, p Params, r *lab.Run, both [2]*server) error

// run sets the two side by side in four ways.
func run(ctx context.Context, p Params, r *lab.Run) error {
	both, err := newBoth(p, r)
	if err != nil {
		return err
	}
	var steps []step
	if p.Show != "features" {
		steps = []step{underLoad, bare, idle}
	}
	if p.Show != "features" && r.Network() == lab.Link {
		r.Note("On the emulated link this process carries each packet itself, which is far more work than the servers have. So allocations and memory are not counted there, and the latencies are those of the link. Set the two servers side by side on the loopback.")
		steps = []step{underLoad}
	}
	if p.Show != "speed" {
		steps = append(steps, gives)
	}
	for _, measure := range steps {
		if err := measure(ctx, p, r, both); err != nil {
			if ctx.Err() != nil {
				r.Verdict(lab.Warn, "The run was over before all was measured.")
			}
			return err
		}
	}
	conclude(p, r, both)
	if p.Stay == 0 || r.Network() == lab.Link {
		return nil
	}
	r.Note("All has been measured. The servers stay open for %s: try the commands.", p.Stay)
	return r.Sleep(ctx, p.Stay)
}
