package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"peerlab/lab"
	"peerlab/web"
)

// askingLab asks visitors' browsers and notes what they say, until stopped.
func askingLab(t *testing.T, visitor string) *lab.Lab {
	t.Helper()
	l, err := lab.New(lab.Info{
		Slug: "asking", Title: "Asking", Chapter: "Probes", Ask: "What is in front of you?", Visitor: visitor,
		Files: fstest.MapFS{"lab.md": {Data: []byte("Nothing.\n")}},
	}, func(ctx context.Context, _ struct{}, r *lab.Run) error {
		for {
			select {
			case v := <-r.Visits():
				r.Note("%s, %s: %s", v.ID, v.Name, v.Data)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// startAsking is a site with a run that browsers can tell what they measured.
func startAsking(t *testing.T, stun ...string) (f *labFixture, path string) {
	t.Helper()
	f = startLabs(t, func(c *lab.Config) { c.Labs = append(c.Labs, askingLab(t, "nat")) })
	f.fixture = start(t, func(c *web.Config) {
		c.Labs = f.runner
		c.STUN = func(*http.Request) []string { return stun }
	})
	rec := f.ask("POST", "/labs/asking/runs", "")
	return f, rec.Header.Get("Location")
}

func TestABrowserTakesPart(t *testing.T) {
	f, path := startAsking(t, "stun:192.0.2.1:3478", "stun:192.0.2.1:3479")
	f.get(path).want(t, 200, `data-testid="measure-browser"`, `data-stun="[&#34;stun:192.0.2.1:3478&#34;,&#34;stun:192.0.2.1:3479&#34;]"`, "/js/visitor/nat.js")
	const body = `{"browser":"0123456789abcdef","name":"Ada","data":{"mapping":"none"}}`
	f.ask("POST", path+"/visitor", body, "Content-Type", "application/json", "Accept", "application/json").want(t, 202, `"visitor":"browser-1"`)
	for e := range f.record(path).Log.Read(t.Context(), 0) {
		if e.Text == `browser-1, Ada: {"mapping":"none"}` {
			break
		}
	}
	for _, c := range []struct {
		path, kind, body string
		status           int
		says             string
	}{
		{path, "text/plain", body, 415, "application/json"},
		{path, "application/json", `{"browser"`, 400, "could not be read"},
		{path, "application/json", `{"browser":"0123456789abcdef","more":1,"data":{}}`, 400, "more"},
		{path, "application/json", `{"browser":"x","data":{}}`, 422, "browser"},
		{path, "application/json", `{"browser":"0123456789abcdef","data":[]}`, 422, "data"},
		{path, "application/json", `{"browser":"0123456789abcdef","data":{"a":"` + strings.Repeat("x", 4090) + `"}}`, 422, "4096 bytes"},
		{path, "application/json", `{"browser":"0123456789abcdef","data":{"a":"` + strings.Repeat("x", 6000) + `"}}`, 413, "At most 5120 bytes"},
		{path, "application/json", body + " {}", 400, "behind"},
		{"/runs/NONE", "application/json", body, 404, "no such run"},
	} {
		f.ask("POST", c.path+"/visitor", c.body, "Content-Type", c.kind, "Accept", "application/json").want(t, c.status, c.says)
	}
	f.ask("POST", path+"/visitor", body, "Content-Type", "application/json", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site").want(t, 403)
	f.ask("POST", path+"/stop", "")
	f.settled(path)
	f.ask("POST", path+"/visitor", body, "Content-Type", "application/json").want(t, 409, "The run is over")
}

func TestNoBrowserIsAskedInVain(t *testing.T) {
	f, path := startAsking(t) // no STUN server to ask
	if page := f.get(path); strings.Contains(page.body, "measure-browser") || strings.Contains(page.body, "js/visitor") {
		t.Error("a button without a STUN server")
	}
	other := f.run("wait=60000")
	f.ask("POST", other+"/visitor", `{"browser":"0123456789abcdef","data":{}}`, "Content-Type", "application/json").want(t, 404, "asks no browsers")
	runner, err := lab.NewRunner(lab.Config{Labs: []*lab.Lab{askingLab(t, "no-such-module")}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	_, err = web.New(web.Config{
		Rooms: f.rooms, Labs: runner, Logger: slog.New(slog.DiscardHandler),
		Status:       func(context.Context) web.Status { return web.Status{} },
		ClientAddr:   func(*http.Request) netip.Addr { return netip.Addr{} },
		AllowedHosts: func(string) bool { return true },
		ShareURLs:    func(*http.Request) []string { return nil },
	})
	if err == nil || !strings.Contains(err.Error(), "no-such-module") {
		t.Errorf("a lab whose module is missing: %v", err)
	}
}
