package fasthttp

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"peerlab/lab"
)

// The same for both servers.
const (
	maxBody     = 1 << 20 // fasthttp makes room for a whole body at once, for every client
	dripLines   = 5
	dripPause   = 100 * time.Millisecond
	maxWork     = time.Second // that a handler does for somebody who may have gone
	patience    = 10 * time.Second
	idleTimeout = time.Minute
)

// server is one of the two, with what is measured of it.
type server struct {
	name   string
	run    *lab.Run // whose lanes and facts are its
	place  *lab.Run // whose network the load is on
	client *lab.Host
	addr   string // for the load
	shown  *lab.Host
	open   string // its address for what is shown
	answer []byte // the body of every answer

	account account
	begun   chan struct{}      // a handler works for the client that will go
	done    chan time.Duration // and how long it worked

	figures
}

// figures are what was measured.
type figures struct {
	latencies  *latencies
	cpu        time.Duration // of the process during its turns
	sent       int
	failed     int
	allocs     float64 // a request
	allocBytes float64
	bareRates  []float64 // requests/s, by round
	firstLine  time.Duration
	stopped    time.Duration
	uploaded   string
	http2      bool
	remembered string
	unanswered int // of what shows what a server gives up
}

// newBoth opens the servers: each on the network that is shown, and on the
// link a second time on one whose packets are not recorded, for the load.
func newBoth(p Params, r *lab.Run) (both [2]*server, err error) {
	for i, name := range []string{standard, fast} {
		s := &server{name: name, run: r.Variant(name), answer: bytes.Repeat([]byte("x"), p.Size), begun: make(chan struct{}, 1), done: make(chan time.Duration, 1), account: newAccount()}
		s.latencies = newLatencies()
		if s.shown, s.open, err = s.start(s.run); err != nil {
			return both, fmt.Errorf("%s: %w", name, err)
		}
		at, err := netip.ParseAddrPort(s.open)
		if err != nil {
			return both, fmt.Errorf("address of %s: %w", name, err)
		}
		s.run.Live("url", "http://"+at.String()+"/")
		s.place, s.client, s.addr = s.run, s.shown, s.open
		if r.Network() == lab.Link {
			s.place = r.VariantOnLink(name+"-load", lab.Emulation{Link: r.Settings().Link(), Quiet: true})
			if s.client, s.addr, err = s.start(s.place); err != nil {
				return both, fmt.Errorf("%s: %w", name, err)
			}
		}
		both[i] = s
	}
	return both, nil
}

// start opens one server there, and returns a client and where the server is.
func (s *server) start(there *lab.Run) (client *lab.Host, addr string, err error) {
	host, err := there.Host("server")
	if err != nil {
		return nil, "", err
	}
	if client, err = there.Host("client"); err != nil {
		return nil, "", err
	}
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return nil, "", err
	}
	serve := s.serveNetHTTP
	if s.name == fast {
		serve = s.serveFast
	}
	serve(there, l)
	return client, l.Addr().String(), nil
}

// dial connects a client to the server of the load.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	conn, err := s.client.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.name, err)
	}
	return conn, nil
}

// worked takes down that a handler begins to work, until it calls done. Visitors
// do not know the path of the client's own request and are not counted.
func (s *server) worked(path string) (done func()) {
	if path != s.account.prefix+"work" {
		return func() {}
	}
	began := time.Now()
	s.begun <- struct{}{}
	return func() { s.done <- time.Since(began) }
}
