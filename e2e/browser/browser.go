// Package browser drives headless Chromium for tests, on the test's own
// machine or on a host of a netlab.
//
//	test ── pages ── chromedp ══ two pipes ══ chromium (in a namespace or not)
//
// Commands travel over pipes that the browser inherits, so that the test
// reaches it in whichever network it sits, and nobody else does.
//
// A page fails its test when its script throws, when it logs an error, or when
// something it asks for does not load, unless Page.AllowErrors was told so.
// The methods of a Page end the test on failure; they belong on the goroutine
// of the test. Waiting is for a condition in the page, never for a time.
//
// It does not know the product: no selectors and no addresses live here.
package browser

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"peerlab/need"
)

// closeTimeout is how long the browser may take to close before it is killed.
const closeTimeout = 5 * time.Second

// Config says where and how a browser runs.
type Config struct {
	// Host is where the browser runs: a *netlab.Host, or nil for the test's own
	// machine.
	Host interface{ Enter(*exec.Cmd) }
	// SecureOrigins are http origins, such as "http://25.0.0.10:8080", which
	// the browser is to treat as if they were https.
	SecureOrigins []string
}

// Browser is a running Chromium with an empty profile.
type Browser struct {
	ctx       context.Context
	downloads string
	output    *tail

	mu       sync.Mutex
	finished map[string]func(ok bool) // downloads under way, by GUID
	begin    func(guid, name string)  // told of the next download
}

// Launch starts a browser. When the test ends it is closed, with all processes
// it has started, and its profile is removed.
func Launch(t testing.TB, c Config) *Browser {
	t.Helper()
	path := need.Tool(t, "chromium", "chromium")
	b := &Browser{downloads: t.TempDir(), output: new(tail), finished: make(map[string]func(bool))}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.CombinedOutput(b.output),
		chromedp.NoSandbox, // it refuses to run as root with one
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		// A pixel is a pixel, on every machine.
		chromedp.Flag("force-device-scale-factor", "1"),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
			if c.Host != nil {
				c.Host.Enter(cmd)
			}
		}),
	)
	if len(c.SecureOrigins) > 0 {
		options = append(options, chromedp.Flag("unsafely-treat-insecure-origin-as-secure", strings.Join(c.SecureOrigins, ",")))
	}

	// Not the context of the test, which ends before its cleanup.
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(b.ctx); err != nil {
		t.Fatalf("launch chromium: %v\n%s", err, b.output)
	}
	process := chromedp.FromContext(b.ctx).Browser.Process()
	t.Cleanup(func() {
		closing, cancel := context.WithTimeout(b.ctx, closeTimeout)
		defer cancel()
		if err := chromedp.Cancel(closing); err != nil {
			t.Logf("close chromium: %v", err)
		}
		_ = syscall.Kill(-process.Pid, syscall.SIGKILL) // helpers that outlived it
		if t.Failed() {
			t.Logf("chromium printed:\n%s", b.output)
		}
	})
	if err := chromedp.ListenBrowser(b.ctx, b.onDownload); err != nil {
		t.Fatalf("listen to chromium: %v", err)
	}
	if err := b.keepDownloads(""); err != nil {
		t.Fatalf("set the download directory: %v", err)
	}
	return b
}

// Page opens a new page in a window of its own, so that it is never hidden by
// another. It is closed when the test ends, which need not be the test that
// launched the browser.
func (b *Browser) Page(t testing.TB) *Page {
	t.Helper()
	return b.open(t)
}

// PrivatePage is Page with cookies, storage and service workers of its own: a
// second user for little more than the price of a page.
func (b *Browser) PrivatePage(t testing.TB) *Page {
	t.Helper()
	p := b.open(t, chromedp.WithNewBrowserContext())
	if err := b.keepDownloads(chromedp.FromContext(p.ctx).BrowserContextID); err != nil {
		t.Fatalf("set the download directory: %v", err)
	}
	return p
}

// keepDownloads has the files that pages of a browser context save put into
// the download directory, named after the download's GUID.
func (b *Browser) keepDownloads(browserContext cdp.BrowserContextID) error {
	events := true
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior:         browser.SetDownloadBehaviorBehaviorAllowAndName,
		BrowserContextID: browserContext,
		DownloadPath:     b.downloads,
		EventsEnabled:    &events,
	})
	return err
}

// tail is a writer that keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// maxTail is how much a tail keeps, in bytes.
const maxTail = 16 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	w.buf.Next(max(0, w.buf.Len()-maxTail))
	return len(p), nil
}

// String leaves out the complaints about a missing D-Bus, which a headless
// machine has none of and which hide all else.
func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var kept strings.Builder
	for line := range strings.Lines(w.buf.String()) {
		if !strings.Contains(line, "dbus/") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
