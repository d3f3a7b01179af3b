package slownetwork

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// The lanes of a way.
const (
	client = "client"
	server = "server"
)

// kilobyte is 1000 bytes, as for every rate on a network.
const kilobyte = 1000

// way is one way to be slow: a server, what makes it slow, and a client.
type way struct {
	name   string
	run    *lab.Run
	p      Params
	wire   wire
	host   *lab.Host // the client's
	target string    // who the client connects to
	proxy  *proxy    // of Toxiproxy
}

// open starts the server of a way and what stands before it.
func open(r *lab.Run, name string, p Params) (*way, error) {
	w := &way{name: name, p: p, target: server}
	w.run = variant(r, name, &w.wire)
	c := r.Settings()
	var handler http.Handler = http.HandlerFunc(w.file)
	at := ":80"
	switch name {
	case middleware:
		handler = slow(handler, roundTrips(c.Delay, c.Jitter, uint64(c.Seed)))
	case toxic:
		at = "localhost:80" // for the proxy alone
	}
	l, err := w.serve(handler, at)
	if err != nil {
		return nil, err
	}
	if name == toxic {
		if w.proxy, err = newProxy(w.run, toxicsOf(p, c)); err != nil {
			return nil, err
		}
		w.proxy.stateLocked() // nobody else has it yet
		w.run.Go(w.proxy.serve)
		w.target, l = "proxy", w.proxy.listener
	}
	if w.host, err = w.run.Host(client); err != nil {
		return nil, err
	}
	w.run.Live("url", "http://"+l.Addr().String()+"/")
	return w, nil
}

// serve answers on the server until the run ends.
func (w *way) serve(handler http.Handler, at string) (net.Listener, error) {
	host, err := w.run.Host(server)
	if err != nil {
		return nil, err
	}
	l, err := host.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	w.run.State(trace.TCP, server, "listens on", l.Addr().String())
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, who(w.run, c))
		},
	}
	w.run.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return l, nil
}

// peerKey is where a connection's context has the lane of its other end.
type peerKey struct{}

// file answers every GET with the download.
func (w *way) file(rw http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet {
		rw.Header().Set("Allow", http.MethodGet)
		http.Error(rw, "only GET", http.StatusMethodNotAllowed)
		return
	}
	peer, _ := req.Context().Value(peerKey{}).(string)
	w.run.Message(trace.HTTP, server, peer, "200 OK", fmt.Sprintf("%d kB", w.p.Size))
	rw.Header().Set("Content-Type", "application/octet-stream")
	rw.Header().Set("Content-Length", strconv.Itoa(w.p.Size*kilobyte))
	io.CopyN(rw, &pattern{}, int64(w.p.Size*kilobyte)) // an error is the client's, who has gone
}

// pattern is an endless file in which every byte has to be in its place.
type pattern struct{ at int }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = p.next()
	}
	return len(b), nil
}

func (p *pattern) next() byte {
	p.at++
	return byte(p.at % 251)
}

// follows tells that b is what comes next.
func (p *pattern) follows(b []byte) bool {
	for _, got := range b {
		if got != p.next() {
			return false
		}
	}
	return true
}
