package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"peerlab/peer"
)

type joinCmd struct {
	URL string `arg:"" help:"Address of the room."`
}

// confirmTime is how long leaving waits for chat that is not confirmed.
const confirmTime = 3 * time.Second

func (j *joinCmd) run(ctx context.Context, o *options, c *console) error {
	lines := make(chan string)
	out := make(chan string, 64)
	v, err := enter(ctx, j.URL, o, c, peer.Handlers{
		Chat: func(l *peer.Link, m peer.ChatMessage) {
			select {
			case out <- printable(l.Remote().Name) + ": " + printable(m.Text):
			case <-ctx.Done():
			}
		},
		State: func(l *peer.Link, s peer.State) { c.say("· %s: %s", printable(l.Remote().Name), s) },
	})
	if err != nil {
		return err
	}
	defer v.close()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go read(reading, c, lines)

	late := time.NewTimer(o.Timeout)
	defer late.Stop()
	for {
		select {
		case text := <-out:
			fmt.Fprintln(c.out, text)
		case line, more := <-lines:
			if !more || line == "/quit" {
				v.confirm(ctx)
				return nil
			}
			v.line(line)
		case <-v.changed:
			if len(v.Links()) > 0 {
				late.Stop()
			}
		case <-late.C:
			if len(v.Links()) == 0 {
				return fail(exitNoPeer, "nobody came within %v", o.Timeout)
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-v.ended:
			return v.lost()
		}
	}
}

// read passes on the lines of the input. A terminal cannot be told to stop
// reading, so this goroutine may outlive the command by one line.
func read(ctx context.Context, c *console, lines chan<- string) {
	defer close(lines)
	in := bufio.NewScanner(c.in)
	in.Buffer(nil, 64<<10)
	for in.Scan() {
		select {
		case lines <- in.Text():
		case <-ctx.Done():
			return
		}
	}
	if err := in.Err(); err != nil && ctx.Err() == nil {
		c.say("peer: input: %v", err)
	}
}

// line obeys a line of the user, or sends it to all.
func (v *visit) line(text string) {
	switch {
	case strings.TrimSpace(text) == "":
	case text == "/peers":
		for _, l := range v.Links() {
			v.c.say("· %s: %s. %s%s", printable(l.Remote().Name), l.State(), l.Path(), natsOf(v.NAT(), l))
		}
	case len(v.Links()) == 0:
		v.c.say("· nobody is here to read that")
	default:
		for _, l := range v.Links() {
			if err := l.Chat().Send(text); err != nil {
				v.c.say("· not sent to %s: %v", printable(l.Remote().Name), err)
			}
		}
	}
}

// confirm waits until everybody has what was said.
func (v *visit) confirm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	for _, l := range v.Links() {
		if err := l.Chat().Wait(ctx); err != nil {
			v.c.say("· %s may not have it all: %v", printable(l.Remote().Name), err)
		}
	}
}
