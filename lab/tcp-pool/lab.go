package tcppool

import (
	"context"
	"embed"
	"sync"
	"time"

	"peerlab/lab"
)

//go:embed lab.md ask.go naive.go lease.go fit.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Pool     string        `lab:"pool" label:"Pool" oneof:"all dial naive puddle" help:"a connection for each request, a channel of connections, a pool that takes care, or all three side by side"`
	Size     int           `lab:"size" label:"Size of the pool" default:"3" min:"1" max:"12" unit:"connections"`
	Limit    int           `lab:"limit" label:"Limit of the backend" default:"5" min:"2" max:"40" unit:"connections" help:"at a time; one more is told that it is busy"`
	Requests int           `lab:"requests" label:"Requests" default:"6" min:"1" max:"60" unit:"requests" help:"one after another, to see what one costs"`
	Clients  int           `lab:"clients" label:"Crowd" default:"7" min:"1" max:"24" unit:"clients" help:"that ask at once, twice each"`
	Leak     int           `lab:"leak" label:"Leaks" default:"5" min:"1" max:"20" unit:"connections" help:"that are taken and not given back"`
	Work     time.Duration `lab:"work" label:"Work" default:"15" max:"500" unit:"ms" help:"that the backend has with a request"`
	Patience time.Duration `lab:"patience" label:"Patience" default:"800" min:"100" max:"5000" unit:"ms" help:"of who asks: for a connection and the answer together, beside two round trips of the link"`
	Probe    string        `lab:"probe" label:"Probe" oneof:"peek ping none" help:"how puddle looks at a connection before it lends it: is it closed, does it answer, or not at all"`
	After    time.Duration `lab:"probe-after" label:"Probe after" default:"100" max:"2000" unit:"ms" help:"idle time; one used just now is lent as it is"`
	Idle     time.Duration `lab:"idle" label:"Idle limit" default:"400" min:"50" max:"5000" unit:"ms" help:"in puddle, then an idle connection is closed"`
	Lifetime time.Duration `lab:"lifetime" label:"Lifetime" default:"600" min:"50" max:"20000" unit:"ms" help:"in puddle, then a connection is replaced however well it is"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"20" max:"300" unit:"s" help:"for you and for the buttons, when all scenes are over"`
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "tcp-pool", Title: "A pool of connections", Chapter: "TCP and UDP", Question: 404,
		Ask:   "How do you manage a pool of TCP connections, and what can be wrong with one that it lends?",
		Files: files,
		Views: []lab.View{lab.Matrix, lab.State, lab.Chart, lab.Waterfall, lab.Lanes, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: restart, Label: "The backend restarts", Help: "All connections are closed by it while they are idle. Then requests come."},
			{Name: forget, Label: "A middlebox forgets", Help: "The connections stay open but nothing comes back on them any more, as when a NAT or firewall has dropped them. Emulated: the backend goes silent on them."},
			{Name: crowd, Label: "A crowd comes", Help: "All clients ask at once."},
			{Name: leak, Label: "Somebody leaks", Help: "Connections are taken and not given back, then requests come."},
		},
		Commands: []lab.Command{
			{Text: "nc {naive.host} {naive.port}", Note: "Type 7 300: request number 7, which has the backend work for 300 ms. It has a place for you besides those of the pool."},
			{Text: "ss -tn dport = :{naive.port}", Note: "The naive pool as the kernel sees it: after the restart there is nothing, while its slots say idle. Press A crowd comes, and look again."},
			{Text: "ss -tn dport = :{puddle.port}", Note: "The pool that takes care. It keeps nothing for longer than its idle limit: press a button and be quick."},
		},
		Duration: 2 * time.Minute,
	}, run)
}

// run plays the scenes on all ways at once, each at its own pace, and then those
// that people ask for.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var stages []*stage
	for _, scene := range scenes {
		for _, way := range []string{dialEach, naiveWay, puddleWay} {
			if p.Pool == "all" || p.Pool == way {
				r.Cell(scene, way, "", nil) // the order of the table
			}
		}
	}
	for _, way := range []string{dialEach, naiveWay, puddleWay} {
		if p.Pool != "all" && p.Pool != way {
			continue
		}
		s, err := open(r, way, p)
		if err != nil {
			return err
		}
		stages = append(stages, s)
	}
	var playing, over sync.WaitGroup
	enough := make(chan struct{})
	for _, s := range stages {
		playing.Add(1)
		over.Add(1)
		r.Go(func(ctx context.Context) error {
			defer over.Done()
			defer s.close()
			err := s.play(ctx, scenes...)
			playing.Done()
			if err != nil {
				return err
			}
			return s.attend(ctx, enough)
		})
	}
	played := make(chan struct{})
	r.Go(func(context.Context) error {
		playing.Wait()
		compare(r, stages)
		close(played)
		return nil
	})
	err := attend(ctx, r, stages, played, p.Stay)
	close(enough)
	over.Wait()
	return err
}

// attend hands actions on to all ways, until the scenes are played and the time
// for visitors is over.
func attend(ctx context.Context, r *lab.Run, stages []*stage, played <-chan struct{}, stay time.Duration) error {
	var over <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-played:
			played = nil
			if stay > 0 {
				r.Note("All scenes are over. The backends stay open for %s.", stay)
			}
			over = time.After(stay)
		case <-over:
			return nil
		case scene := <-r.Actions():
			for _, s := range stages {
				select {
				case s.asked <- scene:
				default: // enough of them are waiting
				}
			}
		}
	}
}

// compare tells what a connection of its own costs a request, if both were seen.
func compare(r *lab.Run, stages []*stage) {
	median := map[string]time.Duration{}
	for _, s := range stages {
		median[s.way] = s.median
	}
	if median[dialEach] > 0 && median[puddleWay] > 0 {
		r.Fact("a connection of its own adds to a request", lab.Milliseconds(median[dialEach]-median[puddleWay]), "ms")
	}
}
