package proxy

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

//go:embed lab.md reverse.go retry.go pool.go forward.go gate.go tunnel.go burst.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Part        string        `lab:"part" label:"Part" oneof:"all reverse forward" help:"the reverse proxies and the burst, the forward proxy, or all"`
	Variant     string        `lab:"variant" label:"Reverse proxy" oneof:"both director rewrite" help:"the one of most examples, the one that lasts, or both side by side"`
	Upstreams   int           `lab:"upstreams" label:"Upstreams" default:"2" min:"1" max:"5" unit:"servers" help:"behind each reverse proxy"`
	Requests    int           `lab:"requests" label:"Requests in turn" default:"12" max:"100" unit:"requests" help:"while the first upstream dies and comes back"`
	Pace        time.Duration `lab:"pace" label:"Pace" default:"40" max:"2000" unit:"ms" help:"between two requests in turn"`
	Rest        time.Duration `lab:"rest" label:"Rest" default:"1000" max:"10000" unit:"ms" help:"for an upstream that failed"`
	Load        int           `lab:"load" label:"Burst" default:"150" max:"1000" unit:"requests" help:"sent through each proxy, and past them; 0: none"`
	Concurrency int           `lab:"concurrency" label:"At a time" default:"8" min:"1" max:"40" unit:"requests" help:"of the burst"`
	Size        int           `lab:"size" label:"Answer" default:"512" max:"16384" unit:"bytes" help:"to each request of the burst"`
	Pool        bool          `lab:"pool" label:"BufferPool" default:"true" help:"in the proxy that lasts"`
	Target      string        `lab:"target" label:"Forward target" default:"http://169.254.169.254/latest/meta-data/" maxlen:"200" help:"asked of the forward proxy at the end"`
	Idle        time.Duration `lab:"idle" label:"Silence" default:"10000" min:"100" max:"30000" unit:"ms" help:"that ends a tunnel"`
	Stay        time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for you, when all is done"`
}

// Validate judges what the tags can't.
func (p *Params) Validate() error {
	if p.Target == "" {
		return nil
	}
	u, err := url.Parse(p.Target)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return &lab.ParamError{Field: "target", Message: "must be a URL that begins with http://, without a password"}
	}
	return nil
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "proxy", Title: "A proxy, both ways round", Chapter: "HTTP", Question: 408,
		Ask:   "How do you write a proxy in Go, and what may it not believe or hand on?",
		Files: files,
		Views: []lab.View{lab.Lanes, lab.State, lab.Chart, lab.Waterfall, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: "kill", Label: "Kill upstream-1", Help: "Its process ends: connections are cut, new ones refused."},
			{Name: "revive", Label: "Start it again", Help: "A new process in its place."},
		},
		Commands: []lab.Command{
			{Text: "curl -H 'X-Forwarded-For: 6.6.6.6' -H 'Connection: X-Auth' {director.url}/you", Note: "The upstream takes you for 6.6.6.6, and the proxy's own X-Auth is gone."},
			{Text: "curl -H 'X-Forwarded-For: 6.6.6.6' -H 'Connection: X-Auth' {rewrite.url}/you", Note: "The same request, and neither works."},
			{Text: "for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{http_code}\\n' {director.url}/; done", Note: "Kill upstream-1 before. Then the same with {rewrite.url}."},
			{Text: "curl -x http://{forward.proxy} http://origin:80/absolute", Note: "Your machine knows no origin. The proxy does: it looks names up for you."},
			{Text: "curl -p -x http://{forward.proxy} http://origin:80/tunnelled", Note: "The same through a tunnel, by CONNECT."},
			{Text: "curl -x http://{forward.proxy} http://169.254.169.254/", Note: "Where a cloud keeps its secrets. Read why not."},
		},
		Duration: time.Minute, Outside: true,
	}, run)
}

// stages is all that one run has open.
type stages struct {
	run     *lab.Run
	p       Params
	reverse []*reverse
	forward *forwarding
}

// run is one run of the lab: open everything, show the reverse proxies, the
// forward proxy and the burst, then stay open for visitors.
func run(ctx context.Context, p Params, r *lab.Run) error {
	s := &stages{run: r, p: p}
	defer s.facts() // however it ends, what was measured is told
	if err := s.open(ctx); err != nil {
		return err
	}
	r.Go(s.act)
	for _, proxy := range s.reverse {
		if err := s.show(ctx, proxy); err != nil {
			return err
		}
	}
	if s.forward != nil {
		if err := s.forward.probe(ctx, p); err != nil {
			s.failed(ctx, "the forward proxy", err)
		}
	}
	if p.Part != "forward" && p.Load > 0 {
		if err := s.bursts(ctx); err != nil {
			return err
		}
	}
	return s.stay(ctx)
}

func (s *stages) open(ctx context.Context) (err error) {
	if s.p.Part != "forward" {
		for _, name := range []string{viaDirector, viaRewrite} {
			if s.p.Variant != "both" && s.p.Variant != name {
				continue
			}
			proxy, err := openReverse(ctx, s.run.Variant(name), name, s.p)
			if err != nil {
				return err
			}
			s.reverse = append(s.reverse, proxy)
		}
	}
	if s.p.Part != "reverse" {
		s.forward, err = openForward(ctx, s.run.Variant("forward"), s.p)
	}
	return err
}

// failed notes what did not work. On a link that loses much, or with upstreams
// killed by hand, that is a result.
func (s *stages) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.run.Note("%s: %v.", what, err)
	}
}

// show is what one client sees of a reverse proxy.
func (s *stages) show(ctx context.Context, proxy *reverse) error {
	c := newClient(proxy.client, 2, nil)
	defer c.CloseIdleConnections()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"headers", func() error { return proxy.headers(ctx, c) }},
		{"WebSocket", func() error { return proxy.webSocket(ctx) }},
		{"requests cut off", func() error { return proxy.cutOff(ctx, c) }},
		{"an upstream that dies", func() error { return proxy.dying(ctx, c, s.p) }},
	} {
		if err := step.do(); err != nil {
			s.failed(ctx, proxy.name+", "+step.name, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// rounds is in how many parts a burst is sent. They take turns, so that what
// else this machine does at the moment is not held against one of them.
const rounds = 5

// bursts sends the same load past the proxies and through each of them.
func (s *stages) bursts(ctx context.Context) error {
	direct := s.run.Variant("direct")
	client, err := direct.Host("client")
	if err != nil {
		return err
	}
	direct.State(trace.App, "client", "asks", "the upstreams themselves, in turn")
	ups, err := openUpstreams(ctx, direct, s.p.Upstreams, &dropped{})
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/load?bytes=%d", s.p.Size)
	all := []*burst{newBurst(direct, client, s.p, func(n int) string { return "http://" + ups[n%len(ups)].address() + path })}
	for _, proxy := range s.reverse {
		all = append(all, newBurst(proxy.run, proxy.client, s.p, func(int) string { return "http://proxy:80" + path }))
	}
	for round := range rounds {
		for _, b := range all {
			b.fire(ctx, s.p.Load*(round+1)/rounds-s.p.Load*round/rounds)
		}
	}
	for _, b := range all {
		b.facts()
		b.client.CloseIdleConnections()
	}
	return ctx.Err()
}

// act takes the actions, on the upstreams of every reverse proxy.
func (s *stages) act(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case action := <-s.run.Actions():
			for _, proxy := range s.reverse {
				if action == "kill" {
					proxy.ups[0].kill()
				} else if err := proxy.ups[0].revive(); err != nil {
					return err
				}
			}
		}
	}
}

// beats is how often a client goes on asking while the lab stays open.
const beats = time.Second

// stay keeps all open for visitors, with a request through each reverse proxy
// now and then, so that the actions show.
func (s *stages) stay(ctx context.Context) error {
	if s.p.Stay == 0 {
		return nil
	}
	s.run.Note("All is done. The proxies stay open for %s, with a request through each now and then.", s.p.Stay)
	over := time.After(s.p.Stay)
	var clients []*http.Client
	for _, proxy := range s.reverse {
		clients = append(clients, newClient(proxy.client, 1, nil))
	}
	tick := time.NewTicker(beats)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return nil
		case <-tick.C:
			for i, proxy := range s.reverse {
				if err := proxy.beat(ctx, clients[i]); err != nil {
					return err
				}
			}
		}
	}
}

func (s *stages) facts() {
	for _, proxy := range s.reverse {
		proxy.facts()
	}
	if s.forward != nil {
		s.forward.facts()
	}
}
