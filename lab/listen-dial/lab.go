package listendial

import (
	"context"
	"embed"
	"fmt"
	"net"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

//go:embed lab.md table.go hold_linux.go below.go walk.go handshake.go handlers.go requests.go half.go eyeballs.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Scene    string        `lab:"scene" label:"Scene" oneof:"all states close-wait half-close time-wait dial" help:"all of them, or one"`
	Clients  int           `lab:"clients" label:"Connections" default:"6" min:"1" max:"20" unit:"connections" help:"in the scenes close-wait and time-wait"`
	Answer   int           `lab:"answer" label:"Answer" default:"20" min:"1" max:"200" unit:"KB" help:"in the scene half-close"`
	Backlog  int           `lab:"backlog" label:"Backlog" default:"2" min:"1" max:"10" unit:"connections" help:"that wait to be accepted by a listener nobody accepts at"`
	Stagger  time.Duration `lab:"stagger" label:"Stagger" default:"250" min:"10" max:"2000" unit:"ms" help:"the head start of an address before the next one is tried, too"`
	Patience time.Duration `lab:"patience" label:"Patience" default:"1500" min:"200" max:"10000" unit:"ms" help:"with an address that does not answer; without any it would be two minutes"`
	TimeWait time.Duration `lab:"timewait" label:"TIME-WAIT" default:"2" min:"1" max:"60" unit:"s" help:"on the link; the kernel's is 60 s"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"20" max:"300" unit:"s" help:"for you, when the scenes are over"`
}

// The variants.
const (
	walk    = "states"
	naive   = "naive"
	careful = "careful"
)

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "listen-dial", Title: "Both ends of a connection", Chapter: "TCP and UDP", Question: 403,
		Ask:   "What are listen, dial and close to the two ends of a TCP connection, and what goes wrong there?",
		Files: files,
		Views: []lab.View{lab.Waterfall, lab.Lanes, lab.Matrix, lab.State, lab.Chart, lab.Packets, lab.LogLines},
		Commands: []lab.Command{
			{Text: "ss -tan '( sport = :{states.port} or dport = :{states.port} )'", Note: "The two connections that were closed in order, and at once: one TIME-WAIT, and two."},
			{Text: "ss -tan state close-wait '( sport = :{naive.leaky} )'", Note: "What the naive server forgot. Each keeps a file descriptor until the process ends."},
			{Text: "ss -ltn sport = :{careful.full}", Note: "Send-Q is the backlog, Recv-Q how many wait: one more than that."},
			{Text: "nc -v -w2 {careful.host} {careful.full}", Note: "Nobody answers: its SYNs are dropped. ss shows it in SYN-SENT meanwhile."},
			{Text: "printf 'hello' | nc -N {careful.host} {careful.half}", Note: "With -N nc ends its half, and the answer begins. Without -N it waits, and so does the server."},
		},
		Duration: time.Minute,
	}, run)
}

// stage is a variant: its hosts, and who watches their sockets.
type stage struct {
	name   string
	p      Params
	run    *lab.Run
	table  *lab.Run // the run itself
	watch  *watcher
	client *lab.Host
	server *lab.Host
	trip   time.Duration // a round trip of the link, at most; 0 on the loopback
	settle time.Duration // what a change takes to be seen, at most
	told   lab.Findings
}

// run is one run of the lab: the walk and both programs, side by side.
func run(ctx context.Context, p Params, r *lab.Run) error {
	scenes := map[string][]func(*stage, context.Context) error{
		"states": {}, "close-wait": {(*stage).abandoned}, "half-close": {(*stage).halfClosed},
		"time-wait": {(*stage).requests}, "dial": {(*stage).dials},
	}
	plan := scenes[p.Scene]
	if p.Scene == "all" {
		for _, name := range []string{"close-wait", "half-close", "time-wait", "dial"} {
			plan = append(plan, scenes[name]...)
		}
	}
	plans := map[string][]func(*stage, context.Context) error{naive: plan, careful: plan}
	if p.Scene == "all" || p.Scene == "states" {
		plans[walk] = []func(*stage, context.Context) error{(*stage).walk}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for _, name := range []string{walk, naive, careful} {
		if len(plans[name]) == 0 {
			continue
		}
		s, err := open(r, p, name)
		if err != nil {
			return err
		}
		wg.Add(1)
		r.Go(func(ctx context.Context) error {
			defer wg.Done()
			err := s.play(ctx, plans[name])
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
			return err
		})
	}
	wg.Wait()
	if first != nil || r.Network() == lab.Link {
		return first
	}
	if p.Stay > 0 {
		r.Note("The scenes are over. All sockets stay as they are for %s.", p.Stay)
	}
	return r.Sleep(ctx, p.Stay)
}

// open makes a variant with its hosts.
func open(r *lab.Run, p Params, name string) (s *stage, err error) {
	s = &stage{name: name, p: p, table: r, settle: 3 * time.Second}
	if r.Network() == lab.Link {
		s.run = r.VariantOnLink(name, lab.Emulation{Link: r.Settings().Link(), TCP: netsim.TCP{TimeWait: p.TimeWait}})
		s.trip = 2 * (r.Settings().Delay + r.Settings().Jitter)
		s.settle += 3 * s.trip
	} else {
		s.run = r.Variant(name)
	}
	if s.client, err = s.run.Host(client); err != nil {
		return nil, err
	}
	if s.server, err = s.run.Host(server); err != nil {
		return nil, err
	}
	s.run.State(trace.IP, client, "address", s.client.Addr().String())
	s.run.State(trace.IP, server, "address", s.server.Addr().String())
	s.watch = watch(s.run, s.client, s.server, name == walk)
	return s, nil
}

func (s *stage) play(ctx context.Context, scenes []func(*stage, context.Context) error) error {
	for _, scene := range scenes {
		err := scene(s, ctx)
		if ctx.Err() != nil {
			s.told.TellSoFar(s.run, "", "before all scenes were")
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	s.told.Tell(s.run, "")
	s.watch.rest()
	return nil
}

// listen opens a listener of the server, watches it and publishes its port.
func (s *stage) listen(port, live string) (net.Listener, uint16, error) {
	l, err := s.server.Listen("tcp", ":"+port)
	if err != nil {
		return nil, 0, err
	}
	if err := s.watch.of(l); err != nil {
		return nil, 0, err
	}
	s.run.LiveAt(l.Addr(), live)
	return l, uint16(l.Addr().(*net.TCPAddr).Port), nil
}

// serve accepts until the listener is closed, and handles each connection in a
// goroutine of its own.
func (s *stage) serve(l net.Listener, handle func(net.Conn)) {
	s.run.Go(func(context.Context) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return nil // it is closed
			}
			s.run.Go(func(context.Context) error {
				handle(c)
				return nil
			})
		}
	})
}
