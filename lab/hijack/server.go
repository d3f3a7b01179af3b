package hijack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/trace"
)

// maxConns is how many connections a server has at a time; who comes after them waits.
const maxConns = 32

// patience is how long a peer may be silent once a connection has been taken over.
const patience = 10 * time.Second

// handlerFunc is a handler that is told which connection it is on.
type handlerFunc func(w http.ResponseWriter, req *http.Request)

// server is one HTTP server of the lab and what is known of its connections.
type server struct {
	p      Params
	name   string
	run    *lab.Run
	client *lab.Host
	addr   string
	http   *http.Server
	listen net.Listener
	told   *rate.Limiter // what visitors do, in the record

	mu    sync.Mutex
	conns map[net.Conn]int      // number, by connection
	taken map[net.Conn]struct{} // those that were taken over and are registered
	next  int
}

func newServer(p Params, r *lab.Run, name, port string) (*server, error) {
	host, err := r.Host("server")
	if err != nil {
		return nil, err
	}
	s := &server{p: p, name: name, run: r, conns: map[net.Conn]int{}, taken: map[net.Conn]struct{}{}, told: rate.NewLimiter(10, 30)}
	if s.client, err = r.Host("client"); err != nil {
		return nil, err
	}
	l, err := host.Listen("tcp", port)
	if err != nil {
		return nil, err
	}
	s.listen = netutil.LimitListener(l, maxConns)
	s.addr = l.Addr().String()
	r.State(trace.TCP, "server", "listens on", s.addr)
	return s, nil
}

// serve begins to answer.
func (s *server) serve(handler handlerFunc) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler: http.HandlerFunc(handler), Protocols: &protocols, MaxHeaderBytes: 8 << 10,
		ReadTimeout: s.p.Timeout, WriteTimeout: s.p.Timeout, IdleTimeout: patience,
		ErrorLog: log.New(io.Discard, "", 0), ConnState: s.state,
	}
	s.run.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { s.http.Close() })()
		if err := s.http.Serve(s.listen); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return nil
}

// maxShown is how many connections have a row in the table of states.
const maxShown = 20

// state shows what net/http says of a connection: it ends with "hijacked",
// because from then on net/http knows nothing.
func (s *server) state(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	number, known := s.conns[conn]
	if !known {
		s.next++
		number = s.next
	}
	s.conns[conn] = number
	if state == http.StateClosed || state == http.StateHijacked {
		delete(s.conns, conn)
	}
	s.mu.Unlock()
	every := state == http.StateActive || state == http.StateIdle // request, as often as a visitor likes
	if number <= maxShown && (!every || s.told.Allow()) {
		s.run.State(trace.HTTP, "server", fmt.Sprintf("connection %d", number), state.String())
	}
}

// register remembers a connection that was taken over; net/http has forgotten it.
func (s *server) register(conn net.Conn) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[conn] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.taken, conn)
	}
}

// closeTaken closes the connections that were registered.
func (s *server) closeTaken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.taken {
		conn.Close()
	}
}

// shutdown ends the server as programs do.
func (s *server) shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.run.Note("Shutdown: %v", err)
	}
}

// dial connects the client.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	conn, err := s.client.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil // it is closed with the run, if nothing else ends it
}

// judged makes a result of a talk that the server ended before its time, or the
// network: with little patience and a link that loses much, it may.
func (s *server) judged(ctx context.Context, err error) error {
	_, network := errors.AsType[net.Error](err)
	if ctx.Err() != nil || !network && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	s.run.Verdict(lab.Warn, "It came to nothing: %v. The server allows %.0f ms for reading a request.", err, lab.Milliseconds(s.p.Timeout))
	return nil
}
