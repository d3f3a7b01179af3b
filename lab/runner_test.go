package lab_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"peerlab/lab"
	"peerlab/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var client = netip.MustParseAddr("192.0.2.1")

func newRunner(t testing.TB, cfg lab.Config) *lab.Runner {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	rn, err := lab.NewRunner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rn.Close(); err != nil {
			t.Error(err)
		}
	})
	return rn
}

func start(t testing.TB, rn *lab.Runner, slug string, values url.Values) *lab.Record {
	t.Helper()
	rec, err := rn.Start(client, slug, values)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// labOf makes a lab without parameters out of a function.
func labOf(t testing.TB, run func(ctx context.Context, r *lab.Run) error) *lab.Lab {
	t.Helper()
	i := info()
	i.Actions = []lab.Action{{Name: "poke", Label: "Poke"}}
	l, err := lab.New(i, func(ctx context.Context, _ struct{}, r *lab.Run) error { return run(ctx, r) })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// untilEnd is a lab that does nothing until it is told to end.
func untilEnd(ctx context.Context, _ *lab.Run) error {
	<-ctx.Done()
	return ctx.Err()
}

func wantOutcome(t *testing.T, rec *lab.Record, want lab.Outcome, why string) {
	t.Helper()
	<-rec.Done()
	outcome, got, err := rec.Status()
	if outcome != want || !strings.Contains(got, why) || (err != nil) != (want == lab.Failed) {
		t.Errorf("%s, %q, %v; want %s, %q", outcome, got, err, want, why)
	}
	events := rec.Log.Events()
	if rec.Log.Ended().IsZero() || len(events) == 0 || events[len(events)-1].Text != got {
		t.Error("the log does not end with why the run did")
	}
}

func TestTheVerbsLandInTheRecord(t *testing.T) {
	l := labOf(t, func(_ context.Context, r *lab.Run) error {
		v := r.Variant("naive")
		if r.Variant("naive") != v {
			t.Error("two variants of one name")
		}
		end := v.Begin(trace.TCP, "server", "serve")
		v.Message(trace.App, "client", "server", "LINE", "hello")
		v.Sample(trace.App, "server", "goroutines", 3, "")
		v.State(trace.TCP, "", "listener", "open")
		v.Fact("served", 1, "connections")
		r.Note("All %d.", 5)
		v.Live("port", "4711")
		end("done")
		return nil
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	wantOutcome(t, rec, lab.Finished, "Finished.")
	var got []string
	for _, e := range rec.Log.Events() {
		got = append(got, strings.Join([]string{string(e.Kind), e.From, e.To, e.Name, e.Text}, "|"))
	}
	want := []string{
		"span|naive/server||serve|", "message|naive/client|naive/server|LINE|hello", "sample|naive/server||goroutines|",
		"state|naive||listener|open", "fact|naive||served|", "note||||All 5.", "state|outside||naive.port|4711",
		"span|naive/server||serve|done", "note||||Finished.",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if live := rec.Live(); live["naive.port"] != "4711" {
		t.Errorf("live %v", live)
	}
	doc := rec.Document()
	if doc.Lab != "echo" || doc.ID != rec.ID || doc.Network["network"] != "loopback" || doc.Params["duration"] != 30.0 || len(doc.Network) != 1 {
		t.Errorf("document %+v", doc)
	}
}

func TestARunEndsWhenNobodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, untilEnd)}})
		defer rn.Close()
		begin := time.Now()
		rec := start(t, rn, "echo", url.Values{"duration": {"300"}})
		time.Sleep(29 * time.Second)
		leave, other := rec.Watch(), rec.Watch()
		time.Sleep(time.Minute)
		leave()
		leave()
		time.Sleep(time.Minute)
		if outcome, _, _ := rec.Status(); outcome != lab.Running || rec.Watchers() != 1 {
			t.Fatalf("%s while somebody watches", outcome)
		}
		other()
		wantOutcome(t, rec, lab.Stopped, "nobody was watching")
		if took := time.Since(begin); took != 179*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestARunEndsAtItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, untilEnd)}})
		defer rn.Close()
		begin := time.Now()
		rec := start(t, rn, "echo", url.Values{"duration": {"7"}})
		defer rec.Watch()()
		wantOutcome(t, rec, lab.Stopped, "time for it was over")
		if took := time.Since(begin); took != 7*time.Second {
			t.Errorf("ended after %s", took)
		}
		_, err := rn.Start(client, "echo", url.Values{"duration": {"301"}})
		if bad, ok := errors.AsType[*lab.ParamError](err); !ok || bad.Field != "duration" {
			t.Errorf("longer than this server allows: %v", err)
		}
	})
}

func TestStopAndClose(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, untilEnd)}})
	one, two := start(t, rn, "echo", nil), start(t, rn, "echo", nil)
	if err := rn.Stop(one.ID); err != nil {
		t.Error(err)
	}
	wantOutcome(t, one, lab.Stopped, "by hand")
	if err := rn.Close(); err != nil {
		t.Error(err)
	}
	wantOutcome(t, two, lab.Stopped, "shutting down")
	if _, err := rn.Start(client, "echo", nil); !errors.Is(err, lab.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := rn.Stop("nonsense"); !errors.Is(err, lab.ErrNoRun) {
		t.Errorf("stop of nothing: %v", err)
	}
}

func TestAPanicIsOneRunsError(t *testing.T) {
	for name, run := range map[string]func(context.Context, *lab.Run) error{
		"lab": func(context.Context, *lab.Run) error { panic("oh no") },
		"goroutine": func(ctx context.Context, r *lab.Run) error {
			r.Go(func(context.Context) error { panic("oh no") })
			<-ctx.Done()
			return ctx.Err()
		},
		"late": func(_ context.Context, r *lab.Run) error {
			r.Go(func(ctx context.Context) error { <-ctx.Done(); panic("oh no") })
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, run)}}), "echo", nil)
			wantOutcome(t, rec, lab.Failed, "oh no")
			if _, _, err := rec.Status(); !errors.Is(err, lab.ErrPanic) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAnErrorOfAGoroutineEndsTheRun(t *testing.T) {
	broken := errors.New("out of bits")
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		r.Go(func(context.Context) error { return broken })
		return untilEnd(ctx, r)
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	wantOutcome(t, rec, lab.Failed, "out of bits")
	if _, _, err := rec.Status(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestALabThatDoesNotEndIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		l := labOf(t, func(context.Context, *lab.Run) error { <-let; return nil })
		rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}, MaxRunning: 1})
		rec := start(t, rn, "echo", nil)
		if err := rn.Stop(rec.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		if outcome, _, err := rec.Status(); outcome != lab.Failed || !errors.Is(err, lab.ErrStuck) {
			t.Errorf("%s, %v", outcome, err)
		}
		if _, err := rn.Start(client, "echo", nil); !errors.Is(err, lab.ErrBusy) {
			t.Errorf("it does not count any more: %v", err)
		}
		close(let)
		<-rec.Done()
		if err := rn.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestActionsReachTheRun(t *testing.T) {
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		select {
		case a := <-r.Actions():
			r.Note("got %s", a)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}})
	rec := start(t, rn, "echo", nil)
	if err := rn.Act(rec.ID, "dance"); !errors.Is(err, lab.ErrNoAction) {
		t.Errorf("no such action: %v", err)
	}
	if err := rn.Act(rec.ID, "poke"); err != nil {
		t.Error(err)
	}
	wantOutcome(t, rec, lab.Finished, "")
	if err := rn.Act(rec.ID, "poke"); !errors.Is(err, lab.ErrOver) {
		t.Errorf("after the end: %v", err)
	}
}

func TestActionsThatNobodyTakesAreBounded(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, untilEnd)}})
	rec := start(t, rn, "echo", nil)
	var err error
	for range 100 {
		if err = rn.Act(rec.ID, "poke"); err != nil {
			break
		}
	}
	if !errors.Is(err, lab.ErrTooFast) {
		t.Errorf("after 100: %v", err)
	}
}

func TestRunsAreBoundedAtATimeAndByClient(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, untilEnd)}, MaxRunning: 5, MaxPerClient: 3})
	try := func(addr string) error {
		_, err := rn.Start(netip.MustParseAddr(addr), "echo", nil)
		return err
	}
	for _, c := range []struct {
		addr string
		want error
	}{
		{"2001:db8:1:2::1", nil}, {"2001:db8:1:2:ffff::1", nil}, {"2001:db8:1:2::3", nil},
		{"2001:db8:1:2::4", lab.ErrYourRuns}, // one /64 is one client
		{"192.0.2.1", nil}, {"::ffff:192.0.2.1", nil},
		{"192.0.2.9", lab.ErrBusy},
	} {
		if err := try(c.addr); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.addr, err, c.want)
		}
	}
	if n := len(rn.Runs()); n != 5 {
		t.Errorf("%d runs listed", n)
	}
	for _, rec := range rn.Runs()[:2] {
		if err := rn.Stop(rec.ID); err != nil {
			t.Error(err)
		}
		<-rec.Done()
	}
	if err := try("192.0.2.9"); err != nil {
		t.Errorf("after two have ended: %v", err)
	}
}

func TestTwoHundredRunsAtOnceAreBoundedAndMemoryReturns(t *testing.T) {
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		for range 500 {
			r.Note("%s", strings.Repeat("x", 1000))
		}
		return untilEnd(ctx, r)
	})
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}, MaxRunning: 8, MaxPerClient: 200, MaxKept: 4})
	before := heap()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var started []*lab.Record
	busy := 0
	for range 200 {
		wg.Go(func() {
			rec, err := rn.Start(client, "echo", nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				started = append(started, rec)
			case errors.Is(err, lab.ErrBusy) && strings.Contains(err.Error(), "the most is 8"):
				busy++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(started) != 8 || busy != 192 {
		t.Fatalf("%d started, %d told that it is busy", len(started), busy)
	}
	var ids []string
	for _, rec := range started {
		ids = append(ids, rec.ID)
		if err := rn.Stop(rec.ID); err != nil {
			t.Error(err)
		}
		<-rec.Done()
	}
	started = nil
	kept := 0
	for _, id := range ids {
		if _, err := rn.Get(id); err == nil {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d runs kept, want 4", kept)
	}
	// Four records of 500 notes of 1 kB, not 200.
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("%d bytes more than before", grown)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestKeptRunsAreTheLatestUsed(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{labOf(t, func(context.Context, *lab.Run) error { return nil })}, MaxKept: 2})
	var ids []string
	for range 3 {
		rec := start(t, rn, "echo", nil)
		<-rec.Done()
		ids = append(ids, rec.ID)
		if _, err := rn.Get(ids[0]); err != nil {
			t.Errorf("the first, always used, is gone: %v", err)
		}
	}
	if _, err := rn.Get(ids[1]); !errors.Is(err, lab.ErrNoRun) {
		t.Errorf("the second: %v", err)
	}
	if len(ids[0]) < 26 || ids[0] == ids[2] {
		t.Errorf("ids %q can be guessed", ids)
	}
}

func TestARecordIsBoundedAndSaysSo(t *testing.T) {
	l := labOf(t, func(_ context.Context, r *lab.Run) error {
		end := r.Begin(trace.App, "a", "talk")
		for range 1000 {
			r.Note("%s", strings.Repeat("ä", 2000))
		}
		r.Fact("told", 1000, "notes")
		end("enough")
		return nil
	})
	for name, cfg := range map[string]lab.Config{"events": {MaxEvents: 100}, "bytes": {MaxEventBytes: 64 << 10}} {
		t.Run(name, func(t *testing.T) {
			cfg.Labs = []*lab.Lab{l}
			rec := start(t, newRunner(t, cfg), "echo", nil)
			<-rec.Done()
			events := rec.Log.Events()
			if len(events) > 120 || rec.Dropped() < 800 {
				t.Errorf("%d events, %d dropped", len(events), rec.Dropped())
			}
			tail := events[len(events)-4:]
			if tail[0].Kind != trace.Fact || tail[1].Text != "enough" || !strings.Contains(tail[2].Text, "left out") || tail[3].Text != "Finished." {
				t.Errorf("the record ends with %+v", tail)
			}
			if len(events[1].Text) > 1100 {
				t.Errorf("a text of %d bytes", len(events[1].Text))
			}
			if rec.Document().Dropped != rec.Dropped() {
				t.Error("the document tells another number of dropped events")
			}
		})
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for want, cfg := range map[string]lab.Config{
		"Logger":     {},
		"MaxRunning": {Logger: logger, MaxRunning: -1},
		"Abandoned":  {Logger: logger, Abandoned: time.Millisecond},
		"Listen":     {Logger: logger, Listen: netip.MustParseAddr("8.8.8.8")},
		"Labs":       {Logger: logger, Labs: []*lab.Lab{nil}},
	} {
		if _, err := lab.NewRunner(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

func BenchmarkNote(b *testing.B) {
	done := make(chan struct{})
	l := labOf(b, func(_ context.Context, r *lab.Run) error {
		defer close(done)
		for b.Loop() {
			r.Note("one of many")
		}
		return nil
	})
	b.ReportAllocs()
	start(b, newRunner(b, lab.Config{Labs: []*lab.Lab{l}, MaxEvents: 1 << 20, MaxEventBytes: 1 << 30}), "echo", nil)
	<-done
}

// BenchmarkRun is a run that does nothing, from Start to its end.
func BenchmarkRun(b *testing.B) {
	rn := newRunner(b, lab.Config{Labs: []*lab.Lab{labOf(b, func(context.Context, *lab.Run) error { return nil })}})
	b.ReportAllocs()
	for b.Loop() {
		rec, err := rn.Start(client, "echo", nil)
		if err != nil {
			b.Fatal(err)
		}
		<-rec.Done()
	}
}
