package browser_test

import (
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"peerlab/e2e/browser"
	"peerlab/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const patience = 10 * time.Second

// recorder takes a page's failures in place of a test.
type recorder struct {
	testing.TB
	cleanups []func()
	errors   []string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Failed() bool                      { return len(r.errors) > 0 }
func (r *recorder) Errorf(format string, args ...any) { r.add(format, args) }
func (r *recorder) Fatalf(format string, args ...any) { r.add(format, args); panic(r) }
func (r *recorder) add(format string, args []any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// run runs a test with the recorder up to its first fatal failure, then its
// cleanup.
func (r *recorder) run(f func()) {
	defer func() {
		if v := recover(); v != nil && v != any(r) {
			panic(v)
		}
		for _, cleanup := range slices.Backward(r.cleanups) {
			cleanup()
		}
	}()
	f()
}

func TestPage(t *testing.T) {
	b := browser.Launch(t, browser.Config{})
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><title>%s</title>%[1]s`, r.FormValue("html"))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	form := server.URL + "/form.html"

	t.Run("clicks when a person could", func(t *testing.T) {
		p := b.Page(t)
		p.Open(form)
		p.Click("#late") // below the fold, disabled and under a veil at first
		p.WaitFor(`document.querySelector('#log').textContent === 'clicked true;'`, patience)
	})

	t.Run("aims anew when it misses", func(t *testing.T) {
		p := b.Page(t)
		p.Open(form)
		p.Click("#shy")
		p.WaitFor(`document.querySelector('#log').textContent === 'shy;'`, patience)
	})

	t.Run("clicks what leads elsewhere", func(t *testing.T) {
		p := b.Page(t)
		p.Open(form)
		p.Click("#leave") // the document goes away before it tells whether the click missed
		p.WaitFor(`document.title === 'elsewhere'`, patience)
	})

	t.Run("says why it can not click", func(t *testing.T) {
		r := &recorder{TB: t}
		r.run(func() {
			p := b.Page(r)
			p.Open(form)
			p.WaitFor(`document.querySelector('#nothing').hidden`, 100*time.Millisecond)
		})
		if len(r.errors) != 1 || !strings.Contains(r.errors[0], "null") {
			t.Errorf("errors = %q, want the exception", r.errors)
		}
	})

	t.Run("types", func(t *testing.T) {
		p := b.Page(t)
		p.Open(form)
		p.Type("#name", "erx"+kb.Enter) // x does nothing there
		p.WaitFor(`document.querySelector('#log').textContent === 'key e;key r;key x;key Enter;'`, patience)
		if got := browser.Eval[string](p, `document.querySelector('#name').value`); got != "older" {
			t.Errorf("value = %q", got)
		}
		p.Fill("#name", "grün")
		if got := browser.Eval[string](p, `document.querySelector('#name').value`); got != "grün" {
			t.Errorf("value = %q", got)
		}
	})

	t.Run("files", func(t *testing.T) {
		p := b.Page(t)
		p.Open(form)
		path := filepath.Join(t.TempDir(), "up.txt")
		if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.SetFiles("#file", path)
		p.WaitFor(`document.querySelector('#log').textContent === 'up.txt=content;'`, patience)
		for _, p := range []*browser.Page{p, b.PrivatePage(t)} {
			p.Open(form)
			file := p.Download(patience, func() { p.Click("#save") })
			content, err := os.ReadFile(file.Path)
			if file.Name != "note.txt" || string(content) != "saved by the page" || err != nil {
				t.Errorf("download %q: %q, %v", file.Name, content, err)
			}
		}
	})

	t.Run("waits across a navigation", func(t *testing.T) {
		p := b.Page(t)
		p.Open(server.URL + "/page?html=<script>setTimeout(()=>location='/page?html=second',100)</script>")
		p.WaitFor(`document.title === 'second'`, patience)
		if !strings.HasSuffix(p.URL(), "html=second") {
			t.Errorf("URL = %s", p.URL())
		}
		if got := browser.Eval[int](p, `Promise.resolve(6 * 7)`); got != 42 {
			t.Errorf("promise = %d", got)
		}
	})

	t.Run("pages are visible and apart", func(t *testing.T) {
		one, two, private := b.Page(t), b.Page(t), b.PrivatePage(t)
		for _, p := range []*browser.Page{one, two, private} {
			p.Before(`window.early = true`)
			p.Open(server.URL + "/page")
			p.WaitFor(`early && document.visibilityState === 'visible'`, patience)
		}
		browser.Eval[chromedp.Void](one, `localStorage.setItem('who', 'one')`)
		if got := browser.Eval[*string](two, `localStorage.getItem('who')`); got == nil || *got != "one" {
			t.Errorf("second page of the same user sees %v", got)
		}
		if got := browser.Eval[*string](private, `localStorage.getItem('who')`); got != nil {
			t.Errorf("private page sees %q", *got)
		}
		// Drawn, all of them: none is in the background.
		for _, p := range []*browser.Page{one, two, private} {
			p.WaitFor(`new Promise((r) => requestAnimationFrame(() => r(true)))`, patience)
		}
	})

	t.Run("errors fail the test", func(t *testing.T) {
		for html, want := range map[string]string{
			`<script>console.error('oh', {no: 1})</script>`:      `error: oh Object`,
			`<script>throw new Error('thrown')</script>`:         `thrown`,
			`<script>Promise.reject(new Error('lost'))</script>`: `lost`,
			`<img src=/missing.png>`:                             `404`,
		} {
			r := &recorder{TB: t}
			r.run(func() { b.Page(r).Open(server.URL + "/page?html=" + strings.ReplaceAll(html, " ", "%20")) })
			if len(r.errors) != 1 || !strings.Contains(r.errors[0], want) {
				t.Errorf("%s: errors = %q, want one with %q", html, r.errors, want)
			}
		}
	})

	t.Run("expected errors do not", func(t *testing.T) {
		p := b.Page(t)
		p.AllowErrors(`missing\.png`)
		p.Open(server.URL + "/page?html=<img%20src=/missing.png>")
		if !slices.Contains(p.Requests(), server.URL+"/missing.png") {
			t.Errorf("requests = %q", p.Requests())
		}
		if lines := p.Console(); len(lines) != 1 {
			t.Errorf("console = %q", lines)
		}
	})

	t.Run("screenshots", func(t *testing.T) {
		p := b.Page(t)
		p.Open(form)
		p.WaitFor(`!document.querySelector('#veil')`, patience)
		for _, dark := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "page.png")
			p.Screenshot(path, 400, dark)
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			picture, err := png.Decode(file)
			file.Close()
			if err != nil {
				t.Fatal(err)
			}
			if size := picture.Bounds().Size(); size.X != 400 || size.Y < 3000 {
				t.Errorf("size = %v, want the whole page at width 400", size)
			}
			red, _, _, _ := picture.At(2, 2).RGBA()
			if wasDark := red == 0; wasDark != dark {
				t.Errorf("dark = %v, want %v", wasDark, dark)
			}
		}
	})
}
