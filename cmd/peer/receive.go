package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"peerlab/peer"
)

type receiveCmd struct {
	URL     string `arg:"" help:"Address of the room."`
	Dir     string `help:"Directory for the files; made if it is not there." default:"." type:"path"`
	MaxSize string `help:"Refuse larger files: 500MB, 4GiB." placeholder:"SIZE"`
	Once    bool   `help:"Leave after one file." xor:"count"`
	Count   int    `help:"Leave after N files." placeholder:"N" xor:"count"`
}

func (r *receiveCmd) run(ctx context.Context, o *options, c *console) error {
	limit := int64(0)
	if r.MaxSize != "" {
		var err error
		if limit, err = peer.ParseSize(r.MaxSize); err != nil || limit == 0 {
			return fail(exitUsage, "--max-size: %q is %w", r.MaxSize, peer.ErrSize)
		}
	}
	if r.Count < 0 {
		return fail(exitUsage, "--count: %d is less than one", r.Count)
	}
	if r.Once {
		r.Count = 1
	}
	// One level only: a path with a mistake further up is told, not made.
	if err := os.Mkdir(r.Dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return fail(exitUsage, "make the directory for files: %w", err)
	}
	dir, err := peer.OpenDir(r.Dir, limit)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	defer dir.Close()
	transfers := make(chan *peer.Transfer)
	taking, stop := context.WithCancel(ctx)
	v, err := enter(ctx, r.URL, o, c, peer.Handlers{
		Accept: func(ctx context.Context, l *peer.Link, offer peer.Offer) (peer.Sink, error) {
			sink, err := dir.Accept(ctx, l, offer)
			if err != nil {
				c.say("refused %s from %s: %v", printable(offer.String()), printable(l.Remote().Name), err)
			}
			return sink, err
		},
		Transfer: func(_ *peer.Link, t *peer.Transfer) {
			select {
			case transfers <- t:
			case <-taking.Done():
			}
		},
	})
	if err != nil {
		stop()
		return err
	}
	defer v.close()
	defer stop()
	return r.receive(ctx, v, transfers)
}

// receive waits for files until there were enough. They arrive side by side;
// each is followed in turn.
func (r *receiveCmd) receive(ctx context.Context, v *visit, transfers <-chan *peer.Transfer) error {
	late := time.NewTimer(v.o.Timeout)
	defer late.Stop()
	v.c.say("waiting for files …")
	for done := 0; r.Count == 0 || done < r.Count; {
		select {
		case t := <-transfers:
			if err := v.follow(ctx, t); err != nil {
				if ctx.Err() != nil {
					r.kept(v, t)
				}
				return err
			}
			if err := r.report(v, t); err != nil {
				return err
			}
			if t.Status().Err == nil {
				done++
			}
			late.Reset(v.o.Timeout)
		case <-v.changed:
			late.Reset(v.o.Timeout)
		case <-late.C:
			if len(v.Links()) == 0 {
				return fail(exitNoPeer, "nobody is here since %v", v.o.Timeout)
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-v.ended:
			return v.lost()
		}
	}
	return nil
}

// report says how a transfer ended. Only with a count does a bad end end us.
func (r *receiveCmd) report(v *visit, t *peer.Transfer) error {
	s := t.Status()
	switch {
	case s.Err == nil:
		fmt.Fprintf(v.c.out, "%s  %d  %s\n", s.SHA256, t.Size, printable(s.Where))
		return nil
	case errors.Is(s.Err, peer.ErrLeft):
		r.kept(v, t)
		return nil
	}
	v.c.say("%s: %s", printable(t.Name), printable(s.Err.Error()))
	if r.Count > 0 {
		return fail(exitTransfer, "%s did not arrive: %w", printable(t.Name), s.Err)
	}
	return nil
}

// kept tells where an incomplete file is.
func (r *receiveCmd) kept(v *visit, t *peer.Transfer) {
	v.c.say("%s is incomplete: %s of %s are kept as a .part file in %s, and it goes on from there when the sender tries again",
		printable(t.Name), peer.FormatSize(t.Status().Moved), peer.FormatSize(t.Size), r.Dir)
}
