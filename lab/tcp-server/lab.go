package tcpserver

import (
	"context"
	"embed"
	"net"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

//go:embed lab.md naive.go fixed.go frames.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Server   string        `lab:"server" label:"Server" oneof:"both naive fixed" help:"the obvious one, the one that lasts, or both side by side"`
	Clients  int           `lab:"clients" label:"Clients" default:"5" min:"1" max:"16" unit:"clients" help:"that talk"`
	Silent   int           `lab:"silent" label:"Silent clients" default:"1" max:"8" unit:"clients" help:"that connect and say nothing"`
	Messages int           `lab:"messages" label:"Lines" default:"4" min:"1" max:"20" unit:"lines" help:"each client sends"`
	Size     int           `lab:"size" label:"Line length" default:"24" min:"8" max:"4000" unit:"bytes"`
	Pace     time.Duration `lab:"pace" label:"Pace" default:"100" max:"2000" unit:"ms" help:"between two clients, and two lines of one"`
	Writes   string        `lab:"writes" label:"Writes" oneof:"mixed whole split glued" help:"a line a write, half a line, two lines, or all of these in turn"`
	Cap      int           `lab:"cap" label:"Cap" default:"3" min:"1" max:"50" unit:"connections" help:"at a time, in the fixed server"`
	Wait     time.Duration `lab:"wait" label:"Deadline" default:"1000" min:"50" max:"20000" unit:"ms" help:"for a line, in the fixed server"`
	Grace    time.Duration `lab:"grace" label:"Drain" default:"2000" min:"0" max:"10000" unit:"ms" help:"for lines that have begun when the fixed server shuts down"`
	Stay     time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for you, when the clients are done"`
}

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "tcp-server", Title: "A TCP server", Chapter: "TCP and UDP", Question: 401,
		Ask:   "How do you write a TCP server in Go, and what does it take to make it last?",
		Files: files,
		Views: []lab.View{lab.Lanes, lab.Chart, lab.State, lab.Waterfall, lab.Packets, lab.LogLines},
		Actions: []lab.Action{
			{Name: "slow-client", Label: "A slow client comes", Help: "It sends one byte every 200 ms: never silent for long, never done."},
			{Name: "drain", Label: "Shut down", Help: "The naive server drops everybody. The fixed one lets lines that have begun be finished."},
		},
		Commands: []lab.Command{
			{Text: "nc {naive.host} {naive.port}", Note: "Type a line. Then type half a line, Ctrl-D, and the rest: two answers to one line."},
			{Text: "nc {fixed.host} {fixed.port}", Note: "The same, or say nothing and wait for the deadline."},
			{Text: `printf 'one\ntwo\nthree\n' | nc -N {fixed.host} {fixed.port}`, Note: "Three lines in one write. Try it on the naive server too."},
		},
		Duration: time.Minute,
	}, run)
}

// stage is one server with its clients.
type stage struct {
	name    string
	run     *lab.Run
	watch   *observer
	clients *clients
	l       net.Listener
	server  interface {
		Serve(net.Listener) error
		Shutdown(l net.Listener, open []net.Conn)
	}
	talking sync.WaitGroup
}

// run is one run of the lab: open, let the clients talk, stay open for
// outsiders, shut down, tell what was measured.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var stages []*stage
	for _, name := range []string{"naive", "fixed"} {
		if p.Server != "both" && p.Server != name {
			continue
		}
		s, err := open(r.Variant(name), name, p)
		if err != nil {
			return err
		}
		stages = append(stages, s)
	}
	defer func() { // however it ends, what was measured is told
		for _, s := range stages {
			s.facts()
		}
	}()
	done := make(chan struct{})
	for _, s := range stages {
		s.come(p)
	}
	r.Go(func(context.Context) error {
		defer close(done)
		for _, s := range stages {
			s.talking.Wait()
		}
		return nil
	})
	if err := attend(ctx, r, stages, done, p.Stay); err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, len(stages))
	for i, s := range stages {
		wg.Add(1)
		r.Go(func(ctx context.Context) error {
			defer wg.Done()
			errs[i] = s.shutdown(ctx)
			return errs[i]
		})
	}
	wg.Wait()
	return ctx.Err()
}

// open starts one server.
func open(r *lab.Run, name string, p Params) (*stage, error) {
	s := &stage{name: name, run: r, clients: &clients{run: r, p: p}, watch: &observer{run: r, open: map[*seen]struct{}{}}}
	if name == "naive" {
		s.server = &naive{spawn: s.watch.spawn}
	} else {
		s.server = &fixed{
			spawn: s.watch.spawn, slots: make(chan struct{}, p.Cap), wait: p.Wait, grace: p.Grace,
			conns: map[net.Conn]struct{}{},
		}
	}
	h, err := r.Host(server)
	if err != nil {
		return nil, err
	}
	if s.l, err = h.Listen("tcp", ":7"); err != nil {
		return nil, err
	}
	r.State(trace.TCP, server, "listens on", s.l.Addr().String())
	r.LiveAt(s.l.Addr(), "port")
	r.Go(func(context.Context) error {
		end := r.Begin(trace.App, server, "Accept")
		end(s.server.Serve(listener{s.l, s.watch}).Error()) // Serve ends with an error: the listener is closed
		return nil
	})
	return s, nil
}

// come lets the clients connect, one after the other.
func (s *stage) come(p Params) {
	for i := range p.Silent {
		s.run.Go(func(ctx context.Context) error { return s.clients.silent(ctx, i+1) })
	}
	for i := range p.Clients {
		s.talking.Add(1)
		s.run.Go(func(ctx context.Context) error {
			defer s.talking.Done()
			if s.run.Sleep(ctx, time.Duration(i)*p.Pace) != nil {
				return nil
			}
			return s.clients.talk(ctx, i+1)
		})
	}
}

// attend waits until the run's own clients are done and the time for others is
// over, or somebody shuts the servers down.
func attend(ctx context.Context, r *lab.Run, stages []*stage, done <-chan struct{}, stay time.Duration) error {
	over := (<-chan time.Time)(nil)
	for slow := 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			done = nil
			if stay > 0 {
				r.Note("The lab's own clients are done. The servers stay open for %s.", stay)
			}
			over = time.After(stay)
		case <-over:
			return nil
		case action := <-r.Actions():
			if action == "drain" {
				return nil
			}
			if slow++; slow <= maxSlow {
				for _, s := range stages {
					r.Go(func(ctx context.Context) error { return s.clients.slow(ctx, slow) })
				}
			}
		}
	}
}

// maxSlow is how many slow clients can be called; on the link there is room
// for 32 hosts.
const maxSlow = 6

// shutdown ends the server while one client is in the middle of a line.
func (s *stage) shutdown(ctx context.Context) error {
	ready, down := make(chan struct{}), make(chan struct{})
	finished := make(chan error, 1)
	var served, answered bool
	s.run.Go(func(ctx context.Context) (err error) {
		served, answered, err = s.clients.late(ctx, ready, down)
		finished <- err
		return err
	})
	select {
	case <-ready:
	case <-ctx.Done():
		return nil
	}
	s.run.Note("The %s server shuts down, with %d connections open.", s.name, len(s.watch.conns()))
	s.watch.stop()
	close(down)
	begin := time.Now()
	end := s.run.Begin(trace.App, server, "shutdown")
	s.server.Shutdown(s.l, s.watch.conns())
	took := time.Since(begin)
	end("done")
	if err := <-finished; err != nil {
		return err
	}
	if served {
		cut := 1
		if answered {
			cut = 0
		}
		s.run.Fact("lines cut off by the shutdown", float64(cut), "lines")
	}
	s.run.Fact("time to shut down", float64(took.Microseconds())/1000, "ms")
	return nil
}

// facts tells what was counted, also when the run was stopped.
func (s *stage) facts() {
	s.watch.facts()
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	s.run.Fact("lines sent", float64(s.clients.sent), "lines")
	s.run.Fact("lines answered right", float64(s.clients.right), "lines")
	s.run.Fact("clients that gave up", float64(s.clients.gaveUp), "clients")
}
