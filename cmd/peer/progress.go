package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"peerlab/peer"
)

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

// follow shows the progress of t until it ends: a bar on a terminal, now and
// then a line elsewhere. Its error is not that of the transfer.
func (v *visit) follow(ctx context.Context, t *peer.Transfer) error {
	var show func(peer.TransferStatus)
	every := lineEvery
	if isTerminal(v.c.err) && t.Size > 0 {
		every = barEvery
		bar := progressbar.NewOptions64(t.Size, progressbar.OptionSetWriter(v.c.err), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription(printable(t.Name)), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
		defer func() { _ = bar.Finish() }()
		show = func(s peer.TransferStatus) {
			bar.Describe(printable(t.Name) + " " + string(s.State))
			_ = bar.Set64(s.Moved)
		}
	} else {
		show = func(s peer.TransferStatus) {
			v.c.say("%s: %s, %s of %s", printable(t.Name), s.State, peer.FormatSize(s.Moved), peer.FormatSize(t.Size))
		}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-t.Done():
			return nil
		case <-tick.C:
			show(t.Status())
		case <-ctx.Done():
			return ctx.Err()
		case <-v.ended:
			return v.lost()
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
