package browser

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// actionTimeout bounds everything but WaitFor and Download, which have a
// timeout of their own.
const actionTimeout = 30 * time.Second

// Page is one page of a browser.
type Page struct {
	t       testing.TB
	ctx     context.Context
	browser *Browser
	console *console
}

// open opens a page and has the test judge it at the end.
func (b *Browser) open(t testing.TB, options ...chromedp.ContextOption) *Page {
	t.Helper()
	p := &Page{t: t, browser: b, console: new(console)}
	options = append(options, chromedp.WithNewWindow(true), chromedp.WithListener(p.console.onEvent))
	var cancel context.CancelFunc
	p.ctx, cancel = chromedp.NewContext(b.ctx, options...)
	if err := chromedp.Do(p.ctx); err != nil {
		cancel()
		t.Fatalf("open a page: %v", err)
	}
	t.Cleanup(func() {
		p.settle()
		for _, line := range p.console.unexpected() {
			t.Errorf("page reported %s", line)
		}
		if t.Failed() {
			p.report()
		}
		cancel()
	})
	return p
}

// With is the same page for a subtest: its failures end the subtest.
func (p *Page) With(t testing.TB) *Page {
	sub := *p
	sub.t = t
	return &sub
}

// settle waits until all that the page has reported is in the console: the
// answer to a command comes after the events before it.
func (p *Page) settle() {
	ctx, cancel := context.WithTimeout(p.ctx, actionTimeout)
	defer cancel()
	_, _ = chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void]("0"))
}

// report logs what helps to understand a failure.
func (p *Page) report() {
	ctx, cancel := context.WithTimeout(p.ctx, actionTimeout)
	defer cancel()
	url, _ := chromedp.Run(ctx, chromedp.Location())
	p.t.Logf("page is at %s, and reported:\n\t%s", url, strings.Join(p.Console(), "\n\t"))
	path := filepath.Join(p.t.ArtifactDir(), fmt.Sprintf("page-%d.png", time.Now().UnixNano()))
	if err := p.capture(ctx, path); err != nil {
		p.t.Logf("screenshot: %v", err)
		return
	}
	p.t.Logf("screenshot (kept with go test -artifacts): %s", path)
}

func (p *Page) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("page: "+format, args...)
}

// do runs one action in bounded time.
func (p *Page) do(what string, action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actionTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		p.fatalf("%s: %v", what, err)
	}
}

// Open goes to the URL and waits for its load event.
func (p *Page) Open(url string) {
	p.t.Helper()
	p.do("open "+url, chromedp.Navigate(url))
}

// Reload loads the page again and waits for its load event.
func (p *Page) Reload() {
	p.t.Helper()
	p.do("reload", chromedp.Reload())
}

// URL is where the page is.
func (p *Page) URL() string {
	p.t.Helper()
	return Eval[string](p, "location.href")
}

// Before has a script run in every document of the page before the document's
// own scripts, from the next load on.
func (p *Page) Before(script string) {
	p.t.Helper()
	p.do("add a script", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
}

// Eval is the value of a JavaScript expression in the page, awaited if it is a
// promise, decoded from JSON. Use chromedp.Void for no value. An expression
// that throws ends the test.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := evaluate[T](p, expression)
	if err != nil {
		p.fatalf("evaluate %s: %v", shorten(expression), err)
	}
	return value
}

func evaluate[T any](p *Page, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, actionTimeout)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// isGone tells whether a script failed as its document went away under it.
func isGone(err error) bool {
	var refused *cdproto.Error
	return errors.As(err, &refused)
}

// waiter resolves when the condition holds or the time is up. It looks again
// whenever the document changes, and every 50 ms for what is not in the
// document. %[1]s is the condition, %[2]d the time in ms.
const waiter = `new Promise((resolve) => {
	const end = performance.now() + %[2]d;
	let busy = false;
	const finish = (result) => { observer.disconnect(); clearInterval(timer); resolve(result); };
	const look = async () => {
		if (busy) return;
		busy = true;
		let error = '';
		try { if (await (%[1]s)) return finish({ok: true, error}); } catch (e) { error = String(e); }
		if (performance.now() >= end) finish({ok: false, error});
		busy = false;
	};
	const observer = new MutationObserver(look);
	observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
	const timer = setInterval(look, 50);
	look();
})`

// WaitFor waits until a JavaScript expression, awaited if it is a promise, is
// truthy. An exception counts as false; the page may navigate meanwhile. It
// ends the test when the time is up.
func (p *Page) WaitFor(condition string, timeout time.Duration) {
	p.t.Helper()
	if err := p.waitFor(condition, timeout); err != nil {
		p.fatalf("%s not so within %v: %v", shorten(condition), timeout, err)
	}
}

func (p *Page) waitFor(condition string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	// A page too busy to answer gets a little longer than the condition.
	ctx, cancel := context.WithDeadline(p.ctx, deadline.Add(5*time.Second))
	defer cancel()
	for {
		script := fmt.Sprintf(waiter, condition, time.Until(deadline).Milliseconds())
		result, err := chromedp.Run(ctx, chromedp.Evaluate[struct {
			OK    bool   `json:"ok"`
			Error string `json:"error"`
		}](script, chromedp.EvalAwaitPromise))
		switch {
		case isGone(err) && time.Now().Before(deadline):
			continue // try the next document
		case err != nil:
			return err
		case result.OK:
			return nil
		case result.Error != "":
			return errors.New(result.Error)
		}
		return errors.New("still false")
	}
}

// shorten makes an expression fit for a message.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}
