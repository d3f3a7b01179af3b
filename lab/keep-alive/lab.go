package keepalive

import (
	"context"
	"embed"
	"strconv"
	"strings"
	"time"

	"peerlab/lab"
)

//go:embed lab.md ways.go pool.go retry.go window.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Part       string        `lab:"part" label:"Part" oneof:"all reuse bursts retry window delays" help:"one of them, or all"`
	Way        string        `lab:"way" label:"Way" oneof:"all kept undrained forgotten off" help:"to treat the responses, in the part reuse; off is DisableKeepAlives"`
	Requests   int           `lab:"requests" label:"Requests" default:"4" min:"1" max:"20" unit:"requests" help:"one after the other, of each way"`
	TLS        string        `lab:"tls" label:"TLS" oneof:"1.3 1.2 off" help:"its handshake comes after that of TCP"`
	Size       int           `lab:"size" label:"Answer" default:"16" max:"1000" unit:"kB" help:"to each request of the part reuse"`
	Think      time.Duration `lab:"think" label:"Think" default:"5" max:"500" unit:"ms" help:"that the server takes before it answers"`
	Burst      int           `lab:"burst" label:"Burst" default:"6" min:"1" max:"20" unit:"requests" help:"at once"`
	Rounds     int           `lab:"rounds" label:"Bursts" default:"3" min:"1" max:"10" unit:"bursts" help:"one after the other"`
	PerHost    int           `lab:"per-host" label:"MaxIdleConnsPerHost" default:"0" max:"50" unit:"connections" help:"of the narrow pool; 0 is the default of package http, 2"`
	InAll      int           `lab:"in-all" label:"MaxIdleConns" default:"100" max:"100" unit:"connections" help:"of all servers together; 0: no limit"`
	Idle       time.Duration `lab:"idle" label:"IdleConnTimeout" default:"200" min:"20" max:"10000" unit:"ms" help:"after which the client closes an idle connection, in the part bursts"`
	ServerIdle time.Duration `lab:"server-idle" label:"Server's patience" default:"400" min:"100" max:"5000" unit:"ms" help:"after which the server closes an idle connection, in the part window and for you"`
	Against    string        `lab:"against" label:"Delays" default:"5 20 80" maxlen:"30" on:"link" help:"in ms, up to five: of the links in the part delays"`
	Stay       time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for the buttons and your own curl"`
}

// Bounds of the delays.
const (
	maxDelays = 5
	maxDelay  = 300 // ms
)

// Validate judges what the tags can't.
func (p *Params) Validate() error {
	words := strings.Fields(p.Against)
	if len(words) > maxDelays {
		return &lab.ParamError{Field: "against", Message: "may have five delays at most"}
	}
	seen := map[int]bool{}
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 0 || n > maxDelay || seen[n] {
			return &lab.ParamError{Field: "against", Message: "must be different numbers from 0 to 300, with spaces between"}
		}
		seen[n] = true
	}
	return nil
}

func (p *Params) delays() (all []time.Duration) {
	for _, w := range strings.Fields(p.Against) {
		if n, err := strconv.Atoi(w); err == nil {
			all = append(all, time.Duration(n)*time.Millisecond)
		}
	}
	return all
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "keep-alive", Title: "Kept alive", Chapter: "HTTP", Question: 410,
		Ask:   "What keeps an HTTP connection from being used again, and what does it cost?",
		Files: files,
		Views: []lab.View{lab.Waterfall, lab.Matrix, lab.Chart, lab.Lanes, lab.State, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: "again", Label: "One more each", Help: "A request of each way, on whatever connection there is."},
			{Name: "hang-up", Label: "Hang up", Help: "The servers close all their connections, as when they are restarted."},
		},
		Commands: []lab.Command{
			{Text: "curl -s -o /dev/null -w '%{num_connects} opened\\n' {url} -o /dev/null {url}", Note: "Two requests: the second one opens none."},
			{Text: "curl -s -H 'Connection: close' -o /dev/null -w '%{num_connects} opened\\n' {url} -o /dev/null {url}", Note: "As DisableKeepAlives does it."},
			{Text: "curl -s --rate 1/s -o /dev/null -w '%{num_connects} opened\\n' {url} -o /dev/null {url}", Note: "With a second between them the server has closed meanwhile, unless its patience is longer."},
			{Text: "(printf 'GET /warm HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'; sleep 2) | nc {host} {port}", Note: "Watch how long the connection stays after the answer."},
		},
		Duration: time.Minute,
	}, run)
}

// live is all that one run has open.
type live struct {
	run  *lab.Run
	p    Params
	ways []*way
}

func run(ctx context.Context, p Params, r *lab.Run) error {
	l := &live{run: r, p: p}
	if r.Network() == lab.Loopback {
		if err := openDoor(ctx, r, p); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"reuse", l.reuse}, {"bursts", l.bursts}, {"retry", l.retries}, {"window", l.windows}, {"delays", l.delays},
	} {
		if p.Part != "all" && p.Part != part.name {
			continue
		}
		if err := part.do(ctx); err != nil {
			return err
		}
	}
	return l.stay(ctx)
}

// variant is one for a part whose packets are only kept if it is the one that
// was asked for: together they are more than anybody reads.
func (l *live) variant(name string) *lab.Run {
	if l.run.Network() == lab.Link && l.p.Part == "all" {
		return l.run.VariantOnLink(name, lab.Emulation{Link: l.run.Settings().Link(), Quiet: true})
	}
	return l.run.Variant(name)
}

// stay takes the actions until the time is over.
func (l *live) stay(ctx context.Context) error {
	switch {
	case l.p.Stay > 0 && l.run.Network() == lab.Loopback:
		l.run.Note("All is done. The lab stays open for %s: try the commands and the buttons.", l.p.Stay)
	case l.p.Stay > 0:
		l.run.Note("All is done. The lab stays open for %s: try the buttons.", l.p.Stay)
	}
	return l.run.Attend(ctx, l.p.Stay, func(action string) error {
		if action == "hang-up" {
			for _, w := range l.ways {
				w.client.run.Note("The server hangs up: %d connections closed.", w.server.hangUp())
			}
			return nil
		}
		return l.each(ctx, func(ctx context.Context, w *way) error {
			defer w.conclude(ctx)
			return w.ask(ctx)
		})
	})
}
