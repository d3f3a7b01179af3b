package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// Running is a run that a test has started and watches.
type Running struct {
	*lab.Record
	t      testing.TB
	runner *lab.Runner
}

// New makes a lab by its constructor.
func New(t testing.TB, build func() (*lab.Lab, error)) *lab.Lab {
	t.Helper()
	l, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Start runs the lab with the parameters of a query ("clients=3&network=link"),
// as a visitor would. The run is ended with the test.
func Start(t testing.TB, l *lab.Lab, query string) *Running {
	t.Helper()
	return StartFor(t, l, query, lab.Client{})
}

// StartFor is Start for somebody in particular; the address is this machine's.
func StartFor(t testing.TB, l *lab.Lab, query string, client lab.Client) *Running {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := lab.NewRunner(lab.Config{Labs: []*lab.Lab{l}, Logger: slog.New(&failing{t: t})})
	if err != nil {
		t.Fatal(err)
	}
	client.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	rec, err := runner.StartFor(client, l.Slug, values)
	if err != nil {
		t.Fatalf("start %s?%s: %v", l.Slug, query, err)
	}
	leave := rec.Watch()
	t.Cleanup(func() {
		leave()
		if err := runner.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Running{Record: rec, t: t, runner: runner}
}

// Run runs the lab to its end, which must come by itself and without an error.
func Run(t testing.TB, l *lab.Lab, query string) *Running {
	t.Helper()
	r := Start(t, l, query)
	r.Wait()
	if outcome, why, err := r.Status(); outcome != lab.Finished {
		t.Fatalf("%s?%s: %s %v", l.Slug, query, why, err)
	}
	return r
}

// Wait waits for the end of the run, and fails the test if the run failed.
func (r *Running) Wait() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), r.Settings.Duration+patience)
	defer cancel()
	select {
	case <-r.Done():
	case <-ctx.Done():
		r.t.Fatalf("the run does not end: %v", ctx.Err())
	}
	if _, why, err := r.Status(); err != nil {
		r.t.Errorf("%s", why)
	}
}

// Stop ends the run by hand and waits for that.
func (r *Running) Stop() {
	r.t.Helper()
	if err := r.runner.Stop(r.ID); err != nil {
		r.t.Fatal(err)
	}
	r.Wait()
}

// Act takes one of the lab's actions.
func (r *Running) Act(name string) {
	r.t.Helper()
	if err := r.runner.Act(r.ID, name); err != nil {
		r.t.Fatalf("action %s: %v", name, err)
	}
}

// Visit hands the run what a browser known by key has measured, as JSON, and
// returns the browser's ID in the run.
func (r *Running) Visit(key, name, data string) string {
	r.t.Helper()
	id, err := r.runner.Visit(r.ID, key, name, json.RawMessage(data))
	if err != nil {
		r.t.Fatalf("visit of %s: %v", key, err)
	}
	return id
}

// Until waits for an event, of now or later, and returns it.
func (r *Running) Until(what string, match func(trace.Event) bool) trace.Event {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for e := range r.Log.Read(ctx, 1) {
		if match(e) {
			return e
		}
	}
	r.t.Fatalf("%s did not happen", what)
	return trace.Event{}
}

// Live waits for what the run publishes under a name and returns it.
func (r *Running) Live(name string) string {
	r.t.Helper()
	return r.Until("publishing "+name, func(e trace.Event) bool {
		return e.Kind == trace.State && e.From == lab.Outside && e.Name == name
	}).Text
}

// Fact is the value of a fact, of a variant or (empty) of the run itself. It
// fails the test if there is none.
func (r *Running) Fact(variant, name string) float64 {
	r.t.Helper()
	value, found := 0.0, false
	for _, e := range r.Log.Events() {
		if e.Kind == trace.Fact && e.From == variant && e.Name == name {
			value, found = e.Value, true
		}
	}
	if !found {
		r.t.Errorf("the run tells no fact %q of %q", name, variant)
	}
	return value
}

// Command types one of the lab's commands into a shell, as the page shows it,
// with more at its end, once all that it needs is published. It returns what
// the command prints; one that fails ends the test.
func (r *Running) Command(number int, more ...string) string {
	r.t.Helper()
	var text string
	r.Until(fmt.Sprintf("what command %d needs", number), func(trace.Event) bool {
		var ok bool
		text, ok = r.Lab.Commands[number].Fill(r.Record.Live())
		return ok
	})
	return Shell(r.t, strings.Join(append([]string{text}, more...), " "))
}

// Shell types a line into a shell that knows no proxies, and returns what it
// prints; one that fails ends the test.
func Shell(t testing.TB, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	for _, name := range []string{"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"} {
		cmd.Env = append(cmd.Env, name+"=")
	}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// Pcapng writes the packets so far to a file, for tshark, and returns its path.
func (r *Running) Pcapng() string {
	r.t.Helper()
	file, err := os.Create(filepath.Join(r.t.TempDir(), "run.pcapng"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(r.WritePcapng(file), file.Close()); err != nil {
		r.t.Fatalf("write the packets: %v", err)
	}
	return file.Name()
}

// Count counts the events that match.
func (r *Running) Count(match func(trace.Event) bool) (n int) {
	for _, e := range r.Log.Events() {
		if match(e) {
			n++
		}
	}
	return n
}

// failing is a log handler that fails the test for what a Runner reports as
// the fault of a lab.
type failing struct{ t testing.TB }

func (f *failing) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (f *failing) WithAttrs([]slog.Attr) slog.Handler               { return f }
func (f *failing) WithGroup(string) slog.Handler                    { return f }

func (f *failing) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	f.t.Error(text)
	return nil
}
