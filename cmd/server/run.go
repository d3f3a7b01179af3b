package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// shutdownTimeout bounds the graceful part of the end.
	shutdownTimeout = 5 * time.Second
	// connsPerAddress is how many HTTP connections one address may hold;
	// a classroom behind one router stays far below it.
	connsPerAddress = 1024
)

// run is the whole program: it starts everything, prints where it can be
// opened, and ends everything when ctx does.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	f, err := parseFlags(args, getenv, stdout)
	if err != nil {
		return err
	}
	if f.CheckHealth {
		return checkHealth(ctx, f.Addr)
	}
	log := newLogger(f, stdout)

	listener, err := listen(ctx, f.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()

	app, err := newApp(ctx, f, listener, log)
	if err != nil {
		return err
	}
	app.announce(stdout)
	return app.serve(ctx, listener)
}

// serve runs every part until ctx ends or one of them fails.
func (a *app) serve(ctx context.Context, listener net.Listener) error {
	var unused unusedConns
	server := &http.Server{
		Handler:           a.handler,
		ConnState:         unused.note,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second, // ends at the hijack, so sockets are not cut
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		// No WriteTimeout: it would cut long answers. Bodies are small and pages are buffered.
	}
	trusted := a.flags.TrustedProxies
	limited := limitPerAddress(listener, connsPerAddress, func(ip netip.Addr) bool {
		return ip.IsLoopback() || trusted.trusts(ip)
	})

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(limited); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving HTTP on %s: %w", listener.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		a.log.Info("shutting down")
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		// Rooms first: their sockets are hijacked, Shutdown does not know them.
		a.rooms.Shutdown(stop)
		unused.close()
		if err := server.Shutdown(stop); err != nil {
			server.Close()
		}
		return nil
	})
	for _, part := range a.parts {
		group.Go(func() error { return part(ctx) })
	}
	return group.Wait()
}

// listen opens the HTTP port; a taken one is explained in one line.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, portError("--addr", addr, err)
	}
	return l, nil
}

func portError(flag, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s %s: the port is taken by another program; choose another, such as %s :0", flag, addr, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s %s: this user may not listen there; choose a port above 1023", flag, addr)
	}
	return fmt.Errorf("%s %s: %w", flag, addr, err)
}

func newLogger(f *flags, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		level = slog.LevelInfo // the flag's enum leaves nothing else
	}
	options := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// machineName is this host's name, or nothing if it has none.
func machineName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
