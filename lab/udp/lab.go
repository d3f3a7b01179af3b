package udp

import (
	"context"
	"embed"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"peerlab/lab"
)

//go:embed lab.md ask.go sizes.go receiver.go sender.go rto.go transfer.go list.go
var files embed.FS

// Params are what can be asked of a run.
type Params struct {
	Scene     string        `lab:"scene" label:"Scene" oneof:"all sockets sizes transfer amplify" help:"all of them one after the other, or one"`
	Size      int           `lab:"size" label:"File" default:"100" min:"1" max:"1000" unit:"KB" help:"to be transferred"`
	Piece     int           `lab:"piece" label:"Naive piece" default:"1400" min:"100" max:"60000" unit:"bytes" help:"of the file in a datagram of the naive program; the careful one has 1100"`
	Window    int           `lab:"window" label:"Window" default:"12" min:"1" max:"200" unit:"pieces" help:"that the careful program has on their way at most"`
	Buffer    int           `lab:"buffer" label:"Receive buffer" default:"32" min:"4" max:"200" unit:"KB" help:"of the server: what comes when it is full is lost, on either network"`
	Work      time.Duration `lab:"work" label:"Work" default:"1" max:"20" unit:"ms" help:"that the server has with each piece"`
	Duplicate float64       `lab:"duplicate" label:"Duplicates" default:"3" max:"50" step:"0.1" unit:"%" help:"of packets, on the link"`
	Reorder   bool          `lab:"reorder" label:"Reordering" default:"true" help:"on the link: a packet with less jitter overtakes"`
	MTU       int           `lab:"mtu" label:"MTU" default:"1500" min:"576" max:"9000" unit:"bytes" help:"the largest packet of the link; a longer datagram is cut into fragments"`
	List      int           `lab:"list" label:"Long answer" default:"8" min:"1" max:"100" unit:"KB" help:"to a short question"`
	Forged    int           `lab:"forged" label:"Forged requests" default:"5" min:"1" max:"50" unit:"requests" help:"in somebody else's name"`
	Wait      time.Duration `lab:"wait" label:"Patience" default:"500" min:"100" max:"5000" unit:"ms" help:"for an answer, beside two round trips of the link"`
	Stay      time.Duration `lab:"stay" label:"Stay open" default:"15" max:"300" unit:"s" help:"for you, when the scenes are over"`
}

// mostPieces of a file: each is a packet on the link, and in the record.
const mostPieces = 2000

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if p.Size<<10 > mostPieces*p.Piece {
		return &lab.ParamError{Field: "piece", Message: fmt.Sprintf("would make more than %d pieces of the file: choose larger ones or a shorter file", mostPieces)}
	}
	return nil
}

// The variants.
const (
	naive   = "naive"
	careful = "careful"
)

// Hosts and the ports of the server.
const (
	client   = "client"
	server   = "server"
	stranger = "stranger"
	victim   = "victim"

	askPort  = "7"
	filePort = "9"
	listPort = "19"
)

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	return lab.New(lab.Info{
		Slug: "udp", Title: "UDP, and what it leaves to you", Chapter: "TCP and UDP", Question: 402,
		Ask:   "How do you write a UDP client and server in Go, and what do you have to do yourself?",
		Files: files,
		Views: []lab.View{lab.Lanes, lab.Matrix, lab.Chart, lab.State, lab.Packets, lab.LogLines},
		Commands: []lab.Command{
			{Text: "nc -u {careful.host} {careful.ask}", Note: "Type anything and it comes back. Type ASK 42 and it is answered."},
			{Text: `printf 'DATA 1 3\nhello' | nc -u -w1 {careful.host} {careful.file}`, Note: "Piece 1 of 3, counted from 0: acknowledged, and 0 is still missing. The naive server says nothing."},
			{Text: `printf 'LIST' | nc -u -w1 {naive.host} {naive.list} | wc -c`, Note: "Four bytes in, thousands out. Then the same to the careful server, port {careful.list}: PAD, three bytes."},
			{Text: "nc -u {careful.host} {careful.list}", Note: "Type LIST and some thirty letters more; then LIST and the token that came."},
			{Text: "ss -uanm sport = :{naive.file}", Note: "The server's socket as the kernel has it: rb is its buffer, d what it had no room for."},
		},
		Defaults: map[string]string{"loss": "4", "jitter": "4"},
		Duration: time.Minute,
	}, run)
}

// stage is one program with all it needs.
type stage struct {
	name  string
	p     Params
	run   *lab.Run
	table *lab.Run // the run itself, whose table both fill
	wire  *wire
	wait  time.Duration // patience: what was asked for, and two round trips

	client, server, stranger, victim *lab.Host
	files                            *fileServer
	list                             *listServer
	told                             lab.Findings
	outside                          atomic.Int32 // datagrams from outside
}

// run is one run of the lab: both programs play the scenes, and stay open for
// outsiders.
func run(ctx context.Context, p Params, r *lab.Run) error {
	if p.Scene == "all" || p.Scene == "sizes" {
		for _, name := range []string{naive, careful} {
			for _, length := range p.lengths() {
				r.Cell(place(length, name, "")) // the order of the table
			}
		}
	}
	var stages []*stage
	for _, name := range []string{naive, careful} {
		s, err := open(ctx, r, p, name)
		if err != nil {
			return err
		}
		stages = append(stages, s)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(stages))
	for i, s := range stages {
		wg.Add(1)
		r.Go(func(ctx context.Context) error {
			defer wg.Done()
			errs[i] = s.play(ctx)
			return errs[i]
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if r.Network() == lab.Link {
		return nil
	}
	if p.Stay > 0 {
		r.Note("The scenes are over. The servers stay open for %s.", p.Stay)
	}
	return r.Sleep(ctx, p.Stay)
}

// open makes a variant's hosts and servers.
func open(ctx context.Context, r *lab.Run, p Params, name string) (*stage, error) {
	s := &stage{name: name, p: p, table: r, wait: p.Wait}
	s.run, s.wire = variant(r, p, name)
	if r.Network() == lab.Link {
		s.wait += 4 * (r.Settings().Delay + r.Settings().Jitter)
	}
	for _, h := range []struct {
		name string
		at   **lab.Host
	}{{client, &s.client}, {server, &s.server}, {stranger, &s.stranger}, {victim, &s.victim}} {
		var err error
		if *h.at, err = s.run.Host(h.name); err != nil {
			return nil, err
		}
	}
	if err := s.serveAsks(); err != nil {
		return nil, err
	}
	if err := s.serveFiles(); err != nil {
		return nil, err
	}
	return s, s.serveList()
}

// play plays the scenes asked for.
func (s *stage) play(ctx context.Context) error {
	for _, scene := range []struct {
		name string
		play func(context.Context) error
	}{
		{"sockets", s.sockets}, {"sizes", s.sizes}, {"transfer", s.transfer}, {"amplify", s.amplify},
	} {
		if s.p.Scene != "all" && s.p.Scene != scene.name {
			continue
		}
		if err := scene.play(ctx); err != nil {
			if ctx.Err() != nil {
				s.told.TellSoFar(s.run, "", "in the scene "+scene.name)
			}
			return fmt.Errorf("scene %s, %s: %w", scene.name, s.name, err)
		}
	}
	s.told.Tell(s.run, "")
	return nil
}
