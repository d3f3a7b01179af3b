package http2

import (
	"context"
	"embed"
	"time"

	"peerlab/lab"
	"peerlab/tlsrecord"
)

//go:embed lab.md server.go client.go frames.go windows.go byhand.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Requests int           `lab:"requests" label:"Requests" default:"3" min:"1" max:"8" unit:"requests" help:"for the big page, all at once"`
	Size     int           `lab:"size" label:"Big page" default:"100" min:"1" max:"300" unit:"kB"`
	Window   int           `lab:"window" label:"Window of a stream" default:"64" min:"16" max:"1000" unit:"KiB" help:"that the client opens"`
	Shared   int           `lab:"shared" label:"Window of the connection" default:"128" min:"128" max:"2000" unit:"KiB" help:"for all its streams together"`
	Busy     time.Duration `lab:"busy" label:"Busy" default:"300" max:"3000" unit:"ms" help:"how long the client does something else before it reads a big page"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"on the loopback, for you, when the lab's own requests are done"`
}

// siteName is in the certificate of the lab's servers.
const siteName = "www.lab.example"

// The servers.
const (
	overTLS = "tls"
	inClear = "h2c"
	naive   = "naive"
	fixed   = "fixed"
)

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "http2", Title: "An HTTP/2 server", Chapter: "HTTP", Question: 409,
		Ask:   "How do you create an HTTP/2 server in Go, with and without TLS, and what goes over its connections?",
		Files: lab.Sources(files, tlsrecord.Source),
		Views: []lab.View{lab.Lanes, lab.Chart, lab.Waterfall, lab.State, lab.Packets, lab.LogLines},
		Commands: []lab.Command{
			{Text: "curl -v --http2-prior-knowledge http://{h2c.host}:{h2c.port}/hello", Note: "No negotiation: the first bytes are HTTP/2. Without the flag the same port answers by HTTP/1.1."},
			{Text: `curl -sk --http2 -w 'HTTP/%{http_version}\n' https://{tls.host}:{tls.port}/hello`, Note: "Over TLS ALPN decides. Try --http1.1 as well."},
			{Text: "h2load -n 200 -c 2 -m 10 http://{h2c.host}:{h2c.port}/hello", Note: "Ten streams at a time on each of two connections."},
			{Text: "nghttp -nv http://{h2c.host}:{h2c.port}/push", Note: "A client that still takes pushes, and says so in its settings: look for PUSH_PROMISE."},
			{Text: "curl -s --http2-prior-knowledge http://{fixed.host}:{fixed.port}/ | wc -c", Note: "The server of a hundred lines."},
		},
		Duration: time.Minute,
	}, run)
}

// run opens the four servers, lets their clients go through them, stays open,
// and shuts down.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var all []*stage
	var work []func(context.Context) error
	for _, name := range []string{overTLS, inClear, naive, fixed} {
		s := newStage(r.Variant(name), name, p)
		if err := s.open(); err != nil {
			return err
		}
		all = append(all, s)
		work = append(work, s.work)
	}
	err := r.Together(ctx, work...)
	if err == nil && r.Network() == lab.Loopback && p.Stay > 0 {
		r.Note("The lab's own requests are done. The servers stay open for %s.", p.Stay)
		err = r.Sleep(ctx, p.Stay)
	}
	if err == nil {
		var ends []func(context.Context) error
		for _, s := range all {
			ends = append(ends, s.shutdown)
		}
		err = r.Together(ctx, ends...)
	}
	for _, s := range all { // however it ended, what was measured is told
		s.facts()
	}
	return err
}
