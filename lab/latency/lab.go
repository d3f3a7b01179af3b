package latency

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"time"

	"peerlab/lab"
)

//go:embed lab.md hooks.go dial.go burst.go
var files embed.FS

// Params are the parameters of a run.
type Params struct {
	Protocol string        `lab:"protocol" label:"Protocol" oneof:"both h1 h2" help:"h1 is HTTP/1.1, h2 is HTTP/2; both: the same requests side by side"`
	TLS      string        `lab:"tls" label:"TLS" oneof:"1.3 1.2 off" help:"the version that the lab's own server speaks"`
	Warm     int           `lab:"warm" label:"Warm requests" default:"3" max:"10" unit:"requests" help:"one after the other, after the first one"`
	Parallel int           `lab:"parallel" label:"At once" default:"6" min:"1" max:"20" unit:"requests" help:"sent together at the end"`
	Think    time.Duration `lab:"think" label:"Think" default:"30" max:"2000" unit:"ms" help:"that the server takes before it answers"`
	Cert     time.Duration `lab:"certificate" label:"Certificate" default:"0" max:"1000" unit:"ms" help:"that the server takes to find its certificate, in the middle of the TLS handshake"`
	Size     int           `lab:"size" label:"Answer" default:"60" max:"1000" unit:"kB" help:"length of each answer; 1 kB is 1000 bytes"`
	URL      string        `lab:"url" label:"Another URL" maxlen:"300" help:"ask this instead of the lab's own server: public, http or https, and on the loopback network only, as the emulated link has no way out"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for your own curl, and for the buttons, when the requests are done"`
}

// ValidateOn judges the parameters together.
func (p *Params) ValidateOn(network lab.Network) error {
	if p.URL == "" {
		return nil
	}
	if network == lab.Link {
		return &lab.ParamError{Field: "url", Message: "needs the loopback network: the emulated link has no way out"}
	}
	u, err := url.Parse(p.URL)
	if err == nil {
		err = checkURL(u)
	}
	if err != nil {
		return &lab.ParamError{Field: "url", Message: "can't be asked: " + reason(err)}
	}
	return nil
}

// The variants.
const (
	h1 = "h1"
	h2 = "h2"
)

func (p *Params) variants() []string {
	if p.Protocol == "both" {
		return []string{h1, h2}
	}
	return []string{p.Protocol}
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	const format = `'connect %{time_connect}\nTLS %{time_appconnect}\nfirst byte %{time_starttransfer}\ntotal %{time_total}\n'`
	return lab.New(lab.Info{
		Slug: "latency", Title: "Where the time goes", Chapter: "HTTP", Question: 414,
		Ask:   "How would you analyze network latency in Go?",
		Files: files,
		Views: []lab.View{lab.Waterfall, lab.State, lab.Packets, lab.Lanes, lab.LogLines},
		Actions: []lab.Action{
			{Name: "again", Label: "One more", Help: "a request on the connection that is there"},
			{Name: "cold", Label: "One more, cold", Help: "closes the connections first"},
		},
		Commands: []lab.Command{
			{Text: "curl -sk -o /dev/null -w " + format + " {url}", Note: "curl counts in seconds and from the beginning: what is between two lines is a bar of the waterfall. -k: it can't know this certificate"},
			{Text: "curl -sk -o /dev/null -w 'connect %{time_connect}, first byte %{time_starttransfer}\\n' {url} -o /dev/null {url}", Note: "twice on one connection: the second line connects in no time"},
			{Text: "dig @{resolver.host} -p {resolver.port} server.lab", Note: "the name server that the requests of this run ask"},
		},
		Outside: true, Duration: time.Minute,
	}, run)
}

func run(ctx context.Context, p Params, r *lab.Run) error {
	var probes []*probe
	for _, name := range p.variants() {
		v := r.Variant(name)
		t, err := newTarget(p, v, name)
		if errors.Is(err, errNeedsTLS) {
			v.Note("It is %v.", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(probes) == 0 {
			publish(r, t)
		}
		probes = append(probes, newProbe(p, v, t))
	}
	if err := together(ctx, r, probes, (*probe).experiment); err != nil {
		return err
	}
	if p.Stay > 0 {
		r.Note("The requests are done. The lab stays open for %s: try the commands and the buttons.", p.Stay)
	}
	return r.Attend(ctx, p.Stay, func(action string) error {
		do := (*probe).oneMore
		if action == "cold" {
			do = (*probe).oneCold
		}
		return together(ctx, r, probes, do)
	})
}

// publish tells outsiders where the run's own server is.
func publish(r *lab.Run, t *target) {
	if t.own == nil {
		return
	}
	r.Live("url", t.own.outside)
	v := r.Variant("resolver")
	v.Live("host", t.own.resolver.Addr().String())
	v.Live("port", fmt.Sprint(t.own.resolver.Port()))
}

// together does the same with all probes at once and waits for all of them.
func together(ctx context.Context, r *lab.Run, probes []*probe, do func(*probe, context.Context)) error {
	var all []func(context.Context) error
	for _, p := range probes {
		all = append(all, func(ctx context.Context) error {
			do(p, ctx)
			return nil
		})
	}
	return r.Together(ctx, all...)
}
