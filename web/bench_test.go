package web_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"peerlab/lab"
	"peerlab/trace"
	"peerlab/web"
)

// BenchmarkEventsTo100Watchers is how many events a second reach a hundred
// readers of one run in all, over real connections of this machine.
func BenchmarkEventsTo100Watchers(b *testing.B) {
	const watchers, events = 100, 10_000
	begin := make(chan struct{})
	l, err := lab.New(lab.Info{Slug: "talk", Title: "T", Chapter: "C", Ask: "?", Question: 1, Files: fstest.MapFS{"lab.md": {Data: []byte("x")}}},
		func(ctx context.Context, _ struct{}, r *lab.Run) error {
			select {
			case <-begin:
			case <-ctx.Done():
				return ctx.Err()
			}
			for range events {
				r.Message(trace.TCP, "client", "server", "DATA 1–1460 (1460 B)", "")
			}
			return nil
		})
	if err != nil {
		b.Fatal(err)
	}
	runner, err := lab.NewRunner(lab.Config{Labs: []*lab.Lab{l}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer runner.Close()
	h, err := web.New(web.Config{Rooms: &rooms{}, Status: func(context.Context) web.Status { return web.Status{} },
		ClientAddr: func(*http.Request) netip.Addr { return netip.Addr{} }, AllowedHosts: func(string) bool { return true },
		ShareURLs: func(*http.Request) []string { return nil }, Logger: slog.New(slog.DiscardHandler), Labs: runner})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for b.Loop() {
		b.StopTimer()
		rec, err := runner.Start(netip.MustParseAddr("192.0.2.1"), "talk", nil)
		if err != nil {
			b.Fatal(err)
		}
		var all sync.WaitGroup
		for range watchers {
			resp, err := http.Get(server.URL + "/runs/" + rec.ID + "/events")
			if err != nil {
				b.Fatal(err)
			}
			all.Go(func() {
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil || strings.Count(string(text), `"seq":`) < events {
					b.Errorf("a reader got %d bytes: %v", len(text), err)
				}
			})
		}
		b.StartTimer()
		begin <- struct{}{}
		all.Wait()
	}
	b.ReportMetric(float64(b.N)*watchers*events/b.Elapsed().Seconds(), "events/s")
}
