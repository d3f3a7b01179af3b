package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/trace"
)

// Bounds of a server.
const (
	maxBody = 4 << 10 // bytes of an order
	maxSeen = 200     // requests that are remembered
)

// server is one of the two that a client asks: api, which wants tokens, and
// elsewhere, which should never get one. It remembers every request.
type server struct {
	run    *lab.Run
	name   string
	routes func(*exchange) answer
	told   *rate.Limiter // visitors in the record

	mu   sync.Mutex
	seen []exchange
	all  int
	ours sums
}

// sums are what the run's own client has sent. Visitors' requests are in the
// server's list and nowhere else.
type sums struct {
	requests    int
	mostLines   int // of Authorization in one request
	withToken   int
	emptyBodies int
}

func (s *sums) add(x exchange) {
	s.requests++
	s.mostLines = max(s.mostLines, len(x.authorization))
	if len(x.authorization) > 0 {
		s.withToken++
	}
	if (x.method == http.MethodPost || x.method == http.MethodPut) && len(x.body) == 0 && !x.cut {
		s.emptyBodies++
	}
}

// exchange is a request as the server saw it, and how it was answered.
type exchange struct {
	number        int
	visitor       bool
	method, path  string
	key, language string
	match         string // If-None-Match
	authorization []string
	user          string // whose token came first
	body          []byte
	cut           bool // the body did not come whole
	status        int
}

// answer is what a request gets.
type answer struct {
	status int
	header map[string]string
	text   string
}

// addrKey is where a connection's context has the address of its other end.
type addrKey struct{}

// serve opens the server. tokens tells whose a token is.
func (s *server) serve(host *lab.Host, tokens map[string]string) (at netip.AddrPort, err error) {
	s.told = rate.NewLimiter(10, 30)
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return at, err
	}
	if at, err = netip.ParseAddrPort(l.Addr().String()); err != nil {
		return at, fmt.Errorf("address of the listener: %w", err)
	}
	srv := &http.Server{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { s.handle(w, req, tokens) }),
		MaxHeaderBytes: 8 << 10, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, addrKey{}, c.RemoteAddr())
		},
	}
	s.run.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return at, nil
}

// handle reads a request whole, has it answered, and remembers both.
func (s *server) handle(w http.ResponseWriter, req *http.Request, tokens map[string]string) {
	from, _ := req.Context().Value(addrKey{}).(net.Addr)
	x := exchange{
		visitor: s.run.HostOf(from) == "", method: req.Method, path: req.URL.Path,
		key: req.Header.Get("Idempotency-Key"), language: req.Header.Get("Accept-Language"), match: req.Header.Get("If-None-Match"),
		authorization: req.Header.Values("Authorization"),
	}
	if len(x.authorization) > 0 {
		x.user = tokens[x.authorization[0]]
	}
	var a answer
	var err error
	x.body, err = io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	switch {
	case err != nil:
		x.cut = true
		a = answer{status: http.StatusBadRequest, text: "the body did not come whole"}
	case len(x.body) > maxBody:
		a = answer{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("more than %d bytes", maxBody)}
	default:
		a = s.routes(&x)
	}
	x.status = a.status
	s.remember(x)
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	if a.text != "" && a.status != http.StatusNotModified {
		io.WriteString(w, a.text+"\n") // an error is that of who went away
	}
}

func (s *server) remember(x exchange) {
	s.mu.Lock()
	s.all++
	x.number = s.all
	if len(s.seen) == maxSeen {
		s.seen = s.seen[1:]
	}
	s.seen = append(s.seen, x)
	if !x.visitor {
		s.ours.add(x)
	}
	s.mu.Unlock()
	if x.visitor {
		if s.told.Allow() {
			s.run.Message(trace.HTTP, lab.Outside, s.name, x.method+" "+x.path, fmt.Sprint(x.status))
		}
		return
	}
	s.run.Sample(trace.HTTP, s.name, "Authorization lines", float64(len(x.authorization)), "lines")
}

// sums are what the run's own client has sent so far.
func (s *server) sums() sums {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ours
}
