package http2

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"peerlab/lab"
	"peerlab/selfsigned"
	"peerlab/trace"
)

// stage is one server with its client.
type stage struct {
	name    string
	run     *lab.Run
	p       Params
	watch   *observer
	client  *client
	server  *http.Server // nil: by hand
	roots   *x509.CertPool
	problem error // of the client: what the naive server made of it
	got     int64
	down    bool
	old     string // protocol of the client that knows no other
	visited bool   // to the end
}

func newStage(r *lab.Run, name string, p Params) *stage {
	return &stage{name: name, run: r, p: p, watch: &observer{run: r}}
}

// open starts the server.
func (s *stage) open() error {
	h, err := s.run.Host(serverLane)
	if err != nil {
		return err
	}
	l, err := h.Listen("tcp", ":443")
	if err != nil {
		return err
	}
	s.run.State(trace.TCP, serverLane, "listens on", l.Addr().String())
	s.run.LiveAt(l.Addr(), "port")
	from, err := s.run.Host(clientLane)
	if err != nil {
		return err
	}
	scheme := "http"
	watched := listener{l, s.watch}
	switch s.name {
	case naive, fixed:
		s.run.Go(func(context.Context) error { return s.acceptByHand(watched) })
	default:
		var cert *tls.Certificate
		if s.name == overTLS {
			made, roots, err := selfsigned.Certificate(siteName, h.Addr())
			if err != nil {
				return err
			}
			cert, s.roots, scheme = &made, roots, "https"
		}
		s.server = newServer(&pages{size: s.p.Size * 1000, pushed: s.pushed}, cert, io.MultiWriter(&s.watch.keys, s.run.KeyLog()))
		s.server.ErrorLog = quiet()
		if s.run.Network() == lab.Link { // only the lab's own client gets there, and it may take its time
			s.server.ReadHeaderTimeout = 0
		}
		s.run.Go(func(ctx context.Context) error {
			defer context.AfterFunc(ctx, func() { s.server.Close() })()
			if err := serve(s.server, watched); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve: %w", err)
			}
			return nil
		})
	}
	s.client = &client{run: s.run, p: s.p, url: scheme + "://" + siteName, http: newTransport(from, s.p, s.roots)}
	return nil
}

// maxByHand bounds the connections of the servers by hand, and on the loopback,
// where anybody may come, each is over after a while.
const (
	maxByHand  = 20
	byHandTime = 30 * time.Second
)

func (s *stage) acceptByHand(l net.Listener) error {
	places := make(chan struct{}, maxByHand)
	page := make([]byte, s.p.Size*1000)
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		select {
		case places <- struct{}{}:
		default:
			c.Close()
			continue
		}
		s.run.Go(func(context.Context) error {
			defer func() { <-places }()
			defer c.Close()
			if s.run.Network() == lab.Loopback && c.SetDeadline(time.Now().Add(byHandTime)) != nil {
				return nil // it is closed already
			}
			_ = serveByHand(c, page, s.name == fixed) // how a client ended it, the observer tells
			return nil
		})
	}
}

// work has the client do what there is to see on this server.
func (s *stage) work(ctx context.Context) error {
	if s.server == nil {
		s.got, s.problem = s.client.get(ctx, "/", s.p.Busy, -1)
		s.client.http.CloseIdleConnections()
		return ctx.Err()
	}
	from, err := s.run.Host(clientLane)
	if err != nil {
		return err
	}
	if s.old, err = s.client.old(ctx, from, s.roots); err != nil {
		return err
	}
	if err := s.client.visit(ctx); err != nil {
		return err
	}
	s.visited = true
	if s.run.Network() == lab.Loopback {
		return nil
	}
	return s.shutdown(ctx)
}

// shutdown lets the server say goodbye: GOAWAY, and no stream is cut off.
func (s *stage) shutdown(ctx context.Context) error {
	if s.server == nil || s.down {
		return nil
	}
	s.down = true
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second+4*s.run.Settings().Delay)
	defer cancel()
	end := s.run.Begin(trace.HTTP, serverLane, "shutdown")
	err := s.server.Shutdown(ctx)
	s.client.http.CloseIdleConnections()
	if err != nil {
		end(err.Error())
		return nil // somebody from outside is still there: that is no fault of the lab
	}
	end("done")
	return nil
}

// pushed tells what became of a push.
func (s *stage) pushed(proto string, err error) {
	if err != nil {
		s.run.Note("By %s a push was refused: %v. The client's SETTINGS say ENABLE_PUSH 0, or it is no HTTP/2.", proto, err)
		return
	}
	s.run.Note("By %s /hello was pushed.", proto)
}

// facts tells what was measured.
func (s *stage) facts() {
	s.watch.mu.Lock()
	t := s.watch.tally
	conns := s.watch.conns
	s.watch.mu.Unlock()
	s.run.Fact("frames", float64(t.frames), "frames")
	s.run.Fact("bytes of data", float64(t.data), "B")
	s.run.Fact("bytes of all other frames", float64(t.overhead), "B")
	s.run.Fact("time the server had to wait for a window", float64(t.waited.Microseconds())/1000, "ms")
	if s.server == nil {
		s.byHandVerdict(t)
		return
	}
	s.run.Fact("connections", float64(conns), "connections")
	s.run.Fact("GOAWAY of the server", float64(t.goAways), "frames")
	if len(t.blocks) > 1 {
		s.run.Fact("headers of the first request", float64(t.blocks[0]), "B")
		s.run.Fact("headers of the same request again", float64(t.blocks[1]), "B")
	}
	switch {
	case !s.visited:
		s.run.Verdict(lab.Warn, "The run was over before all was asked for: %d requests were sent on one connection, %s.", len(t.blocks), waitText(t.waited))
	case len(t.blocks) > 1:
		s.run.Verdict(lab.Good, "%s: %d requests on one connection, %s. The headers of a request took %d bytes, and %d when they came again; as text they are %d. A client that knows only HTTP/1.1 got %s on the same port.",
			howChosen[s.name], len(t.blocks), waitText(t.waited), t.blocks[0], t.blocks[1], t.texts[1], or(s.old, "nothing"))
	}
}

var howChosen = map[string]string{overTLS: "ALPN chose h2", inClear: "Prior knowledge, no negotiation"}

func waitText(d time.Duration) string {
	if d == 0 {
		return "no window ever closed"
	}
	return fmt.Sprintf("its sender waited %.1f ms for windows", float64(d.Microseconds())/1000)
}

// byHandVerdict says what became of a page without, and with, a sense for windows.
func (s *stage) byHandVerdict(t tally) {
	s.run.Fact("bytes that arrived", float64(s.got), "B")
	s.run.Fact("bytes sent beyond the window", float64(t.beyond), "B")
	switch {
	case errors.Is(s.problem, context.Canceled) || errors.Is(s.problem, context.DeadlineExceeded):
		s.run.Verdict(lab.Warn, "The run was over before the page was there: %d bytes had come.", s.got)
	case s.problem != nil && t.beyond > 0:
		s.run.Verdict(lab.Bad, "The server sent %d bytes more than the client was ready for, with a window of %d KiB a stream. The page is lost after %d bytes: %v.", t.beyond, s.p.Window, s.got, s.problem)
	case s.problem != nil:
		s.run.Verdict(lab.Bad, "The page did not come, and not for the windows: %v.", s.problem)
	case s.name == naive:
		s.run.Verdict(lab.Warn, "This time the page came whole: the client read faster than bytes arrived, or it fits into the window. Nothing but luck kept to the window.")
	default:
		s.run.Verdict(lab.Good, "The page came whole: %d bytes, and %s.", s.got, waitText(t.waited))
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
