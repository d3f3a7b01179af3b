package lab_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"peerlab/lab"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

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

func TestTogetherWaitsForAll(t *testing.T) {
	broken, other := errors.New("out of bits"), errors.New("out of ink")
	var got error
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		first := make(chan struct{})
		got = r.Together(ctx,
			func(context.Context) error { defer close(first); return broken },
			func(ctx context.Context) error { <-first; <-ctx.Done(); return other })
		return got
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	wantOutcome(t, rec, lab.Failed, "out of bits")
	if !errors.Is(got, broken) || !errors.Is(got, other) {
		t.Errorf("errors of all of them: %v", got)
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
