package keepalive

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/selfsigned"
	"peerlab/trace"
)

// serverName is what the certificate is for.
const serverName = "server.lab"

// kilobyte is 1000 bytes, as for every size on a network.
const kilobyte = 1000

// maxBody is the most that a request may carry.
const maxBody = 64 * kilobyte

// server answers, and counts the connections it has.
type server struct {
	ctx   context.Context // of the run: afterwards nothing is recorded
	run   *lab.Run
	p     Params
	http  *http.Server
	tls   bool
	roots *x509.CertPool
	told  *rate.Limiter // not nil: it is the door for visitors
	quiet bool          // only totals

	mu       sync.Mutex
	states   map[net.Conn]http.ConnState
	arrivals map[string]int // requests that came, by what they are called
}

// newServer opens the server of a variant. A connection that asks nothing for
// as long as idle is closed. A quiet one does not draw how many it has.
func newServer(ctx context.Context, r *lab.Run, p Params, idle time.Duration, quiet bool) (*server, error) {
	host, err := r.Host("server")
	if err != nil {
		return nil, err
	}
	l, err := host.Listen("tcp", ":443")
	if err != nil {
		return nil, err
	}
	s := &server{ctx: ctx, run: r, p: p, tls: p.TLS != "off", quiet: quiet}
	if !quiet {
		r.State(trace.TCP, "server", "listens on", l.Addr().String())
	}
	s.prepare(idle)
	if s.tls {
		cert, roots, err := selfsigned.Certificate(serverName, host.Addr())
		if err != nil {
			return nil, err
		}
		version := uint16(tls.VersionTLS13)
		if p.TLS == "1.2" {
			version = tls.VersionTLS12
		}
		s.roots = roots
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, MaxVersion: version}
	}
	s.serve(l)
	return s, nil
}

// maxVisitors is how many connections visitors may have at a time; who comes
// after them waits until the server has tired of one.
const maxVisitors = 32

// openDoor opens a server without TLS for visitors, and publishes where it is.
func openDoor(ctx context.Context, r *lab.Run, p Params) error {
	host, err := r.Host("door")
	if err != nil {
		return err
	}
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	s := &server{ctx: ctx, run: r, p: p, told: rate.NewLimiter(20, 60), quiet: true}
	s.prepare(p.ServerIdle)
	s.http.ReadHeaderTimeout = 2 * time.Second // on the loopback nobody needs longer
	s.serve(netutil.LimitListener(l, maxVisitors))
	r.LiveAt(l.Addr(), "port")
	r.Live("url", "http://"+l.Addr().String()+"/")
	return nil
}

func (s *server) prepare(idle time.Duration) {
	s.states, s.arrivals = map[net.Conn]http.ConnState{}, map[string]int{}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler: s, Protocols: protocols, ConnState: s.changed,
		IdleTimeout: idle, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		MaxHeaderBytes: 8 << 10, ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
	}
}

func (s *server) serve(l net.Listener) {
	s.run.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { s.http.Close() })()
		serve := s.http.Serve
		if s.tls {
			serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
}

// changed follows a connection from new over active and idle to closed.
func (s *server) changed(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(s.states, c)
	} else {
		s.states[c] = state
	}
	open := len(s.states)
	s.mu.Unlock()
	if !s.quiet && s.ctx.Err() == nil {
		s.run.Sample(trace.TCP, "server", "connections open", float64(open), "")
	}
}

// open counts the connections that are open now.
func (s *server) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.states)
}

// hangUp closes every connection, as a server does that is restarted.
func (s *server) hangUp() (closed int) {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.states))
	s.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
	return len(all)
}

// arrived counts a request, by name.
func (s *server) arrived(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" {
		s.arrivals[name]++
	}
	return s.arrivals[name]
}

func (s *server) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrivals[name]
}

// ServeHTTP thinks and answers. On /cut it takes the request in, the first time
// that it comes, and hangs up.
func (s *server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if s.told != nil {
		s.visited(req)
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, req.Body, maxBody)); err != nil {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		return
	}
	if s.told == nil && req.URL.Path == "/cut" && s.arrived(req.URL.RawQuery) == 1 {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
			return
		}
	}
	if err := s.run.Sleep(req.Context(), s.p.Think); err != nil {
		return // who asked has gone
	}
	size := s.p.Size * kilobyte
	if req.Method == http.MethodPost || req.URL.Path == "/warm" {
		size = 2
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	w.Write(make([]byte, size)) // an error is that of who hung up
}

func (s *server) visited(req *http.Request) {
	if s.told.Allow() {
		s.run.Add(trace.Event{
			Kind: trace.Message, Layer: trace.HTTP, From: lab.Outside, To: "door", Name: req.Method + " " + clip(req.URL.Path),
			Text: req.RemoteAddr, Attrs: map[string]string{"Connection": clip(req.Header.Get("Connection"))},
		})
	}
}

// clip keeps what visitors write short.
func clip(s string) string { return s[:min(len(s), 80)] }
