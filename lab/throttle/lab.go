package throttle

import (
	"context"
	"embed"
	"fmt"
	"time"

	"peerlab/lab"
)

//go:embed lab.md limiters.go decide.go writer.go askers.go
var files embed.FS

// Params are the parameters of a run.
type Params struct {
	Part    string        `lab:"part" label:"Show" oneof:"both requests bandwidth" help:"requests: who may ask how often; bandwidth: how fast a download may be"`
	Limiter string        `lab:"limiter" label:"Limiter" oneof:"all per-client global forwarded" help:"all: the three side by side, each with clients of its own"`
	Rate    float64       `lab:"refill" label:"Refill" default:"5" min:"0.5" max:"50" step:"0.5" unit:"tokens/s" help:"the rate that is set: a request takes one token"`
	Burst   int           `lab:"burst" label:"Burst" default:"10" min:"1" max:"50" unit:"requests" help:"the size of a bucket: so many may come at once after a pause"`
	Greed   float64       `lab:"greed" label:"Greed" default:"4" min:"1" max:"20" step:"0.5" unit:"times" help:"the rate that the greedy client asks at, with a made-up X-Forwarded-For each time"`
	Keep    int           `lab:"keep" label:"Buckets kept" default:"8" min:"1" max:"10000" help:"by the limiter per client; then the one unused for longest is forgotten"`
	For     time.Duration `lab:"for" label:"Ask for" default:"8" min:"2" max:"30" unit:"s" help:"how long the clients keep asking"`

	Bandwidth int `lab:"bandwidth" label:"Bandwidth" default:"100" min:"8" max:"5000" unit:"kB/s" help:"that a download may have; 1 kB is 1000 bytes"`
	Chunk     int `lab:"chunk" label:"Chunk" default:"10" min:"1" max:"500" unit:"kB" help:"written at a time, and the size of the bucket of bytes"`
	File      int `lab:"file" label:"File" default:"500" min:"1" max:"20000" unit:"kB" help:"that is downloaded"`

	Stay time.Duration `lab:"stay" label:"Stay open" default:"20" max:"300" unit:"s" help:"for your own curl, and for the buttons, when the clients are done"`
}

// maxRequests is how many requests a run plans for, all clients together: what
// its record has room for, twice over.
const maxRequests = 2500

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if p.Part != "bandwidth" {
		n := float64(len(p.variants())) * p.Rate * (2 + p.Greed) * p.For.Seconds()
		if n > maxRequests {
			return &lab.ParamError{Field: "for", Message: fmt.Sprintf(
				"makes %.0f requests with this refill and greed, and the most is %d: choose a shorter time, or one limiter", n, maxRequests)}
		}
	}
	if p.Part != "requests" && p.File > 30*p.Bandwidth {
		return &lab.ParamError{Field: "file", Message: fmt.Sprintf(
			"would take %d s at this bandwidth, and the most is 30 s", p.File/p.Bandwidth)}
	}
	return nil
}

// variants are the limiters of this run.
func (p *Params) variants() []string {
	if p.Limiter == "all" {
		return []string{perClient, global, forwarded}
	}
	return []string{p.Limiter}
}

// Lab describes the lab.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "throttle", Title: "Throttling", Chapter: "HTTP", Question: 413,
		Ask:   "How do you throttle network traffic in Go?",
		Files: files,
		Views: []lab.View{lab.Chart, lab.State, lab.Lanes, lab.LogLines, lab.Packets},
		Actions: []lab.Action{
			{Name: "burst", Label: "Burst now", Help: "the bursty client sends twice the size of the bucket at once"},
			{Name: "new-client", Label: "New client", Help: "one more client comes and asks steadily at half the rate"},
		},
		Commands: []lab.Command{
			{Text: "curl -i {per-client.url}", Note: "X-Tokens-Left is what remains in your bucket"},
			{Text: `for i in $(seq 30); do curl -s -o /dev/null -w '%{http_code} ' {per-client.url}; done; echo`, Note: "the bucket's worth of 200, then 429; a bucket of your own appears in the chart"},
			{Text: `curl -si -H "X-Forwarded-For: $(date +%N)" {forwarded.url}`, Note: "said to be from somebody else each time, whom nobody checks: never limited; try the same at per-client"},
			{Text: "curl -o /dev/null {bandwidth.url}", Note: "its meter comes to the bandwidth that is set"},
		},
		Duration: 2 * time.Minute,
	}, run)
}

// run does the two parts at once, and then lets outsiders play.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var parts group
	var all []*service
	if p.Part != "bandwidth" {
		if r.Network() == lab.Loopback {
			r.Note("On the loopback all hosts have one address. The servers know the run's own clients by name, as if each had an address; you, from outside, are known by yours.")
		}
		for _, name := range p.variants() {
			s, err := newService(p, r.Variant(name), name)
			if err != nil {
				return fmt.Errorf("the server of %s: %w", name, err)
			}
			all = append(all, s)
			parts.run(r, s.experiment)
		}
	}
	if p.Part != "requests" {
		d, err := newDownload(p, r.Variant("bandwidth"))
		if err != nil {
			return fmt.Errorf("the server of the download: %w", err)
		}
		parts.run(r, d.experiment)
	}
	r.Go(func(ctx context.Context) error { return act(ctx, r, all) })
	if err := parts.wait(ctx); err != nil {
		return err
	}
	if p.Stay > 0 {
		r.Note("The lab's own clients are done. The servers stay open for %s.", p.Stay)
	}
	return r.Sleep(ctx, p.Stay)
}

// act does what people ask for while it runs, in every variant alike.
func act(ctx context.Context, r *lab.Run, all []*service) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case name := <-r.Actions():
			for _, s := range all {
				s.act(name)
			}
		}
	}
}
