package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// Bounds of every server of the lab, as strangers may talk to them.
const (
	maxHeader = 16 << 10
	maxBody   = 256 << 10
	maxFile   = 64 << 10
)

// newServer is an HTTP server with an end to everything: headers, bodies,
// answers nobody reads, silence.
func newServer(ctx context.Context, r *lab.Run, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           http.MaxBytesHandler(h, maxBody),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 20 * time.Second,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       log.New(io.Discard, "", 0), // what happens is in the record
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, laneKey{}, laneOf(r, c))
		},
	}
}

// serve lets srv serve l in a goroutine of the run, until either is closed.
func serve(r *lab.Run, srv *http.Server, l net.Listener) {
	r.Go(func(context.Context) error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// upstream is a server behind the proxies. It tells what it was sent, and can
// be killed.
type upstream struct {
	run  *lab.Run
	host *lab.Host
	ctx  context.Context // of the run
	drop *dropped

	mu  sync.Mutex
	l   net.Listener // nil: dead
	srv *http.Server
}

// dropped remembers which requests were taken and not answered, for all the
// upstreams of a variant.
type dropped struct {
	mu       sync.Mutex
	arrivals map[string]int
}

// arrived counts the arrivals of a request.
func (d *dropped) arrived(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.arrivals == nil || len(d.arrivals) > 100 {
		d.arrivals = map[string]int{}
	}
	d.arrivals[id]++
	return d.arrivals[id]
}

// count tells how often a request arrived.
func (d *dropped) count(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.arrivals[id]
}

// newUpstream starts number n.
func newUpstream(ctx context.Context, r *lab.Run, n int, d *dropped) (*upstream, error) {
	h, err := r.Host("upstream-" + strconv.Itoa(n))
	if err != nil {
		return nil, err
	}
	u := &upstream{run: r, host: h, ctx: ctx, drop: d}
	return u, u.revive()
}

// address is where a proxy finds it, dead or alive.
func (u *upstream) address() string { return u.host.Name() + ":80" }

// kill closes the listener and all connections, as the end of a process does.
func (u *upstream) kill() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.l == nil {
		return
	}
	u.l.Close()
	u.srv.Close()
	u.l = nil
	u.run.State(trace.App, u.host.Name(), "process", "dead")
}

// revive starts a new process in its place.
func (u *upstream) revive() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.l != nil {
		return nil
	}
	l, err := u.host.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	w := &watch{run: u.run, lane: u.host.Name()}
	u.l, u.srv = l, newServer(u.ctx, u.run, w.handler(u))
	u.run.State(trace.App, u.host.Name(), "process", "alive")
	serve(u.run, u.srv, l)
	return nil
}

// saw is what an upstream tells about a request.
type saw struct {
	Upstream string      `json:"upstream"`
	Client   string      `json:"client"` // whom it takes for the client
	Request  string      `json:"request"`
	Host     string      `json:"host"`
	Headers  http.Header `json:"headers"`
	Arrivals int         `json:"arrivals,omitempty"`
}

// ServeHTTP answers: /load with some bytes, /websocket with an echo, /drop the
// first time with nothing at all, and everything else with what it saw.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case r.URL.Path == "/load":
		n, err := strconv.Atoi(r.URL.Query().Get("bytes"))
		if err != nil || n < 0 || n > maxFile {
			http.Error(w, fmt.Sprintf("bytes: a number from 0 to %d", maxFile), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(n))
		io.Copy(w, io.LimitReader(exes{}, int64(n)))
	case r.URL.Path == "/websocket":
		echo(u.run, u.host.Name(), w, r)
	case r.URL.Path == "/drop":
		n := u.drop.arrived(r.URL.RawQuery)
		if n == 1 {
			io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler) // net/http closes the connection and says nothing
		}
		u.tell(w, r, n)
	default:
		u.tell(w, r, 0)
	}
}

// exes is a file of the letter x without an end.
type exes struct{}

func (exes) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// tell answers with what the request looked like here. The headers are those
// an upstream of some age would send, two of them for the next hop only.
func (u *upstream) tell(w http.ResponseWriter, r *http.Request, arrivals int) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, "the body: "+err.Error(), http.StatusBadRequest)
		return
	}
	told := saw{
		Upstream: u.host.Name(), Client: believed(r), Host: r.Host, Headers: r.Header,
		Request: r.Method + " " + r.URL.RequestURI(), Arrivals: arrivals,
	}
	if isShown(r) {
		u.run.State(trace.HTTP, u.host.Name(), "takes the client for", told.Client)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "X-Hop")
	w.Header().Set("X-Hop", "for the next hop")
	w.Header().Set("Keep-Alive", "timeout=20")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(told) // an error is the other side's, which has gone
}

// believed is the address an application trusts that takes the first one it
// finds, as many do.
func believed(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if first == "" {
		first = r.RemoteAddr
	}
	if host, _, err := net.SplitHostPort(first); err == nil {
		return host
	}
	return strings.TrimSpace(first)
}
