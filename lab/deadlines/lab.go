package deadlines

import (
	"context"
	"embed"
	"time"

	"peerlab/lab"
)

//go:embed lab.md wait.go interrupt.go guards.go stream.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Show     string        `lab:"show" label:"Show" oneof:"all sockets drip http stream" help:"one connection, slow clients against three servers, the timeouts of http.Server, a stream of events, or all of these"`
	Deadline time.Duration `lab:"deadline" label:"Deadline" default:"300" min:"100" max:"3000" unit:"ms" help:"of every kind that is set here"`
	Drips    int           `lab:"drips" label:"Slow clients" default:"6" min:"1" max:"16" unit:"clients" help:"that send a byte now and then, and come back when they are cut off"`
	Places   int           `lab:"places" label:"Places" default:"4" min:"1" max:"16" unit:"connections" help:"that a server has at a time; others wait to be accepted"`
	Pace     time.Duration `lab:"pace" label:"Pace" default:"90" min:"10" max:"3000" unit:"ms" help:"between two bytes of a slow client"`
	Polite   int           `lab:"polite" label:"Polite requests" default:"3" min:"1" max:"10" unit:"requests" help:"to each of the three servers, while the slow clients are there"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"20" max:"300" unit:"s" help:"for you and for the button, when all is measured"`
}

// bytesOfDrips is what the slow clients of a run may send, about: each byte is a
// packet on the link.
const bytesOfDrips = 6000

// Validate judges the parameters together.
func (p *Params) Validate() error {
	long := time.Duration(p.Polite) * patience * p.Deadline
	if n := int64(p.Drips) * 3 * int64(long/p.Pace); n > bytesOfDrips {
		return &lab.ParamError{Field: "pace", Message: "is too quick for so many slow clients and so long a time: choose fewer of them, a shorter deadline or fewer polite requests"}
	}
	return nil
}

// trip is a round trip of the run's link, at most; 0 on the loopback.
func trip(r *lab.Run) time.Duration {
	if r.Network() == lab.Loopback {
		return 0
	}
	return 2 * (r.Settings().Delay + r.Settings().Jitter)
}

// drip is the action, and the part that it plays again.
const drip = "drip"

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "deadlines", Title: "Deadlines", Chapter: "TCP and UDP", Question: 411,
		Ask:   "How do you set timeouts on sockets in Go, and which of them stop a slow client?",
		Files: files,
		Views: []lab.View{lab.Matrix, lab.Chart, lab.Waterfall, lab.State, lab.Lanes, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: drip, Label: "The slow clients come", Help: "They take the places of the three servers for some seconds. Try to get an answer meanwhile."},
		},
		Commands: []lab.Command{
			{Text: `time (printf 'GET / HTTP/1.1\r\n' | nc {fixed.host} {fixed.port})`, Note: "Half a header, and then nothing: over after the deadline. The same at naive waits for ever: Ctrl-C."},
			{Text: "curl -sS -m 1 {naive.url}", Note: "Press the button and try at once: all places are taken for some seconds. At fixed you wait a little."},
			{Text: "curl -sSN {naive.events}", Note: "A stream that WriteTimeout cuts off in the middle, without a word."},
			{Text: "curl -sSN {fixed.events}", Note: "The same WriteTimeout, moved before each event."},
		},
		Duration: 2 * time.Minute,
	}, run)
}

// run measures all parts at once, then stays open for people.
func run(ctx context.Context, p Params, r *lab.Run) error {
	parts := map[string]func(context.Context) error{}
	shown := func(name string) bool { return p.Show == "all" || p.Show == name }
	if shown("sockets") {
		s, err := openSockets(r.Variant("sockets"), p)
		if err != nil {
			return err
		}
		parts["sockets"] = s.measure
	}
	if shown("http") {
		t, err := openTable(ctx, r.Variant("http"), p)
		if err != nil {
			return err
		}
		parts["http"] = t.measure
	}
	sieges, err := openSieges(r, p)
	if err != nil {
		return err
	}
	if shown(drip) {
		parts[drip] = func(ctx context.Context) error { return withstand(ctx, r, sieges) }
	}
	streams, err := openStreams(r, p)
	if err != nil {
		return err
	}
	if shown("stream") {
		parts["stream"] = func(ctx context.Context) error { return watchStreams(ctx, r, streams) }
	}
	var all []func(context.Context) error
	for _, part := range parts {
		all = append(all, part)
	}
	if err := r.Together(ctx, all...); err != nil {
		return err
	}
	verdicts(sieges, streams)
	if p.Stay > 0 {
		r.Note("All is measured. The servers stay open for %s.", p.Stay)
	}
	return r.Attend(ctx, p.Stay, func(string) error { return withstand(ctx, r, sieges) })
}
