package e2e

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"peerlab/e2e/browser"
)

// phone is the width of a small phone, in pixels.
const phone = 390

// TestRoomFace is about how the pages look and feel: on a phone, in the dark,
// by keyboard, without the rest of the internet.
func TestRoomFace(t *testing.T) {
	t.Parallel()
	c := newGathering(t)
	t.Run("keyboard", c.keyboard)
	t.Run("every state", c.everyState)
}

// everyState leads two people through the pages, and looks at each state in
// narrow and wide windows, light and dark.
func (c *gathering) everyState(t *testing.T) {
	long := strings.Repeat("Donaudampfschifffahrtsgesellschaft", 2)[:64]
	anna, bert := c.guest(t, "Anna"), c.guest(t, long)
	anna.AllowErrors(`status of 404 .*/rooms/none`)
	for _, path := range []string{"/", "/status", "/rooms/none"} {
		anna.Open(c.server.base + path)
		anna.looksRight(path)
	}
	anna.Open(c.server.base + "/rooms/" + c.server.room())
	anna.looksRight("entry")
	room := anna.startsRoom(c.server.base)
	anna.looksRight("alone")
	bert.enters(room)
	anna.sees(long)
	bert.says(strings.Repeat("unbroken", 40))
	bert.says("A link: https://example.org/" + strings.Repeat("path/", 30))
	anna.says("An answer")
	anna.Click("#share-toggle")
	anna.looksRight("chat")

	accepted := newDocument(t, strings.Repeat("a long file name ", 10)+".bin", 3*mebibyte)
	waiting := newDocument(t, strings.Repeat("x", 120)+".bin", 100)
	declined := newDocument(t, "declined.bin", 100)
	bert.offers(accepted, waiting, declined)
	anna.accepts(accepted.name)
	anna.Click(row("in", declined.name, "decline"))
	anna.completes("in", accepted, patience)
	anna.offers(declined)
	anna.section("files")
	anna.looksRight("files")
	anna.section("inspect")
	for _, tab := range []string{"ladder", "candidates", "pairs", "charts", "measure"} {
		anna.Click(at("tab-" + tab))
		anna.looksRight(tab)
	}
	anna.Click(at("tab-ladder"))
	anna.Click("#ladder-table")
	anna.looksRight("ladder as a table")
	anna.Click(at("tab-measure"))
	anna.Click(at("bench-send"))
	anna.WaitFor(measuring, patience)
	anna.Click(at("bench-stop"))
	anna.WaitFor(one("bench-result"), patience)
	anna.looksRight("measured")

	anna.Press(kb.Escape)
	anna.Click("#help")
	anna.looksRight("shortcuts")
	anna.Press(kb.Escape)
	anna.Click("[popovertarget=display]")
	anna.looksRight("display")
	anna.Press(kb.Escape)
	bert.Click(at("leave"))
	anna.sees()
	anna.looksRight("left alone")
	bert.looksRight("over")

	// All of it came from one place.
	for _, g := range []*guest{anna, bert} {
		for _, request := range g.Requests() {
			if u, err := url.Parse(request); err != nil || u.Scheme != "blob" && u.Scheme != "data" && "http://"+u.Host != c.server.base {
				t.Errorf("%s's page asked for %s", g.name, request)
			}
		}
		if others := browser.Eval[[]string](g.Page, `[...document.querySelectorAll('[src], link[href]')].map((el) => el.src || el.href).filter((u) => !u.startsWith(location.origin) && !u.startsWith('data:') && !u.startsWith('blob:'))`); len(others) > 0 {
			t.Errorf("%s's page refers to %q", g.name, others)
		}
	}
}

// section shows a part of the room where one fits at a time.
func (g *guest) section(name string) {
	g.t.Helper()
	browser.Eval[chromedp.Void](g.Page, `document.querySelector('[data-show=`+name+`]').click()`)
}

// looksRight checks the page as it is: nothing sticks out at the side, and
// every text can be read.
func (g *guest) looksRight(state string) {
	g.t.Helper()
	for _, width := range []int64{phone, wide} {
		g.Resize(width, tall)
		g.fits(state)
		for _, scheme := range []string{"light", "dark"} {
			g.Prefer("prefers-color-scheme", scheme, "prefers-reduced-motion", "reduce")
			for _, text := range browser.Eval[[]string](g.Page, unreadable) {
				g.t.Errorf("%s, %s, %d px: %s", state, scheme, width, text)
			}
		}
	}
	g.Prefer()
}

// fits expects that nothing sticks out at the side.
func (g *guest) fits(state string) {
	g.t.Helper()
	size := browser.Eval[struct {
		Wide, Window int
		Out          []string
	}](g.Page, `({Wide: document.scrollingElement.scrollWidth, Window: innerWidth,
		Out: [...document.body.querySelectorAll('*')].filter((el) => el.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map((el) => el.tagName + '#' + el.id + '.' + el.getAttribute('class'))})`)
	if size.Wide > size.Window {
		g.t.Errorf("%s: the page is %d px wide in a window of %d px; sticking out: %q", state, size.Wide, size.Window, size.Out)
	}
}

// unreadable lists the texts in view whose contrast is below what WCAG 2.2,
// success criterion 1.4.3, asks for.
const unreadable = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
	const paint = (colors) => {
		canvas.clearRect(0, 0, 1, 1);
		for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const luminance = (rgb) => {
		const [r, g, b] = rgb.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	// What is behind an element, from the page up to it.
	const behind = (el) => {
		const layers = [];
		for (let e = el; e; e = e.parentElement) {
			const color = getComputedStyle(e).backgroundColor;
			if (paint([color])[3] > 0) layers.unshift(color);
			if (paint([color])[3] === 255) break;
		}
		return ['Canvas', ...layers];
	};
	const found = new Set();
	for (const el of document.body.querySelectorAll('*')) {
		const words = [...el.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.textContent.trim()).join(' ').trim();
		const style = getComputedStyle(el), box = el.getBoundingClientRect();
		if (!words || box.width <= 1 || box.height <= 1 || !el.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
		if (el.closest(':disabled, [aria-hidden=true] canvas, option, .unseen')) continue;
		const drawn = el instanceof SVGElement ? style.fill : style.color;
		const back = behind(el instanceof SVGElement ? el.closest('svg') : el);
		// In the drawing of the people initials stand on a disc.
		const disc = el.matches('.face') && el.parentElement.querySelector('.disc');
		if (disc) back.push(getComputedStyle(disc).fill);
		const [a, b] = [luminance(paint([...back, drawn])), luminance(paint(back))];
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
		if (contrast < (large ? 3 : 4.5)) found.add(contrast.toFixed(2) + ': ' + el.tagName + '.' + el.getAttribute('class') + ' "' + words.slice(0, 40) + '" ' + drawn + ' on ' + back.at(-1));
	}
	return [...found];
})()`

// measuring is the JavaScript for whether a measurement has something to show.
const measuring = `document.querySelector('#bench-chart circle.head') && !document.querySelector('[data-testid="bench-stop"]').disabled`

// keyboard does without the mouse.
func (c *gathering) keyboard(t *testing.T) {
	anna, bert := c.guest(t, "Anna"), c.guest(t, "Bert")
	anna.Open(c.server.base)
	anna.Press(kb.Tab)
	anna.WaitFor(`document.activeElement.matches('a.skip') && document.activeElement.getBoundingClientRect().top >= 0`, patience)
	anna.tabsTo(at("start-room"))
	anna.Press(kb.Enter)
	anna.WaitFor(`location.pathname.startsWith('/rooms/') && document.readyState === 'complete'`, patience)
	if here := browser.Eval[bool](anna.Page, `document.activeElement.matches('`+at("name-input")+`')`); !here {
		t.Error("the name's field has not the focus, though it is all there is to do")
		anna.tabsTo(at("name-input"))
	}
	browser.Eval[chromedp.Void](anna.Page, `document.activeElement.select()`)
	anna.Press("Anna" + kb.Enter)
	anna.WaitFor(one("signaling")+`.dataset.state === 'open'`, patience)
	bert.enters(browser.Eval[string](anna.Page, one("share-link")+`.value`))
	anna.sees("Bert")

	anna.Press("c")
	anna.focusIs(at("chat-input"))
	anna.Press("Hello" + kb.Enter)
	bert.hears("Anna", "Hello")
	anna.WaitFor(one("message", "delivered", "true"), patience)
	anna.tabsTo(at("chat-send"))
	anna.Press("?")
	anna.WaitFor(`document.querySelector('dialog[open]').contains(document.activeElement)`, patience)
	anna.Press(kb.Escape)
	anna.WaitFor(`!document.querySelector('dialog[open]')`, patience)
	anna.Press("i")
	anna.focusIs(at("tab-ladder"))
	anna.Press(kb.ArrowRight)
	anna.focusIs(at("tab-candidates"))
	anna.WaitFor(`!`+one("candidates")+`.hidden && document.querySelector('#view-ladder').hidden`, patience)
	anna.Press(kb.End)
	anna.focusIs(at("tab-measure"))
	anna.tabsTo(at("bench-send"))
	anna.Press(kb.Enter)
	anna.WaitFor(`!`+one("bench-stop")+`.disabled`, patience)
	anna.WaitFor(measuring, patience)
	anna.tabsTo(at("bench-stop"))
	anna.Press(kb.Enter)
	anna.WaitFor(one("bench-result"), patience)
	anna.Press("l")
	anna.WaitFor(`!document.querySelector('#share').hidden`, patience)

	file := newDocument(t, "by keyboard.bin", 1000)
	bert.offers(file)
	anna.tabsTo(row("in", file.name, "accept"))
	anna.Press(kb.Enter)
	anna.completes("in", file, patience)
	anna.tabsTo(at("leave"))
	anna.Press(kb.Enter)
	bert.sees()
	anna.focusIs("#over-title")
}

func (g *guest) focusIs(selector string) {
	g.t.Helper()
	g.WaitFor(`document.activeElement.matches(`+js(selector)+`)`, patience)
}

// tabsTo presses Tab until the element has the focus, and expects that this can
// be seen.
func (g *guest) tabsTo(selector string) {
	g.t.Helper()
	g.WaitFor(`document.querySelector(`+js(selector)+`)`, patience)
	for range 80 {
		g.Press(kb.Tab)
		if browser.Eval[bool](g.Page, `document.activeElement.matches(`+js(selector)+`)`) {
			if visible := browser.Eval[bool](g.Page, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1 || s.boxShadow !== 'none'; })()`); !visible {
				g.t.Errorf("nothing shows that %s has the focus", selector)
			}
			return
		}
	}
	g.t.Fatalf("Tab does not lead to %s", selector)
}
