package browser

import (
	"context"
	"fmt"
	"os"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Resize sets the size of the page, in CSS pixels. Width and height 0 give it
// the size of its window again.
func (p *Page) Resize(width, height int64) {
	p.t.Helper()
	p.do("resize", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height})
		return err
	}))
	p.drawn()
}

// Prefer sets media features: Prefer("prefers-color-scheme", "dark",
// "prefers-reduced-motion", "reduce"). Without any, all are the browser's own.
func (p *Page) Prefer(features ...string) {
	p.t.Helper()
	var params emulation.SetEmulatedMediaParams
	for ; len(features) >= 2; features = features[2:] {
		params.Features = append(params.Features, &emulation.MediaFeature{Name: features[0], Value: features[1]})
	}
	p.do("set media features", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, params)
		return err
	}))
	p.drawn()
}

// Screenshot writes the whole page, at a width in CSS pixels and in the light
// or dark scheme, to a PNG file. Size and scheme are the browser's own again
// afterwards.
func (p *Page) Screenshot(path string, width int64, dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.Resize(width, 900)
	p.Prefer("prefers-color-scheme", scheme)
	ctx, cancel := context.WithTimeout(p.ctx, actionTimeout)
	defer cancel()
	if err := p.capture(ctx, path); err != nil {
		p.fatalf("%v", err)
	}
	p.Prefer()
	p.Resize(0, 0)
}

// capture writes the whole page as it is to a PNG file.
func (p *Page) capture(ctx context.Context, path string) error {
	const lossless = 100
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(lossless))
	if err != nil {
		return fmt.Errorf("screenshot: %w", err)
	}
	return os.WriteFile(path, png, 0o644)
}

// drawn waits until the page has been drawn anew.
func (p *Page) drawn() {
	p.t.Helper()
	Eval[chromedp.Void](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`)
}
