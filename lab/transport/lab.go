package transport

import (
	"context"
	"embed"
	"fmt"
	"time"

	"peerlab/lab"
)

//go:embed lab.md chain.go auth.go retry.go breaker.go cache.go cachecontrol.go logging.go naive.go client.go scenes.go api.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Show      string        `lab:"show" label:"Layers" oneof:"both naive careful" help:"written without the rules, with them, or both side by side"`
	Order     string        `lab:"order" label:"Order" default:"log retry auth cache breaker" maxlen:"80" help:"of the layers, the outermost first; leave some out, or have log twice"`
	Fail      int           `lab:"fail" label:"Failures" default:"2" max:"5" unit:"answers" help:"of the flaky server, before one that works"`
	Attempts  int           `lab:"attempts" label:"Attempts" default:"3" min:"1" max:"6" help:"that retry makes, the first included"`
	Pause     time.Duration `lab:"pause" label:"Pause" default:"20" max:"1000" unit:"ms" help:"of the careful retry, at most, before its second attempt; doubled each time"`
	After     time.Duration `lab:"after" label:"Retry-After" default:"0" max:"2" unit:"s" help:"that the server asks for in whole seconds; 0: it does not ask"`
	Body      string        `lab:"body" label:"Bodies" oneof:"stream known" help:"of orders: of unknown length, or of known length"`
	Strict    bool          `lab:"strict" label:"A strict server: 400 for two lines of Authorization"`
	Threshold int           `lab:"threshold" label:"Breaker opens after" default:"4" min:"1" max:"20" unit:"failures" help:"in a row"`
	Cooldown  time.Duration `lab:"cooldown" label:"Breaker rests for" default:"500" max:"5000" unit:"ms" help:"then one request may try"`
	Outage    int           `lab:"outage" label:"Outage" default:"5" max:"20" unit:"requests" help:"that are asked while the server is down; 0: it stays up"`
	Fresh     time.Duration `lab:"fresh" label:"News are fresh for" default:"2" max:"5" unit:"s" help:"whole seconds: the max-age of /news"`
	Stay      time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for your own curl, and for the buttons, when all is asked"`
}

// maxPauses is how long a run may spend between attempts.
const maxPauses = 40 * time.Second

// Validate judges what the tags can't.
func (p *Params) Validate() error {
	if _, err := parseOrder(p.Order); err != nil {
		return &lab.ParamError{Field: "order", Message: err.Error()}
	}
	for field, d := range map[string]time.Duration{"after": p.After, "fresh": p.Fresh} {
		if d%time.Second != 0 {
			return &lab.ParamError{Field: field, Message: "must be whole seconds, as HTTP has nothing else"}
		}
	}
	var pauses time.Duration // of one request
	for try := 1; try < p.Attempts; try++ {
		pauses += max(min(p.Pause<<(try-1), maxPause), p.After)
	}
	if all := pauses * time.Duration(p.Outage+4); all > maxPauses {
		return &lab.ParamError{Field: "attempts", Message: fmt.Sprintf("could mean pauses of %.0f s in all, with %d requests in the outage; the most is %.0f s", all.Seconds(), p.Outage, maxPauses.Seconds())}
	}
	return nil
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "transport", Title: "Around the transport", Chapter: "HTTP", Question: 405,
		Ask:   "How do you build a client out of RoundTrippers that log, retry, authorise, cache and give up, in which order, and what may none of them do?",
		Files: files,
		Views: []lab.View{lab.Matrix, lab.Waterfall, lab.State, lab.Lanes, lab.Chart, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: "down", Label: "The server fails", Help: "503 is all it answers"},
			{Name: "up", Label: "It works again", Help: "as before"},
			{Name: "ask", Label: "Ask", Help: "for /status and /news: watch the breaker and the cache"},
		},
		Commands: []lab.Command{
			{Text: "curl {naive.url}/seen", Note: "All that the naive client's server saw: lines of Authorization, bodies of 0 B. Your own requests are there as well."},
			{Text: "curl {careful.url}/seen", Note: "The same of the careful one."},
			{Text: "for i in 1 2 3 4; do curl -s -o /dev/null -w '%{http_code}\\n' {careful.url}/flaky; done", Note: "The flaky server, without a retry."},
			{Text: "curl -s --retry 3 {careful.url}/flaky", Note: "The same with curl's own: it waits a second, then two. See what the server saw of it."},
			{Text: "curl -sL -H 'Authorization: Bearer mine' {careful.url}/moved", Note: "A redirect to another host: curl keeps the token to itself, as http.Client does with a header that you set. With --location-trusted it is told, as by the naive layer."},
			{Text: "curl -i {careful.url}/news", Note: "What a cache goes by. Then once more with -H 'If-None-Match: \"1\"'."},
		},
		Duration: time.Minute,
	}, run)
}

// run plays the same scenes with each way to write the layers, then waits for
// visitors and buttons.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var stages []*stage
	for _, name := range []string{naive, careful} {
		if p.Show != "both" && p.Show != name {
			continue
		}
		s, err := openStage(p, r.Variant(name), name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer s.client.CloseIdleConnections()
		stages = append(stages, s)
	}
	each := func(do func(context.Context, *stage) error) error {
		var all []func(context.Context) error
		for _, s := range stages {
			all = append(all, func(ctx context.Context) error { return do(ctx, s) })
		}
		return r.Together(ctx, all...)
	}
	if err := each(func(ctx context.Context, s *stage) error { return s.play(ctx) }); err != nil {
		return err
	}
	switch {
	case p.Stay > 0 && r.Network() == lab.Loopback:
		r.Note("All is asked. The servers stay open for %s: try the commands and the buttons.", p.Stay)
	case p.Stay > 0:
		r.Note("All is asked. The servers stay open for %s: try the buttons.", p.Stay)
	}
	return r.Attend(ctx, p.Stay, func(action string) error {
		return each(func(ctx context.Context, s *stage) error { s.act(ctx, action); return ctx.Err() })
	})
}
