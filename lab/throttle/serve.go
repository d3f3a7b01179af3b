package throttle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// whoKey is where a connection's context has the name of who opened it.
type whoKey struct{}

// who is the client that sent a request: a host of the run, or the address of
// somebody from outside. A header is not asked.
func who(req *http.Request) string {
	name, _ := req.Context().Value(whoKey{}).(string)
	return name
}

// serve answers on port 80 of the run's server until the run ends, and returns
// where.
func serve(r *lab.Run, handler http.Handler) (*lab.Host, net.Addr, error) {
	host, err := r.Host("server")
	if err != nil {
		return nil, nil, err
	}
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return nil, nil, err
	}
	r.State(trace.TCP, "server", "listens on", l.Addr().String())
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			name := r.HostOf(c.RemoteAddr())
			if name == "" {
				name, _, _ = net.SplitHostPort(c.RemoteAddr().String())
			}
			return context.WithValue(ctx, whoKey{}, name)
		},
	}
	r.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return host, l.Addr(), nil
}

// client makes an HTTP client of the run's host of that name. Whatever the
// URL, it dials the run's server.
func client(r *lab.Run, name string) (*http.Client, error) {
	host, err := r.Host(name)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return host.DialContext(ctx, "tcp", "server:80")
			},
			ResponseHeaderTimeout: 30 * time.Second,
			MaxConnsPerHost:       maxConns, MaxIdleConnsPerHost: maxConns, DisableCompression: true,
		},
	}, nil
}

// maxConns is how many connections one client opens at most. A run has three
// servers with three clients each, and two ends to each connection.
const maxConns = 8
