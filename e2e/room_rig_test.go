package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/browser"
	"peerlab/e2e/netlab"
)

const (
	// recovery bounds what has to be noticed and mended first: ICE takes its
	// time to call a path dead.
	recovery = 90 * time.Second
	// wide is a window in which all parts of a room show at once, in pixels.
	wide, tall = 1280, 900
)

// couple is two browsers, each behind a router of its own, and the server
// between them. They cost a few seconds, so several tests share one.
//
// The browser of Alice takes the server's pages for secure, as if they came by
// https; that of Bob sees them as what they are, plain http.
type couple struct {
	server   *server
	host     *netlab.Host // of the server
	lab      *netlab.Lab
	routers  [2]*netlab.Router
	hosts    [2]*netlab.Host
	browsers [2]*browser.Browser
}

func newCouple(t *testing.T) *couple {
	t.Helper()
	c := &couple{lab: netlab.New(t)}
	c.host = c.lab.WAN.Host("server")
	c.server = startServer(t, c.host)
	for i, name := range []string{"alice", "bob"} {
		c.routers[i] = c.lab.WAN.Router(name+"-home", netlab.Cone)
		c.hosts[i] = c.routers[i].LAN.Host(name)
		config := browser.Config{Host: c.hosts[i]}
		if i == 0 {
			config.SecureOrigins = []string{c.server.base}
		}
		c.browsers[i] = browser.Launch(t, config)
	}
	return c
}

// meet has Alice start a room and Bob follow her link. What their consoles may
// report is for networks that fail.
func (c *couple) meet(t testing.TB, allowed ...string) (alice, bob *guest) {
	t.Helper()
	alice, bob = newGuest(t, c.browsers[0].Page(t), "Alice"), newGuest(t, c.browsers[1].Page(t), "Bob")
	for _, g := range []*guest{alice, bob} {
		for _, expression := range allowed {
			g.AllowErrors(expression)
		}
	}
	link := alice.startsRoom(c.server.base)
	bob.enters(link)
	return alice, bob
}

// lostNetwork is what a console reports of a WebSocket whose network failed.
const lostNetwork = `WebSocket connection to 'ws://[^']*' failed`

// guest is somebody at a room's page.
type guest struct {
	*browser.Page
	t    testing.TB
	name string
}

func newGuest(t testing.TB, p *browser.Page, name string) *guest {
	t.Helper()
	// The dialog that asks where to save a file is the browser's and not the
	// page's. Without it the page keeps files itself.
	p.Before(`delete window.showSaveFilePicker`)
	p.Resize(wide, tall)
	return &guest{p, t, name}
}

// startsRoom begins at the front page and returns the link to give to others.
func (g *guest) startsRoom(base string) (link string) {
	g.t.Helper()
	g.Open(base)
	g.Click(at("start-room"))
	g.WaitFor(`location.pathname.startsWith('/rooms/') && document.readyState === 'complete'`, patience)
	g.introduces()
	return browser.Eval[string](g.Page, one("share-link")+`.value`)
}

// enters follows a link into a room.
func (g *guest) enters(link string) {
	g.t.Helper()
	g.Open(link)
	g.introduces()
}

// introduces tells the page a name, if it asks, and waits until the room is
// entered.
func (g *guest) introduces() {
	g.t.Helper()
	if g.phase() == "entry" {
		g.Fill(at("name-input"), g.name)
		g.Click(at("join"))
	}
	g.WaitFor(one("signaling")+`.dataset.state === 'open'`, patience)
}

func (g *guest) phase() string {
	g.t.Helper()
	return browser.Eval[string](g.Page, `document.querySelector('#main').dataset.phase`)
}

// reaches waits until the page shows somebody as connected over that path.
func (g *guest) reaches(name, path string, within time.Duration) {
	g.t.Helper()
	g.WaitFor(one("peer", "name", name)+`.matches('[data-state="connected"][data-path=`+path+`]')`, within)
}

// says sends a message and waits until the page shows it as delivered.
func (g *guest) says(text string) {
	g.t.Helper()
	g.Fill(at("chat-input"), text)
	g.Click(at("chat-send"))
	g.WaitFor(messageIs(text, at("message", "mine", "true", "delivered", "true")), patience)
}

// hears waits for a message.
func (g *guest) hears(from, text string) {
	g.t.Helper()
	g.WaitFor(messageIs(text, at("message", "mine", "false", "from", from)), patience)
}

// messageIs is the JavaScript for whether one of the selected messages has that
// text.
func messageIs(text, selector string) string {
	return `[...document.querySelectorAll(` + js(selector) + `)].some((m) => m.querySelector('.message-text').textContent === ` + js(text) + `)`
}

// exchange has two guests greet each other, and see that the greeting arrived.
func exchange(a, b *guest, about string) {
	a.t.Helper()
	for _, way := range [][2]*guest{{a, b}, {b, a}} {
		from, to := way[0], way[1]
		text := "Hello from " + from.name + ", " + about
		from.says(text)
		to.hears(from.name, text)
	}
}

// why is what the page says about the path in use.
func (g *guest) why() string {
	g.t.Helper()
	return browser.Eval[string](g.Page, one("why-sentence")+`.textContent`)
}

// at is the CSS selector of a part of the page: its data-testid, and pairs of
// the name of a data attribute and its value.
func at(testid string, data ...string) string {
	selector := `[data-testid="` + testid + `"]`
	for i := 0; i+1 < len(data); i += 2 {
		selector += `[data-` + data[i] + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\a `).Replace(data[i+1]) + `"]`
	}
	return selector
}

// one is the JavaScript for the element that at selects.
func one(testid string, data ...string) string {
	return `document.querySelector(` + js(at(testid, data...)) + `)`
}

// js is a value as JavaScript.
func js(v any) string {
	text, _ := json.Marshal(v) // only plain values come here
	return string(text)
}
