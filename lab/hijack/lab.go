package hijack

import (
	"context"
	"embed"
	"fmt"
	"time"

	"peerlab/lab"
)

//go:embed lab.md echo.go naive.go handshake.go frame.go h2.go
var files embed.FS

// Params are the parameters of a run.
type Params struct {
	Show    string        `lab:"show" label:"Show" oneof:"all echo websocket h2" help:"echo: a protocol of our own, taken over in three ways; websocket: a handshake and frames by hand, with a server of the lab and with the one of Peerlab's rooms; h2: what HTTP/2 answers"`
	Early   int           `lab:"early" label:"Early lines" default:"2" max:"20" unit:"lines" help:"that the client sends with the request, without waiting for the answer"`
	Lines   int           `lab:"lines" label:"Lines" default:"6" min:"1" max:"30" unit:"lines" help:"of the conversation, after the upgrade"`
	Pace    time.Duration `lab:"pace" label:"Pace" default:"200" max:"2000" unit:"ms" help:"between two lines"`
	Timeout time.Duration `lab:"timeout" label:"Timeout" default:"500" min:"100" max:"5000" unit:"ms" help:"that the servers allow for reading a request and for the upgrade"`
	Stay    time.Duration `lab:"stay" label:"Stay open" default:"20" max:"300" unit:"s" help:"on the loopback, for your own nc and curl"`
}

// maxTalk is how long a conversation may be planned to last.
const maxTalk = 20 * time.Second

// Validate judges the parameters together.
func (p *Params) Validate() error {
	if took := time.Duration(p.Lines) * p.Pace; took > maxTalk {
		return &lab.ParamError{Field: "pace", Message: fmt.Sprintf("makes the conversation last %.0f s, and the most is %.0f s", took.Seconds(), maxTalk.Seconds())}
	}
	return nil
}

// The variants.
const (
	careful      = "careful"
	bufferLost   = "buffer-lost"
	deadlineLeft = "deadline-left"
	websocket    = "websocket"
	rooms        = "rooms"
	h2           = "h2"
)

// Lab is the lab, to be put in the list of labs.
func Lab() (*lab.Lab, error) {
	const upgrade = `'GET /echo HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nsent early\n'`
	return lab.New(lab.Info{
		Slug: "hijack", Title: "Hijacking a connection", Chapter: "HTTP", Question: 407,
		Ask:   "How do you take over an HTTP connection, and what must you take over with it?",
		Files: files,
		Views: []lab.View{lab.Lanes, lab.Waterfall, lab.State, lab.Packets, lab.LogLines},
		Commands: []lab.Command{
			{Text: `(printf ` + upgrade + `; cat) | nc {careful.host} {careful.port}`, Note: "101, and then your lines come back in capitals; end with Ctrl-C"},
			{Text: `(printf ` + upgrade + `; cat) | nc {buffer-lost.host} {buffer-lost.port}`, Note: "the same, but what was sent with the request never comes back"},
			{Text: `curl -si http://{careful.host}:{careful.port}/echo`, Note: "without Upgrade: 426, and the header that says what is wanted"},
			{Text: `curl -si --http2-prior-knowledge http://{h2.host}:{h2.port}/echo`, Note: "an HTTP/2 connection can't be taken over"},
		},
		Duration: time.Minute,
	}, run)
}

// part is a variant: what its server does and what its client does.
type part struct {
	name, show string
	handler    func(*server) handlerFunc
	talk       func(*server, context.Context) error
	ends       bool // the client has the server shut down, so visitors need another one
}

func parts() []part {
	return []part{
		{careful, "echo", func(s *server) handlerFunc { return s.upgrade(s.carefully) }, (*server).converse, true},
		{bufferLost, "echo", func(s *server) handlerFunc { return s.upgrade(s.withoutBuffer) }, (*server).converse, true},
		{deadlineLeft, "echo", func(s *server) handlerFunc { return s.upgrade(s.withDeadlineLeft) }, (*server).converse, true},
		{websocket, "websocket", func(s *server) handlerFunc { return s.acceptWebSocket }, (*server).speakWebSocket, false},
		{rooms, "websocket", (*server).roomSocket, (*server).joinRoom, false},
		{h2, "h2", func(s *server) handlerFunc { return s.wouldHijack }, (*server).askHTTP2, false},
	}
}

// run has all variants talk at the same time.
func run(ctx context.Context, p Params, r *lab.Run) error {
	var talks []func(context.Context) error
	for _, part := range parts() {
		if p.Show != "all" && p.Show != part.show {
			continue
		}
		s, err := open(p, r.Variant(part.name), part, ":80")
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		talks = append(talks, func(ctx context.Context) error { return s.judged(ctx, part.talk(s, ctx)) })
		if r.Network() == lab.Link {
			continue
		}
		public := s
		if part.ends {
			if public, err = open(p, r.Variant(part.name), part, ":8080"); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
		public.run.LiveAt(public.listen.Addr(), "port")
	}
	if err := r.Together(ctx, talks...); err != nil {
		return err
	}
	if p.Stay == 0 || r.Network() == lab.Link {
		return nil
	}
	r.Note("The servers stay open for %s: try the commands.", p.Stay)
	return r.Sleep(ctx, p.Stay)
}

// open opens the server of a part.
func open(p Params, r *lab.Run, part part, port string) (*server, error) {
	s, err := newServer(p, r, part.name, port)
	if err != nil {
		return nil, err
	}
	return s, s.serve(part.handler(s))
}
