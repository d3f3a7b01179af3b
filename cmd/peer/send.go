package main

import (
	"context"
	"errors"
	"fmt"

	"peerlab/peer"
)

type sendCmd struct {
	URL   string   `arg:"" help:"Address of the room."`
	Files []string `arg:"" name:"file" help:"Files to send." type:"path"`
	To    string   `help:"Send to the peer of this name (default: the first that takes files)." placeholder:"NAME"`
}

func (s *sendCmd) run(ctx context.Context, o *options, c *console) error {
	// A wrong file is better known before anybody waits.
	for _, path := range s.Files {
		if err := check(path); err != nil {
			return fail(exitUsage, "%w", err)
		}
	}
	v, err := enter(ctx, s.URL, o, c, peer.Handlers{})
	if err != nil {
		return err
	}
	defer v.close()
	declined := map[string]bool{}
	for {
		l, err := v.pick(ctx, s.To, declined)
		if err != nil {
			return err
		}
		c.say("to %s. %s", printable(l.Remote().Name), l.Path())
		err = s.send(ctx, v, l)
		if reason, ok := errors.AsType[*peer.CancelError](err); ok && reason.Code == peer.CodeDeclined && s.To == "" && len(v.Links()) > len(declined)+1 {
			c.say("%s takes no files; trying the next", printable(l.Remote().Name))
			declined[l.Remote().ID] = true
			continue
		}
		return err
	}
}

func check(path string) error {
	f, err := peer.OpenFile(path)
	if err != nil {
		return err
	}
	return f.Source.Close()
}

// send sends all files to one peer and waits for them.
func (s *sendCmd) send(ctx context.Context, v *visit, l *peer.Link) error {
	var all []*peer.Transfer
	for _, path := range s.Files {
		f, err := peer.OpenFile(path)
		if err != nil {
			return fail(exitUsage, "%w", err)
		}
		t, err := l.Files().Send(f)
		if err != nil {
			return fail(exitTransfer, "%w", err)
		}
		all = append(all, t)
	}
	var failed error
	for _, t := range all {
		if err := v.follow(ctx, t); err != nil {
			return err
		}
		status := t.Status()
		if status.Err == nil {
			fmt.Fprintf(v.c.out, "%s  %d  %s\n", status.SHA256, t.Size, printable(t.Name))
			continue
		}
		if errors.Is(status.Err, peer.ErrLeft) {
			return fail(exitConnection, "%s left before %s was complete; the same command again goes on from there", printable(l.Remote().Name), t.Name)
		}
		v.c.say("%s: %s", t.Name, printable(status.Err.Error()))
		failed = fail(exitTransfer, "not all files arrived: %w", status.Err)
	}
	return failed
}
