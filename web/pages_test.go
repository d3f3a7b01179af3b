package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"peerlab/web"
)

// TestPagesHoldTogether reads every page as a browser would: nothing inline
// that the policy forbids, no id twice, every reference leads somewhere.
func TestPagesHoldTogether(t *testing.T) {
	f := start(t)
	empty := start(t, func(c *web.Config) { c.Status = func(context.Context) web.Status { return web.Status{} } })
	for _, c := range []struct {
		f    *fixture
		path string
	}{{f, "/"}, {f, "/status"}, {f, "/rooms/" + openRoom}, {f, "/rooms/none"}, {f, "/nothing"}, {empty, "/"}, {empty, "/status"}} {
		checkPage(t, c.f, c.path)
	}
	labs := startLabs(t)
	run := labs.run("sample=true")
	labs.settled(run)
	for _, path := range []string{"/", "/labs/probe", "/labs/probe?count=999", "/labs/none", "/runs", run, run + "?view=projector", "/runs/none"} {
		checkPage(t, labs.fixture, path)
	}
}

func checkPage(t *testing.T, f *fixture, path string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(f.get(path).body))
	if err != nil {
		t.Fatal(err)
	}
	ids, refs := map[string]int{}, map[string]string{}
	headings := 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "h1" {
			headings++
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(a.Val, "javascript:"):
				t.Errorf("%s: <%s %s=%q> is inline", path, n.Data, a.Key, a.Val)
			case a.Key == "id":
				ids[a.Val]++
			case a.Key == "for":
				refs[a.Val] = "for"
				refs[a.Val] = a.Key
			case (a.Key == "src" || a.Key == "href") && strings.HasPrefix(a.Val, "/static/"):
				f.get(a.Val).want(t, 200)
			case (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") && n.Data != "a":
				t.Errorf("%s: <%s> loads %q from outside", path, n.Data, a.Val)
			}
		}
		if n.Data == "script" && n.FirstChild != nil || n.Data == "style" {
			t.Errorf("%s: inline <%s>", path, n.Data)
		}
	}
	for id, times := range ids {
		if times > 1 {
			t.Errorf("%s: id %q is there %d times", path, id, times)
		}
	}
	for id, attr := range refs {
		if ids[id] == 0 {
			t.Errorf("%s: %s=%q leads nowhere", path, attr, id)
		}
	}
	if headings == 0 {
		t.Errorf("%s: no h1", path)
	}
}

// The names that tests outside this package hold on to.
func TestRoomKeepsItsHooks(t *testing.T) {
	page := start(t).get("/rooms/" + openRoom)
	for _, id := range []string{"name-input", "join", "chat-input", "chat-send", "chat-log", "file-input", "transfers", "transfer", "accept", "decline",
		"pause", "resume", "cancel", "save", "path-select", "bench-send", "bench-receive", "bench-stop", "invite", "why-sentence", "export", "redact",
		"ladder", "candidates", "pairs", "tab-measure", "leave", "over", "share-link", "signaling"} {
		if !page.has(`data-testid="` + id + `"`) {
			t.Errorf("no data-testid %q", id)
		}
	}
}

func TestDisplayFollowsTheVisitor(t *testing.T) {
	f := start(t)
	f.get("/", "Cookie", "theme=dark; motion=off").want(t, 200, `data-theme="dark"`, `data-motion="off"`, `data-view=""`)
	f.get("/", "Cookie", `theme="><x`).want(t, 200, `data-theme=""`)
	f.get("/?view=projector").want(t, 200, `data-view="projector"`)
	f.get("/?view=normal", "Cookie", "view=projector").want(t, 200, `data-view=""`)
}

func TestRoomTellsWhichLinkOthersUse(t *testing.T) {
	at := func(urls ...string) func(*web.Config) {
		return func(c *web.Config) { c.ShareURLs = func(*http.Request) []string { return urls } }
	}
	const path = "/rooms/" + openRoom
	f := start(t, at("https://peerlab.example/"))
	f.get(path, "Host", "localhost:8080").want(t, 200, `value="https://peerlab.example`+path+`"`, "You came in as localhost")
	if got := f.get(path, "Host", "peerlab.example"); got.has("You came in as localhost") || got.has("on this machine only") {
		t.Error("a hint that does not apply")
	}
	start(t, at()).get(path).want(t, 200, "This link works on this machine only")
	start(t, at("http://192.0.2.1:80", "http://[2001:db8::1]:80")).get(path).
		want(t, 200, `value="http://192.0.2.1:80`+path+`"`, `value="http://[2001:db8::1]:80`+path+`"`)
}

func TestNothingIsTakenAsHTML(t *testing.T) {
	const bad = `<script>alert(1)</script>`
	f := start(t, func(c *web.Config) {
		c.Status = func(context.Context) web.Status {
			s := busyStatus()
			s.Version, s.Mapping.Gateway, s.NAT.Sentence = bad, bad, bad
			s.NAT.Addresses = []web.NamedAddr{{Name: bad, Addr: bad}}
			s.Relay.Refusals = map[string]uint64{bad: 1}
			s.URLs = []string{"javascript:alert(1)"}
			return s
		}
	})
	for _, path := range []string{"/", "/status"} {
		if got := f.get(path); got.has("<script>alert") || got.has(`href="javascript:`) {
			t.Errorf("%s lets it through", path)
		}
	}
}
