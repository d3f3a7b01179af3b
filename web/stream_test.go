package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// quietLab says one thing and then nothing, until it is stopped.
func quietLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.New(lab.Info{Slug: "quiet", Title: "Q", Chapter: "C", Ask: "?", Question: 1, Duration: 2 * time.Minute,
		Files: fstest.MapFS{"lab.md": {Data: []byte("x")}}},
		func(ctx context.Context, _ struct{}, r *lab.Run) error {
			r.Note("quiet now")
			<-ctx.Done()
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// watchedSite is a site with one quiet run. Everything happens in a bubble.
func watchedSite(t *testing.T) (*site, *lab.Record) {
	t.Helper()
	runner, err := lab.NewRunner(lab.Config{Labs: []*lab.Lab{quietLab(t)}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runner.Close() })
	rec, err := runner.Start(netip.MustParseAddr("192.0.2.1"), "quiet", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &site{Config: Config{Labs: runner}}, rec
}

// reader is a connection that can be made to stall.
type reader struct {
	mu        sync.Mutex
	header    http.Header
	got       bytes.Buffer
	stalled   bool
	deadlines []time.Time
}

func (r *reader) Header() http.Header { return r.header }
func (r *reader) WriteHeader(int)     {}
func (r *reader) Flush()              {}

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stalled {
		time.Sleep(time.Until(r.deadlines[len(r.deadlines)-1])) // as a full socket does; the clock is the bubble's
		return 0, os.ErrDeadlineExceeded
	}
	return r.got.Write(b)
}

func (r *reader) SetReadDeadline(time.Time) error { return nil }

func (r *reader) SetWriteDeadline(at time.Time) error {
	r.deadlines = append(r.deadlines, at)
	return nil
}

func (r *reader) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

func watch(t *testing.T, s *site, rec *lab.Record, w http.ResponseWriter) (stop func(), done <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, "GET", "/runs/x/events", nil)
	req.SetPathValue("id", rec.ID)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.runEvents(w, req); err != nil {
			t.Error(err)
		}
	}()
	return cancel, ended
}

func TestAQuietRunHasAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rec := watchedSite(t)
		w := &reader{header: http.Header{}}
		stop, done := watch(t, s, rec, w)
		time.Sleep(heartbeat - time.Second)
		if text := w.text(); strings.Contains(text, "still here") || !strings.Contains(text, "quiet now") {
			t.Errorf("before the first beat: %q", text)
		}
		time.Sleep(3 * heartbeat)
		if n := strings.Count(w.text(), ": still here\n\n"); n != 3 {
			t.Errorf("%d beats in 59 s: %q", n, w.text())
		}
		if n := strings.Count(w.text(), "event: status"); n != 1 {
			t.Errorf("a status that is no news was told %d times", n)
		}
		if rec.Watchers() != 1 {
			t.Errorf("%d watchers", rec.Watchers())
		}
		stop()
		<-done
		if rec.Watchers() != 0 {
			t.Error("a watcher stays behind")
		}
	})
}

func TestAReaderThatDoesNotReadIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rec := watchedSite(t)
		w := &reader{header: http.Header{}}
		_, done := watch(t, s, rec, w)
		time.Sleep(time.Second)
		w.mu.Lock()
		w.stalled = true
		w.mu.Unlock()
		began := time.Now()
		<-done
		if took := time.Since(began); took < writeTime || took > heartbeat+writeTime {
			t.Errorf("let go after %s", took)
		}
		if rec.Watchers() != 0 {
			t.Error("it counts as a watcher for ever")
		}
	})
}

// A message stays small, however many events wait.
func TestBatchesAreBounded(t *testing.T) {
	events := make(chan trace.Event, 10_000)
	for i := range 2000 {
		text := "x"
		if i >= 1000 {
			text = strings.Repeat("long ", 200)
		}
		events <- trace.Event{Seq: uint64(i + 1), Kind: trace.Note, Text: text}
	}
	w := &reader{header: http.Header{}}
	st := &eventStream{w: w, control: http.NewResponseController(w)}
	sizes := 0
	for len(events) > 0 {
		w.got.Reset()
		if err := st.batch(<-events, events); err != nil {
			t.Fatal(err)
		}
		if n := w.got.Len(); n > maxBatchBytes+4096 {
			t.Errorf("a message of %d bytes", n)
		}
		if n := strings.Count(w.got.String(), `"seq"`); n > maxBatch {
			t.Errorf("%d events in a message", n)
		}
		sizes++
	}
	if st.last != 2000 || sizes < 6 {
		t.Errorf("%d messages up to event %d", sizes, st.last)
	}
}

func TestAStreamEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rec := watchedSite(t)
		w := &broken{reader{header: http.Header{}}}
		_, done := watch(t, s, rec, w)
		<-done // at the first write
		if rec.Watchers() != 0 {
			t.Error("a watcher stays behind")
		}
	})
}

type broken struct{ reader }

func (*broken) Write([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// The same as in quantity.js; jstest has the same table.
func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "", "0"}, {7, "clients", "7 clients"}, {1234567, "", "1\u2009234\u2009567"}, {0.5, "%", "0.5 %"}, {12.34, "req/s", "12.3 req/s"},
		{-3.14159, "", "-3.14"}, {123.4, "ms", "123 ms"}, {12345, "ms", "12.3 s"}, {0.0123, "ms", "12.3 µs"}, {0, "ms", "0 ms"},
		{0, "s", "0 s"}, {0.25, "s", "250 ms"}, {90, "s", "90 s"}, {1500, "ns", "1.5 µs"}, {1500, "us", "1.5 ms"}, {999, "B", "999 B"},
		{1500, "B", "1.5 kB"}, {2.5e9, "B/s", "2.5 GB/s"}, {1234, "kbit/s", "1.23 Mbit/s"}, {1e6, "bit/s", "1 Mbit/s"}, {-0.0001, "", "0"}, {40000, "port", "40000"},
	} {
		if got := quantity(c.value, c.unit); got != c.want {
			t.Errorf("%g %s: %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}
