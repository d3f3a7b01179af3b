package slownetwork

import (
	"context"
	"embed"
	"fmt"
	"sync"
	"time"

	"peerlab/lab"
)

//go:embed lab.md middleware.go toxics.go proxy.go link.go deaf.go emulated.go transfer.go
var files embed.FS

// Params are the parameters of a run. Delay, jitter, rate, loss and seed are
// those every lab has.
type Params struct {
	Size  int           `lab:"size" label:"Download" default:"300" min:"1" max:"1000" unit:"kB" help:"1 kB is 1000 bytes"`
	Slice int           `lab:"slice" label:"Slicer" default:"0" max:"20000" unit:"bytes" help:"Toxiproxy cuts the answer into pieces of about this size; 0: it does not"`
	Gap   int           `lab:"gap" label:"Between slices" default:"500" max:"10000" unit:"µs" help:"the slicer's pause after each piece"`
	Toxic string        `lab:"toxic" label:"Toxic" oneof:"none timeout reset_peer" help:"from the beginning: timeout swallows the answer and then closes, reset_peer resets the connection"`
	After time.Duration `lab:"after" label:"After" default:"300" min:"1" max:"2000" unit:"ms" help:"the time of timeout and reset_peer"`
	Stay  time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for your curl, and for the buttons, when the downloads are done"`
}

// Bounds of the slicer: pieces of one download, and how long it takes for them.
const (
	maxPieces = 4000
	maxSlicer = 10 * time.Second
)

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if p.Slice == 0 {
		return nil
	}
	pieces := p.Size * kilobyte / p.Slice
	if pieces > maxPieces {
		return &lab.ParamError{Field: "slice", Message: fmt.Sprintf(
			"would make %d pieces of the download, and the most is %d: choose larger ones", pieces, maxPieces)}
	}
	if took := time.Duration(pieces*p.Gap) * time.Microsecond; took > maxSlicer {
		return &lab.ParamError{Field: "gap", Message: fmt.Sprintf(
			"would make the download last %.0f s, and the most is %.0f s", took.Seconds(), maxSlicer.Seconds())}
	}
	return nil
}

// The ways, which are the variants of a run.
const (
	direct     = "direct"
	middleware = "middleware"
	toxic      = "toxiproxy"
	emulated   = "link"
)

// Lab describes the lab.
func Lab() (*lab.Lab, error) {
	register()
	const meter = ` -so /dev/null -w '%{time_connect} %{time_starttransfer} %{time_total}\n'`
	return lab.New(lab.Info{
		Slug: "slow-network", Title: "A slow network", Chapter: "Testing", Question: 416,
		Ask:   "How do you simulate a slow network in integration tests?",
		Files: files,
		Views: []lab.View{lab.Chart, lab.Waterfall, lab.Lanes, lab.Packets, lab.State, lab.LogLines},
		Actions: []lab.Action{
			{Name: "again", Label: "Download again", Help: "All four at once, with what is in force now."},
			{Name: "add-timeout", Label: "Add toxic: timeout", Help: "Toxiproxy swallows what comes from the server, and closes after the time set."},
			{Name: "add-reset", Label: "Add toxic: reset_peer", Help: "Toxiproxy resets connections, that long after the server sent something."},
			{Name: "remove-toxics", Label: "Remove toxics", Help: "All of them: Toxiproxy hands on at once what it holds."},
			{Name: "cut", Label: "Cut for a second", Help: "Toxiproxy closes its connections and takes no new ones; the link loses every packet."},
		},
		Commands: []lab.Command{
			{Text: "curl {direct.url}" + meter, Note: "Seconds until connected, until the first byte, and for all. Nothing is slow."},
			{Text: "curl {middleware.url}" + meter, Note: "Connected at once; the first byte comes a round trip later."},
			{Text: "curl {toxiproxy.url}" + meter, Note: "Connected at once too; then the delay both ways, and the rate."},
			{Text: "curl {toxiproxy.url} -o /dev/null", Note: "Its meter shows the rate. Press Cut while it runs, or add a toxic first."},
		},
		Duration: 2 * time.Minute,
		Emulates: true,
		Defaults: map[string]string{"delay": "40", "jitter": "5", "loss": "2", "rate": "1600"},
	}, run)
}

// run opens the four ways, downloads by all of them at once, and stays open
// for visitors and buttons.
func run(ctx context.Context, p Params, r *lab.Run) error {
	explain(p, r)
	all := &ways{run: r, p: p}
	for _, name := range []string{direct, middleware, toxic, emulated} {
		w, err := open(r, name, p)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all.list = append(all.list, w)
	}
	r.Go(all.act)
	if err := all.download(ctx); err != nil {
		return err
	}
	if p.Stay > 0 {
		r.Note("The downloads are done. Everything stays open for %s.", p.Stay)
	}
	return r.Sleep(ctx, p.Stay)
}

// explain says what is real in this run and what is not.
func explain(p Params, r *lab.Run) {
	c := r.Settings()
	if r.Network() == lab.Loopback {
		r.Note("direct, middleware and toxiproxy are on this machine's loopback, which loses nothing. link is on an emulated network: real TCP, made-up wire.")
	} else {
		r.Note("All four are on emulated networks. Those of direct, middleware and toxiproxy are perfect, to show their packets; only that of link has the delay, the rate and the losses.")
	}
	r.Note("middleware sleeps for a round trip before it answers. It knows no connections and no bytes, so it can show no slow handshake, no rate and no loss.")
	r.Note("toxiproxy delays and paces bytes of a connection that has been accepted already. TCP on both sides of it works perfectly: no slow handshake, no loss, nothing out of order.")
	if c.Loss > 0 {
		r.Note("The loss of %g %% is for link alone: no other way here can lose a packet.", c.Loss)
	}
	if c.Rate > 0 && c.Rate < 8 {
		r.Note("Toxiproxy's slowest bandwidth is 1 kB/s, which is 8 kbit/s: it is faster than asked for.")
	}
	if c.Jitter > c.Delay {
		r.Note("The jitter is larger than the delay. Toxiproxy is given the delay for both.")
	}
	if p.Toxic != "none" {
		r.Note("The toxic %s is for toxiproxy alone.", p.Toxic)
	}
}

// ways are the four ways of a run.
type ways struct {
	run  *lab.Run
	p    Params
	list []*way

	mu         sync.Mutex
	busy, dead bool // downloading; cut
}

// begin sets what, unless it is set.
func (ws *ways) begin(what *bool) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if *what {
		return false
	}
	*what = true
	return true
}

func (ws *ways) end(what *bool) {
	ws.mu.Lock()
	*what = false
	ws.mu.Unlock()
}

// download has all of them download at the same time, unless they are at it.
func (ws *ways) download(ctx context.Context) error {
	if !ws.begin(&ws.busy) {
		ws.run.Note("The downloads are still going on.")
		return nil
	}
	defer ws.end(&ws.busy)
	var wg sync.WaitGroup
	errs := make(chan error, len(ws.list))
	for _, w := range ws.list {
		wg.Add(1)
		ws.run.Go(func(ctx context.Context) error {
			defer wg.Done()
			err := w.transfer(ctx)
			errs <- err
			return err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
