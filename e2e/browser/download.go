package browser

import (
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/browser"
)

// Download is a file that a page has saved.
type Download struct {
	// Name is what the page would have it called.
	Name string
	// Path is where it is, until the test that launched the browser ends.
	Path string
}

// Download does what starts a download, such as a click, and waits for the
// file to be complete. One at a time in a browser.
func (p *Page) Download(timeout time.Duration, start func()) Download {
	p.t.Helper()
	result := make(chan *Download, 1)
	p.browser.onNextDownload(func(file *Download) { result <- file })
	defer p.browser.onNextDownload(nil)
	start()
	select {
	case file := <-result:
		if file == nil {
			p.fatalf("the download was cancelled")
		}
		return *file
	case <-time.After(timeout):
		p.fatalf("no download was complete within %v", timeout)
	}
	return Download{}
}

// onNextDownload has done called with the next download that begins, once it
// has ended: with nil if it was cancelled.
func (b *Browser) onNextDownload(done func(*Download)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if done == nil {
		b.begin = nil
		return
	}
	b.begin = func(guid, name string) {
		b.begin = nil
		b.finished[guid] = func(ok bool) {
			if !ok {
				done(nil)
				return
			}
			done(&Download{Name: name, Path: filepath.Join(b.downloads, guid)})
		}
	}
}

// onDownload runs on the goroutine that reads from the browser.
func (b *Browser) onDownload(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *browser.EventDownloadWillBegin:
		if b.begin != nil {
			b.begin(event.GUID, event.SuggestedFilename)
		}
	case *browser.EventDownloadProgress:
		finished, ok := b.finished[event.GUID]
		if !ok || event.State == browser.DownloadProgressStateInProgress {
			return
		}
		delete(b.finished, event.GUID)
		finished(event.State == browser.DownloadProgressStateCompleted)
	}
}
