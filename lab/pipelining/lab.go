package pipelining

import (
	"context"
	"embed"
	"fmt"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

//go:embed lab.md pipeline.go disorder.go nethttp.go fast.go
var files embed.FS

// Params are the parameters of a run.
type Params struct {
	Way      string        `lab:"way" label:"Show" oneof:"all one-by-one pipelined fasthttp h2 disorder" help:"all: side by side, each with a server and one connection of its own"`
	Requests int           `lab:"requests" label:"Requests" default:"6" min:"2" max:"30" unit:"requests" help:"all wanted at the same moment, on a connection that is there already"`
	Slow     time.Duration `lab:"slow" label:"The slow one" default:"300" max:"3000" unit:"ms" help:"that the server takes for one of them"`
	At       int           `lab:"at" label:"Its place" default:"1" min:"1" max:"30" help:"1: the slow one is first"`
	Fast     time.Duration `lab:"fast" label:"The others" default:"10" max:"500" unit:"ms" help:"that the server takes for each of the others"`
	Size     int           `lab:"size" label:"Answer" default:"2" max:"200" unit:"kB" help:"length of each answer; 1 kB is 1000 bytes"`
	Close    int           `lab:"close" label:"Close after" default:"0" max:"30" unit:"answers" help:"then the server closes the connection, as servers may at any time; 0: it stays open"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for your own nc and curl, and for the button, when the answers are there"`
}

// The limits of what a run plans for.
const maxWork = 30 * time.Second

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if p.At > p.Requests {
		return &lab.ParamError{Field: "at", Message: fmt.Sprintf("is a place among the requests, and there are %d", p.Requests)}
	}
	if took := p.Slow + time.Duration(p.Requests-1)*p.Fast; took > maxWork {
		return &lab.ParamError{Field: "fast", Message: fmt.Sprintf("would take %.0f s one after the other, and the most is %.0f s", took.Seconds(), maxWork.Seconds())}
	}
	return nil
}

// The ways.
const (
	oneByOne  = "one-by-one"
	pipelined = "pipelined"
	fast      = "fasthttp"
	h2        = "h2"
	disorder  = "disorder"
)

func (p *Params) ways() []string {
	if p.Way == "all" {
		return []string{oneByOne, pipelined, fast, h2, disorder}
	}
	return []string{p.Way}
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "pipelining", Title: "Pipelining", Chapter: "HTTP", Question: 419,
		Ask:     "What is HTTP pipelining, why does Go's client decline it, and what does HTTP/2 do better?",
		Files:   files,
		Views:   []lab.View{lab.Waterfall, lab.Chart, lab.Lanes, lab.Packets, lab.LogLines},
		Actions: []lab.Action{{Name: "again", Label: "Once more", Help: "the same requests on the same connections, if they are still open"}},
		Commands: []lab.Command{
			{Text: `printf 'GET /1?ms=800 HTTP/1.1\r\nHost: lab\r\n\r\nGET /2?ms=10 HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n' | nc {pipelined.host} {pipelined.port}`, Note: "two requests in one go: both answers come after 0.8 s, in order. Go's server takes pipelined requests, one at a time"},
			{Text: `printf 'GET /1?ms=800 HTTP/1.1\r\nHost: lab\r\n\r\nGET /2?ms=10 HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n' | nc {disorder.host} {disorder.port}`, Note: "the server that answers in the order in which it is done: the first answer is to the second request, and nothing but its X-Answer-To says so"},
			{Text: `curl -s --http2-prior-knowledge -Z -w '%{url_effective} after %{time_total} s\n' -o /dev/null -o /dev/null '{h2.url}1?ms=800' '{h2.url}2?ms=10'`, Note: "two streams of one connection: the fast one does not wait"},
		},
	}, run)
}

// run asks by each way at the same time, and then again when told to.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var all []*asker
	for _, name := range p.ways() {
		a, err := newAsker(p, r.Variant(name), name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer a.close()
		all = append(all, a)
	}
	if err := together(ctx, r, all, (*asker).open); err != nil {
		return err
	}
	if err := together(ctx, r, all, (*asker).round); err != nil {
		return err
	}
	conclude(p, all)
	switch {
	case p.Stay > 0 && r.Network() == lab.Loopback:
		r.Note("The answers are there. The servers stay open for %s: try the commands, and the button.", p.Stay)
	case p.Stay > 0:
		r.Note("The answers are there. The connections stay open for %s: try the button.", p.Stay)
	}
	return r.Attend(ctx, p.Stay, func(string) error {
		if err := together(ctx, r, all, (*asker).round); err != nil {
			return err
		}
		conclude(p, all)
		return nil
	})
}

// together has all ways do the same at once.
func together(ctx context.Context, r *lab.Run, all []*asker, do func(*asker, context.Context) error) error {
	var each []func(context.Context) error
	for _, a := range all {
		each = append(each, func(ctx context.Context) error { return do(a, ctx) })
	}
	return r.Together(ctx, each...)
}

// newAsker opens the server of a way.
func newAsker(p Params, r *lab.Run, name string) (*asker, error) {
	server, err := r.Host("server")
	if err != nil {
		return nil, err
	}
	client, err := r.Host("client")
	if err != nil {
		return nil, err
	}
	a := &asker{p: p, run: r, name: name, host: client}
	serve := a.serve
	if name == disorder {
		serve = a.serveDisorderly
	}
	if a.addr, err = serve(server); err != nil {
		return nil, err
	}
	switch name {
	case oneByOne, h2:
		a.way = newNetHTTP(a, name == h2)
	case pipelined, disorder:
		a.way = &pipeline{asker: a}
	case fast:
		a.way = newFastHTTP(a)
	}
	return a, nil
}

// open opens the connection that all requests are to go on.
func (a *asker) open(ctx context.Context) error {
	end := a.run.Begin(trace.TCP, "client", "connect")
	if err := a.way.open(ctx); err != nil {
		return fmt.Errorf("%s: open the connection: %w", a.name, err)
	}
	end("")
	return nil
}
