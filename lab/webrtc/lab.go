package webrtc

import (
	"context"
	"embed"
	"time"

	"peerlab/lab"
)

//go:embed lab.md peer.go signaling.go negotiate.go life.go sdp.go summary.go delivery.go pool.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Show    string        `lab:"show" label:"Show" oneof:"life delivery pool" help:"life: from the offer to the first message; delivery: what a channel promises, under loss; pool: several channels against one"`
	NAT     string        `lab:"nat" label:"NAT" oneof:"home none" help:"life: home: behind a NAT each; none: on the internet itself"`
	Compare string        `lab:"compare" label:"Compare" oneof:"all trickle verify channel retry" help:"life: what two ways to connect differ in; all: the first three at once"`
	Retry   time.Duration `lab:"retry" label:"DTLS repeats after" default:"100" min:"20" max:"2000" unit:"ms" help:"life; the default of Pion is 1000"`
	Outage  time.Duration `lab:"outage" label:"Outage" default:"0" max:"2000" unit:"ms" help:"life: the line is down that long, just as DTLS begins"`
	Losing  float64       `lab:"losing" label:"Loss once open" default:"5" max:"30" unit:"%" help:"delivery and pool: of packets, when the channels are open"`
	Count   int           `lab:"count" label:"Messages" default:"150" min:"10" max:"400" unit:"messages" help:"delivery and pool; of 200 and of 1000 bytes"`
	Pace    time.Duration `lab:"pace" label:"Pace" default:"20" min:"5" max:"500" unit:"ms" help:"delivery: between two messages"`
	Patient time.Duration `lab:"lifetime" label:"Lifetime" default:"150" min:"10" max:"2000" unit:"ms" help:"delivery: how long a message of that channel is repeated"`
	Pool    int           `lab:"pool" label:"Pool of" default:"4" min:"2" max:"8" unit:"channels" help:"pool: and of as many connections"`
	Stay    time.Duration `lab:"stay" label:"Stay connected" default:"4" max:"120" unit:"s" help:"life: a message every 200 ms, for the buttons"`
}

// Validate refuses a comparison that has nothing to compare.
func (p *Params) Validate() error {
	if p.Show == "life" && p.Compare == "retry" && p.Outage == 0 {
		return &lab.ParamError{Field: "outage", Message: "must be above 0 to compare how soon DTLS repeats what an outage took"}
	}
	if p.Show == "life" && p.Compare == "retry" && p.Retry >= usualRetry {
		return &lab.ParamError{Field: "retry", Message: "must be below 1000 ms to be compared with that, the default"}
	}
	return nil
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "webrtc", Title: "The life of a connection", Chapter: "NAT and peer to peer", Question: 415,
		Ask:   "What happens between the offer and the first message of a WebRTC connection, and what does it cost?",
		Files: files,
		Views: []lab.View{lab.Lanes, lab.Waterfall, lab.Document, lab.State, lab.Packets, lab.Chart, lab.LogLines},
		Actions: []lab.Action{
			{Name: "cut", Label: "Cut for a second", Help: "Nothing crosses the internet for a second."},
			{Name: "restart", Label: "ICE restart", Help: "New names, keys and checks; the connection and its channel stay."},
		},
		Networks: []lab.Network{lab.Link}, Prefix: internets[0], Duration: time.Minute,
		Defaults: map[string]string{"delay": "40"},
	}, run)
}

func run(ctx context.Context, p Params, r *lab.Run) error {
	switch p.Show {
	case "delivery":
		return p.delivery(ctx, r)
	case "pool":
		return p.pool(ctx, r)
	}
	return p.life(ctx, r)
}

// twin is one of the ways to connect that are compared.
type twin struct {
	name string
	manner
}

// twins are those that the parameters ask for: the plain way first.
func (p Params) twins() []twin {
	plain := manner{verify: true, retry: p.Retry}
	quick := manner{trickle: true, negotiated: true, retry: p.Retry}
	other := quick
	switch p.Compare {
	case "trickle":
		other.trickle = false
		return []twin{{"whole", other}, {"trickle", quick}}
	case "verify":
		other.verify = true
		return []twin{{"cookie", other}, {"no-cookie", quick}}
	case "channel":
		other.negotiated = false
		return []twin{{"announced", other}, {"negotiated", quick}}
	case "retry":
		other.retry = usualRetry
		return []twin{{"after-1-s", other}, {"sooner", quick}}
	}
	return []twin{{"plain", plain}, {"tuned", quick}}
}

// life runs the calls side by side, each on a network of its own.
func (p Params) life(ctx context.Context, r *lab.Run) error {
	var calls []*call
	defer func() {
		for _, c := range calls {
			c.close()
		}
	}()
	var all []func(context.Context) error
	for i, t := range p.twins() {
		c, err := newCall(ctx, r, t.name, i, p, t.manner)
		if c != nil {
			calls = append(calls, c)
		}
		if err != nil {
			return err
		}
		c.explain = i == 0
		all = append(all, c.live)
	}
	r.Note("Under Document is the offer of %s, line by line, and the answer to it.", p.twins()[0].name)
	for _, c := range calls {
		c.clock.start(c.r) // in their order, not in that of goroutines
	}
	r.Go(func(ctx context.Context) error { return attend(ctx, r, calls) })
	return r.Together(ctx, all...)
}

// attend does what people ask for, until the run is over.
func attend(ctx context.Context, r *lab.Run, calls []*call) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case action := <-r.Actions():
			for _, c := range calls {
				if err := c.act(ctx, action); err != nil {
					c.r.Note("That came to nothing: %v.", err)
				}
			}
		}
	}
}
