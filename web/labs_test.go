package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"peerlab/lab"
	"peerlab/trace"
	"peerlab/web"
)

// probeParams has a field of every kind.
type probeParams struct {
	Count  int           `lab:"count" label:"Messages" default:"3" min:"1" max:"500" help:"how many are sent"`
	Ratio  float64       `lab:"ratio" label:"Ratio" default:"0.5" max:"1"`
	Wait   time.Duration `lab:"wait" label:"Wait" default:"0" max:"60000" unit:"ms" help:"before the end"`
	Words  string        `lab:"words" label:"Words" default:"a < b" maxlen:"40"`
	How    string        `lab:"how" label:"How" oneof:"well badly"`
	Kind   string        `lab:"kind" label:"Kind" oneof:"a-rather-long-one another-long-one"`
	Sample bool          `lab:"sample" label:"Samples"`
	Packet bool          `lab:"packet" label:"A packet" help:"is sent between two hosts"`
}

const probeLesson = "What comes *first*.\n\n## What you see\n\nNot much.\n\n## Predict, then try\n\n```predict\nHow many?\nThree.\n```\n\n" +
	"## The code\n\n```go region=loop\n```\n"

func probeLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.New(lab.Info{
		Slug: "probe", Title: "A probe", Chapter: "Probes", Ask: "What does a page <show>?", Question: 499,
		Files: fstest.MapFS{
			"lab.md": {Data: []byte(probeLesson)},
			"lab.go": {Data: []byte("package probe\n\n// region loop\nfor i := range 3 {\n}\n// endregion\n")},
		},
		Views:    []lab.View{lab.Lanes, lab.Chart, lab.Packets},
		Actions:  []lab.Action{{Name: "more", Label: "One more", Help: "sends one more message"}},
		Commands: []lab.Command{{Text: "nc {host} {port}", Note: "Type a line."}, {Text: "nc {nowhere}", Note: "Never."}},
	}, runProbe)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func runProbe(ctx context.Context, p probeParams, r *lab.Run) error {
	r.Live("host", "127.0.0.1")
	r.Live("port", "4242")
	for i := range p.Count {
		r.Message(trace.TCP, "client", "server", "message "+p.Words, strings.Repeat("x", i%5))
	}
	for _, variant := range []string{"naive", "fixed"} {
		r.Variant(variant).Fact("time <taken>", 1234.5, "ms")
		r.Variant(variant).Fact("time <taken>", 12.5, "ms")
	}
	if p.Sample {
		r.Sample(trace.TCP, "server", "rate", 7, "req/s")
	}
	if p.Packet {
		if err := onePacket(ctx, r); err != nil {
			return err
		}
	}
	r.Note("All sent.")
	if p.How == "badly" {
		return errors.New("connection refused by <somebody>")
	}
	timer := time.NewTimer(p.Wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			r.Note("Waited.")
			return nil
		case <-r.Actions():
			r.Message(trace.App, "client", "server", "one more", "")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func onePacket(ctx context.Context, r *lab.Run) error {
	a, err := r.Host("client")
	if err != nil {
		return err
	}
	b, err := r.Host("server")
	if err != nil {
		return err
	}
	l, err := b.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	defer l.Close()
	conn, err := a.DialContext(ctx, "tcp", "server:80")
	if err != nil {
		return err
	}
	return conn.Close()
}

// labFixture is a site with a real runner behind it.
type labFixture struct {
	*fixture
	runner *lab.Runner
}

func startLabs(t *testing.T, change ...func(*lab.Config)) *labFixture {
	t.Helper()
	cfg := lab.Config{Labs: []*lab.Lab{probeLab(t)}, MaxPerClient: 50, MaxRunning: 50, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	runner, err := lab.NewRunner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := &labFixture{runner: runner}
	f.fixture = start(t, func(c *web.Config) { c.Labs = runner })
	t.Cleanup(func() {
		if err := runner.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// run starts a run with the values of a query and returns its path.
func (f *labFixture) run(query string) string {
	f.Helper()
	got := f.ask("POST", "/labs/probe/runs", query)
	path := got.Header.Get("Location")
	if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(path, "/runs/") {
		f.Fatalf("POST with %q: status %d, Location %q", query, got.StatusCode, path)
	}
	return path
}

func (f *labFixture) record(path string) *lab.Record {
	f.Helper()
	rec, err := f.runner.Get(strings.TrimPrefix(path, "/runs/"))
	if err != nil {
		f.Fatal(err)
	}
	return rec
}

// settled waits for the end of a run.
func (f *labFixture) settled(path string) { <-f.record(path).Done() }

func TestLabPage(t *testing.T) {
	f := startLabs(t)
	f.get("/").want(t, 200, `href="/labs/probe"`, "What does a page &lt;show&gt;?", ">499<", "<h3>Probes</h3>")
	page := f.get("/labs/probe")
	page.want(t, 200, "What comes <em>first</em>", "How many?", "tok-keyword", `id="code-loop"`, `action="/labs/probe/runs"`,
		`name="count" value="3" min="1" max="500" step="1"`, `name="ratio" value="0.5" min="0" max="1" step="any"`,
		`name="words" value="a &lt; b" maxlength="40"`, `<option value="a-rather-long-one" selected>`,
		`type="radio" name="how" value="well" checked`, `type="hidden" name="sample" value="false"`,
		`name="network" value="loopback" checked`, `name="loss" value="0"`, "1 to 500", "how many are sent")
	if strings.Contains(page.body, "aria-invalid") || strings.Contains(page.body, `data-testid="run"`) {
		t.Error("a form nobody filled in shows a problem, or a run")
	}
	f.get("/labs/probe?count=7&how=badly&network=link&loss=2.5&view=projector").want(t, 200, `name="count" value="7"`,
		`name="how" value="badly" checked`, `name="network" value="link" checked`, `name="loss" value="2.5"`)
	f.get("/labs/probe?count=0").want(t, 200, "Messages must be from 1 to 500.", `value="0"`)
	f.get("/labs/none").want(t, 404, "There is no such lab")
	if got := f.get("/labs/probe/runs"); got.StatusCode != 303 || got.Header.Get("Location") != "/labs/probe" {
		t.Errorf("the address of a refused form: %d", got.StatusCode)
	}
}

func TestWithoutLabs(t *testing.T) {
	f := start(t)
	if page := f.get("/"); strings.Contains(page.body, "/#labs") || strings.Contains(page.body, "lab-list") {
		t.Error("labs are offered where there are none")
	}
	for _, path := range []string{"/labs/probe", "/runs/ABC", "/runs/ABC/events", "/runs/ABC.json"} {
		f.get(path).want(t, 404)
	}
	f.ask("POST", "/labs/probe/runs", "count=1").want(t, 404)
}

func TestBadParametersRunNothing(t *testing.T) {
	f := startLabs(t)
	for _, c := range []struct {
		form, field, says, keeps string
	}{
		{"count=5000&words=kept", "count", "Messages must be from 1 to 500.", `value="kept"`},
		{"count=many", "count", "Messages", `value="many"`},
		{"ratio=NaN", "ratio", "Ratio", `value="NaN"`},
		{"how=never&count=9", "how", "How must be one of well, badly.", `name="count" value="9"`},
		{"words=" + strings.Repeat("w", 41), "words", "Words must be at most 40 bytes long.", strings.Repeat("w", 41)},
		{"words=" + url.QueryEscape(`"><script>alert(1)</script>`+"\n"), "words", "plain text", "&#34;&gt;&lt;script&gt;"},
		{"network=moon", "network", "Network must be one of", ""},
		{"loss=99&network=link", "loss", "Loss must be from 0 to 50%.", `value="99"`},
		{"duration=900", "duration", "At most must be from 1 to 600 s", `value="900"`},
		{"duration=600", "duration", "At most must be at most 300 s on this server.", `value="600"`},
		{"nonsense=1", "nonsense", "“nonsense” is none of this lab.", ""},
		{"count=1&count=2", "count", "is given 2 times", ""},
	} {
		got := f.ask("POST", "/labs/probe/runs", c.form)
		got.want(t, 422, c.says, c.keeps, "Nothing was run.")
		known := strings.Contains(got.body, `id="param-`+c.field+`"`)
		if known && c.field != "how" && !strings.Contains(got.body, `aria-invalid="true"`) {
			t.Errorf("%s: the field is not marked", c.form)
		}
		f.ask("POST", "/labs/probe/runs", c.form, "Accept", "application/json").want(t, 422, `"field":"`+c.field+`"`, `"message":"`)
	}
	if runs := f.runner.Runs(); len(runs) != 0 {
		t.Errorf("%d runs were started", len(runs))
	}
	f.ask("POST", "/labs/probe/runs", "words="+strings.Repeat("w", 20_000)).want(t, 413, "Too much at once")
	f.ask("POST", "/labs/none/runs", "").want(t, 404, "There is no such lab")
	if strings.Contains(f.log.String(), "level=ERROR") {
		t.Errorf("a visitor's mistake is in the log:\n%s", f.log.String())
	}
}

func TestStartForPrograms(t *testing.T) {
	f := startLabs(t)
	got := f.ask("POST", "/labs/probe/runs", "count=2&sample=false&sample=true", "Accept", "application/json")
	path := got.Header.Get("Location")
	got.want(t, 201, `"url":"`+path+`"`)
	f.settled(path)
	if doc := f.record(path).Document(); doc.Params["count"] != 2.0 || doc.Params["sample"] != true {
		t.Errorf("params %v", doc.Params)
	}
}

// What is not sent as a form has no parameters that would be read.
func TestABodyThatIsNoFormRunsNothing(t *testing.T) {
	f := startLabs(t)
	for _, kind := range []string{"application/json", "text/plain", ""} {
		f.ask("POST", "/labs/probe/runs", `{"count":2}`, "Content-Type", kind, "Accept", "application/json").want(t, 415, "application/x-www-form-urlencoded")
	}
}

func TestTooManyRunsComeBackWithTheForm(t *testing.T) {
	f := startLabs(t, func(c *lab.Config) { c.MaxPerClient, c.MaxRunning = 1, 2 })
	f.run("wait=60000")
	got := f.ask("POST", "/labs/probe/runs", "count=17&wait=60000")
	got.want(t, 429, "Stop one of them", `name="count" value="17"`)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	f.ask("POST", "/labs/probe/runs", "", "Accept", "application/json").want(t, 429, "Too many runs of yours")
	full := startLabs(t, func(c *lab.Config) { c.MaxRunning = 1 })
	full.run("wait=60000")
	busy := full.ask("POST", "/labs/probe/runs", "count=18")
	busy.want(t, 503, "Try again in a moment", `name="count" value="18"`)
	if busy.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After when busy")
	}
	if err := full.runner.Close(); err != nil {
		t.Fatal(err)
	}
	full.ask("POST", "/labs/probe/runs", "").want(t, 503, "No new run is started")
}

func TestABadLessonIsFoundAtTheStart(t *testing.T) {
	l, err := lab.New(lab.Info{Slug: "bad", Title: "Bad", Chapter: "C", Ask: "Why?", Question: 1,
		Files: fstest.MapFS{"lab.md": {Data: []byte("<script>alert(1)</script>")}}},
		func(context.Context, struct{}, *lab.Run) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	runner, err := lab.NewRunner(lab.Config{Labs: []*lab.Lab{l}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	_, err = web.New(web.Config{Rooms: &rooms{}, Status: func(context.Context) web.Status { return web.Status{} },
		ClientAddr: func(*http.Request) netip.Addr { return netip.Addr{} }, AllowedHosts: func(string) bool { return true },
		ShareURLs: func(*http.Request) []string { return nil }, Logger: slog.New(slog.DiscardHandler), Labs: runner})
	if err == nil || !strings.Contains(err.Error(), "lab bad") {
		t.Errorf("%v", err)
	}
}
