package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// found is a JavaScript expression that runs statements with "el", the first
// element that the CSS selector finds; without one it throws.
func found(selector, statements string) string {
	quoted, _ := json.Marshal(selector) // a string always marshals
	return fmt.Sprintf(`(() => { const el = document.querySelector(%s); if (!el) throw new Error('no such element'); %s })()`, quoted, statements)
}

// Click clicks the first element that the CSS selector finds, with the mouse,
// in its middle. It waits until a person could: the element is visible,
// enabled, at rest, and not covered by another. Where it moves away from under
// the mouse all the same, what is there instead notices nothing, and Click aims
// anew, as a person would.
func (p *Page) Click(selector string) {
	p.t.Helper()
	ready := found(selector, `
		if (el.disabled) throw new Error('disabled');
		el.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
		const box = () => { const r = el.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2, r.width * r.height]; };
		const [x, y, area] = box();
		if (!area) throw new Error('not visible');
		const top = document.elementFromPoint(x, y);
		const name = (e) => e ? e.tagName.toLowerCase() + (e.id && '#' + e.id) : 'nothing';
		if (!el.contains(top)) throw new Error('covered by ' + name(top));
		return new Promise((resolve) => requestAnimationFrame(() => resolve(String(box()) === String([x, y, area]))));`)
	for deadline := time.Now().Add(actionTimeout); ; {
		if err := p.waitFor(ready, time.Until(deadline)); err != nil {
			p.fatalf("click %s: %v", selector, err)
		}
		at := Eval[[2]float64](p, found(selector, guardClick+`const r = el.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2];`))
		p.do("click "+selector, chromedp.MouseClickXY(at[0], at[1]))
		// In a document that the click has led to there is no guard, and no miss; nor
		// was it one where the document goes away before it has answered.
		missed, err := evaluate[bool](p, `window.clickGuard?.() ?? false`)
		if err != nil && !isGone(err) {
			p.fatalf("click %s: did it miss: %v", selector, err)
		}
		if !missed {
			return
		}
	}
}

// guardClick keeps the events of one click from all but the element "el". The
// function it leaves behind ends that and tells whether the click missed.
const guardClick = `
	const guard = new AbortController();
	let missed = false;
	for (const kind of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click']) {
		window.addEventListener(kind, (e) => {
			if (el.contains(e.target) || el.control === e.target) return;
			missed = true;
			e.preventDefault();
			e.stopImmediatePropagation();
		}, {capture: true, signal: guard.signal});
	}
	window.clickGuard = () => { guard.abort(); delete window.clickGuard; return missed; };
`

// Fill replaces the content of a text field.
func (p *Page) Fill(selector, text string) {
	p.t.Helper()
	p.focus(selector)
	Eval[chromedp.Void](p, found(selector, `el.select();`))
	p.do("fill "+selector, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// Type types into an element, key by key, after what is there.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.focus(selector)
	Eval[chromedp.Void](p, found(selector, `if (typeof el.selectionEnd === 'number') el.setSelectionRange(el.value.length, el.value.length);`))
	p.Press(text)
}

// Press presses keys, whatever has the focus. The keys without a character
// are constants in chromedp's package kb, such as kb.Enter.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.do("press keys", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for _, key := range keys {
			for _, event := range stroke(key) {
				if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, *event); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// stroke is one key going down and up. Its character belongs to the event that
// goes down, not to one of its own, which would arrive even if the page has
// prevented what the key does.
func stroke(key rune) []*input.DispatchKeyEventParams {
	events := kb.Encode(key)
	if len(events) < 3 {
		return events
	}
	down, char, up := events[0], events[1], events[2]
	down.Text, down.UnmodifiedText = char.Text, char.UnmodifiedText
	return []*input.DispatchKeyEventParams{down, up}
}

// focus waits until the element takes the focus.
func (p *Page) focus(selector string) {
	p.t.Helper()
	if err := p.waitFor(found(selector, `el.focus(); return document.activeElement === el;`), actionTimeout); err != nil {
		p.fatalf("focus %s: %v", selector, err)
	}
}

// SetFiles chooses files in a file input, which may be invisible.
func (p *Page) SetFiles(selector string, paths ...string) {
	p.t.Helper()
	if err := p.waitFor(found(selector, `return el.type === 'file';`), actionTimeout); err != nil {
		p.fatalf("set files of %s: %v", selector, err)
	}
	p.do("set files of "+selector, chromedp.SetUploadFiles(chromedp.CSS(selector), paths, chromedp.NodeReady))
}

// Text waits for the element and returns its text as it is rendered.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	if err := p.waitFor(found(selector, `return true;`), actionTimeout); err != nil {
		p.fatalf("text of %s: %v", selector, err)
	}
	return Eval[string](p, found(selector, `return el.innerText;`))
}
