package e2e

import (
	"strings"
	"testing"
	"time"

	"peerlab/e2e/browser"
	"peerlab/e2e/netlab"
)

// gathering is several people in one browser, each with storage of their own, on
// the same network as the server.
type gathering struct {
	server  *server
	lab     *netlab.Lab
	browser *browser.Browser
}

func newGathering(t *testing.T, flags ...string) *gathering {
	t.Helper()
	lab := netlab.New(t)
	return &gathering{startServer(t, lab.WAN.Host("server"), flags...), lab, browser.Launch(t, browser.Config{Host: lab.WAN.Host("people")})}
}

// guest is one more person.
func (c *gathering) guest(t testing.TB, name string) *guest {
	t.Helper()
	return newGuest(t, c.browser.PrivatePage(t), name)
}

// pair is two people in a new room, connected.
func (c *gathering) pair(t testing.TB) (anna, bert *guest) {
	t.Helper()
	anna, bert = c.guest(t, "Anna"), c.guest(t, "Bert")
	bert.enters(anna.startsRoom(c.server.base))
	anna.reaches("Bert", "direct", 2*patience)
	bert.reaches("Anna", "direct", 2*patience)
	return anna, bert
}

// TestRoomPeople is about who is in a room, and what they call themselves.
func TestRoomPeople(t *testing.T) {
	t.Parallel()
	c := newGathering(t)
	t.Run("three", c.three)
	t.Run("reload", c.reload)
	t.Run("two tabs", c.twoTabs)
	t.Run("odd names", c.oddNames)
	t.Run("markup is text", c.markup)
	t.Run("no such room", c.noSuchRoom)
	t.Run("full", c.full)
	t.Run("server stops", c.serverStops)
}

// sees waits until exactly these peers are connected.
func (g *guest) sees(names ...string) {
	g.t.Helper()
	g.WaitFor(js(append([]string{}, names...))+`.sort().join('\n') === [...document.querySelectorAll('[data-testid="peer"]')].map((el) => el.dataset.state === 'connected' ? el.dataset.name : el.dataset.state).sort().join('\n')`, 2*patience)
}

// heard lists all messages on the page.
func (g *guest) heard() []string {
	g.t.Helper()
	return browser.Eval[[]string](g.Page, `[...document.querySelectorAll('[data-testid="message"]')].map((el) => el.dataset.from + ': ' + el.querySelector('.message-text').textContent)`)
}

func (c *gathering) three(t *testing.T) {
	anna, bert, cleo := c.guest(t, "Anna"), c.guest(t, "Bert"), c.guest(t, "Cleo")
	room := anna.startsRoom(c.server.base)
	bert.enters(room)
	cleo.enters(room)
	anna.sees("Bert", "Cleo")
	bert.sees("Anna", "Cleo")
	cleo.sees("Anna", "Bert")

	anna.says("to everyone")
	bert.hears("Anna", "to everyone")
	cleo.hears("Anna", "to everyone")
	anna.Click(at("peer", "name", "Bert"))
	anna.says("to Bert alone")
	bert.hears("Anna", "to Bert alone")
	anna.Click("#people label:not([data-testid])") // everyone
	anna.says("to everyone again")
	cleo.hears("Anna", "to everyone again")
	if heard := cleo.heard(); strings.Join(heard, "|") != "Anna: to everyone|Anna: to everyone again" {
		t.Errorf("Cleo heard %q", heard)
	}
	file := newDocument(t, "for everyone.bin", 100_000)
	cleo.offers(file)
	for _, g := range []*guest{anna, bert} {
		g.accepts(file.name)
		g.completes("in", file, patience)
	}

	cleo.Click(at("leave"))
	anna.sees("Bert")
	bert.sees("Anna")
	if code := browser.Eval[string](cleo.Page, one("over")+`.dataset.code`); code != "left" {
		t.Errorf("Cleo's stay is over because of %q", code)
	}
	anna.says("without Cleo")
	bert.hears("Anna", "without Cleo")
	cleo.Click("#over-again")
	cleo.sees("Anna", "Bert")
	anna.sees("Bert", "Cleo")

	// Who closes the page is gone at once, too.
	bert.Open("about:blank")
	anna.sees("Cleo")
	cleo.sees("Anna")
}

func (c *gathering) reload(t *testing.T) {
	anna, bert := c.pair(t)
	anna.says("before")
	for range 2 {
		anna.Reload()
		anna.sees("Bert")
		bert.sees("Anna")
	}
	anna.says("after")
	bert.hears("Anna", "after")
	bert.says("welcome back")
	anna.hears("Bert", "welcome back")
	if heard := bert.heard(); strings.Join(heard, "|") != "Anna: before|Anna: after|me: welcome back" {
		t.Errorf("Bert has %q on the page", heard)
	}
}

// twoTabs are two peers, though they are one person; names tell them apart.
func (c *gathering) twoTabs(t *testing.T) {
	one, two := newGuest(t, c.browser.Page(t), "Dora"), newGuest(t, c.browser.Page(t), "Dora")
	room := one.startsRoom(c.server.base)
	two.Open(room)
	if phase := two.phase(); phase != "in" {
		t.Errorf("the second tab is at %q, though the browser knows the name", phase)
	}
	one.sees("Dora (2)")
	two.sees("Dora")
	if name := strings.TrimSpace(two.Text("#my-name")); name != "Dora (2)" {
		t.Errorf("the second tab shows its own name as %q", name)
	}
	one.says("from one")
	two.hears("Dora", "from one")
	two.says("from two")
	one.hears("Dora (2)", "from two")
}

func (c *gathering) oddNames(t *testing.T) {
	anna := c.guest(t, "Anna")
	room := anna.startsRoom(c.server.base)
	anna.Click("#ladder-table")
	for _, name := range []string{
		`Zoë "Z" O'Neil & Söhne \ 1`, "李明 🦊👩‍👩‍👧", "שלום عليكم", strings.Repeat("W", 64), "..", "__proto__", "a/b",
	} {
		other := c.guest(t, name)
		other.enters(room)
		anna.sees(name)
		if shown := strings.TrimSpace(browser.Eval[string](anna.Page, `document.querySelector('[data-testid="peer"] strong').textContent`)); shown != name {
			t.Errorf("%q is shown as %q", name, shown)
		}
		other.says("it is me")
		anna.hears(name, "it is me")
		anna.WaitFor(`document.querySelector('#ladder table').textContent.includes(`+js(name+" → you")+`)`, patience)
		anna.fits(name)
		other.Click(at("leave"))
		anna.sees()
	}
	// A name of nothing is not taken, and one may have another.
	blank := c.guest(t, "   ")
	blank.Open(room)
	blank.Fill(at("name-input"), "   ")
	blank.Click(at("join"))
	blank.Fill(at("name-input"), "Emil")
	blank.Click(at("join"))
	anna.sees("Emil")
	blank.Click(at("my-name"))
	blank.WaitFor(`document.readyState === 'complete' && document.querySelector('#main').dataset.phase === 'entry'`, patience)
	anna.sees()
	blank.Fill(at("name-input"), "Emilia")
	blank.Click(at("join"))
	anna.sees("Emilia")
}

// markup in a name, a message and a file's name is shown as it was written.
func (c *gathering) markup(t *testing.T) {
	const trap = `window.trapped=true`
	name := `<img src=x onerror=` + trap + `>`
	anna := c.guest(t, "Anna")
	mallory := c.guest(t, name)
	mallory.enters(anna.startsRoom(c.server.base))
	anna.sees(name)
	for _, text := range []string{
		`<script>` + trap + `</script>`, `<img src=x onerror=` + trap + `>`, `<svg/onload=` + trap + `>`,
		`&lt;b&gt; {{7*7}} ${7*7} javascript:` + trap, `https://e.example/"onmouseover="` + trap,
	} {
		mallory.says(text)
		anna.hears(name, text)
	}
	file := newDocument(t, `"><img src=x onerror=`+trap+`>.html`, 10)
	mallory.offers(file)
	anna.accepts(file.name)
	anna.completes("in", file, patience)
	anna.savesAs(file, strings.NewReplacer(`"`, "_", `<`, "_", `>`, "_").Replace(file.name))
	anna.Click(at("tab-ladder"))
	anna.Click("#ladder-table")
	anna.WaitFor(`document.querySelector('#ladder table').textContent.includes(`+js(name)+`)`, patience)
	for _, g := range []*guest{anna, mallory} {
		found := browser.Eval[[]string](g.Page, `[...document.querySelectorAll('#main img, #main script, #main iframe, #main [onerror], #main [onload], #main [onmouseover], a[href^="javascript"]')].map((el) => el.outerHTML)`)
		if trapped := browser.Eval[bool](g.Page, `'trapped' in window`); trapped || len(found) > 0 {
			t.Errorf("%s: script ran: %v; elements: %q", g.name, trapped, found)
		}
	}
	links := browser.Eval[[]string](anna.Page, `[...document.querySelectorAll('.message-text a')].map((a) => a.href + ' ' + a.rel + ' ' + a.target)`)
	if len(links) != 1 || links[0] != `https://e.example/ noopener noreferrer nofollow _blank` {
		t.Errorf("links in the chat: %q", links)
	}
}

func (c *gathering) noSuchRoom(t *testing.T) {
	anna := c.guest(t, "Anna")
	anna.AllowErrors(`status of 404 .*/rooms/a{26}`)
	anna.Open(c.server.base + "/rooms/" + strings.Repeat("a", 26))
	if text := anna.Text("main"); !strings.Contains(text, "no such room") {
		t.Errorf("the page says %q", text)
	}
	// From there one gets to a room that exists.
	anna.startsRoom(c.server.base)
}

func (c *gathering) full(t *testing.T) {
	small := startServer(t, c.lab.WAN.Host("small"), "--max-peers", "2")
	anna, bert, cleo := c.guest(t, "Anna"), c.guest(t, "Bert"), c.guest(t, "Cleo")
	room := anna.startsRoom(small.base)
	bert.enters(room)
	anna.sees("Bert")
	cleo.Open(room)
	cleo.Fill(at("name-input"), "Cleo")
	cleo.Click(at("join"))
	cleo.WaitFor(one("over")+`.dataset.code === 'room-full'`, patience)
	if text := cleo.Text(at("over")); !strings.Contains(text, "The room is full") {
		t.Errorf("Cleo is told %q", text)
	}
	anna.says("nobody noticed")
	bert.hears("Anna", "nobody noticed")
	anna.sees("Bert")
	bert.Click(at("leave"))
	anna.sees()
	cleo.Click("#over-again")
	anna.sees("Cleo")
	cleo.sees("Anna")
}

// serverStops: what is connected goes on without it, and says so.
func (c *gathering) serverStops(t *testing.T) {
	brief := startServer(t, c.lab.WAN.Host("brief"))
	anna, bert := c.guest(t, "Anna"), c.guest(t, "Bert")
	bert.enters(anna.startsRoom(brief.base))
	for _, g := range []*guest{anna, bert} {
		g.AllowErrors(lostNetwork)
	}
	anna.sees("Bert")
	bert.sees("Anna")
	began := time.Now()
	if code := brief.Stop(); code != 0 {
		t.Errorf("the server's exit code is %d", code)
	}
	t.Logf("the server ended within %v", time.Since(began).Round(time.Millisecond))
	for _, g := range []*guest{anna, bert} {
		g.WaitFor(one("signaling")+`.dataset.state === 'reconnecting'`, patience)
		g.WaitFor(`/server/.test(document.querySelector('#banner:not([hidden])').textContent)`, patience)
	}
	exchange(anna, bert, "without a server")
}
