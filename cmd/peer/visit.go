package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode"

	"peerlab/peer"
	"peerlab/signaling"
	"peerlab/signaling/envelope"
	"peerlab/trace"
)

// visit is our stay in a room.
type visit struct {
	*peer.Peer
	o       *options
	c       *console
	leave   context.CancelFunc
	ended   chan struct{} // closed when we are out, err is set then
	err     error
	changed chan struct{} // has an item when a link may have changed
	trace   *record
}

// enter joins the room at url. The handlers of a visit for links and states
// are its own; shown, if not nil, hears of states, too.
func enter(ctx context.Context, url string, o *options, c *console, h peer.Handlers) (*visit, error) {
	level := slog.LevelWarn
	if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
		return nil, fail(exitUsage, "log level: %w", err)
	}
	logger := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
	if _, err := signaling.SocketURL(url); err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	record, err := newRecord(o.Trace)
	if err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	client, err := signaling.Dial(ctx, signaling.ClientConfig{URL: url, Name: o.name(c), Logger: logger})
	if err != nil {
		record.close()
		return nil, refusal(err)
	}
	v := &visit{o: o, c: c, ended: make(chan struct{}), changed: make(chan struct{}, 1), trace: record}
	shown := h.State
	h.State = func(l *peer.Link, s peer.State) {
		if shown != nil {
			shown(l, s)
		}
		v.wakeUp()
	}
	h.Link = func(*peer.Link) { v.wakeUp() }
	v.Peer, err = peer.New(peer.Config{
		Logger: logger, Trace: record.log(), RelayOnly: o.RelayOnly, MeasureNAT: measureNAT,
		RelayTransport: peer.RelayTransport(o.RelayTransport), Handlers: h,
	}, client)
	if err != nil {
		record.close()
		return nil, errors.Join(fail(exitUsage, "%w", err), client.Close())
	}
	// It ends by leave, not with ctx: what was sent is to be delivered first.
	var staying context.Context
	staying, v.leave = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(v.ended)
		v.err = v.Run(staying)
	}()
	return v, nil
}

// name is what the others see us by.
func (o *options) name(c *console) string {
	name := cmp.Or(o.Name, c.getenv("USER"), c.getenv("USERNAME"), "peer")
	return strings.TrimSpace(name)
}

// refusal tells why we are not in the room.
func refusal(err error) error {
	e, ok := errors.AsType[*envelope.Error](err)
	_, wrong := errors.AsType[*envelope.FieldError](err)
	switch {
	case ok && (e.Code == envelope.CodeNoRoom || e.Code == envelope.CodeRoomFull):
		return fail(exitNoPeer, "%s", printable(e.Message))
	case ok && e.Code == envelope.CodeBadMessage, wrong:
		return fail(exitUsage, "%w", err)
	}
	return fail(exitConnection, "cannot join the room: %w", err)
}

func (v *visit) wakeUp() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// close leaves the room, having delivered what was sent, and writes the trace.
func (v *visit) close() {
	v.leave()
	<-v.ended
	if err := v.trace.close(); err != nil {
		v.c.say("peer: %v", err)
	}
}

// pick waits for the first peer that is connected, has the right name, if to
// is not empty, and is not excluded.
func (v *visit) pick(ctx context.Context, to string, excluded map[string]bool) (*peer.Link, error) {
	late := time.NewTimer(v.o.Timeout)
	defer late.Stop()
	for said := false; ; {
		met := 0
		for _, l := range v.Links() {
			if (to != "" && l.Remote().Name != to) || excluded[l.Remote().ID] {
				continue
			}
			met++
			if l.State() == peer.StateConnected {
				return l, nil
			}
		}
		if met == 0 && !said {
			said = true
			v.c.say("waiting for %s …", cmp.Or(printable(to), "a peer"))
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-v.ended:
			return nil, v.lost()
		case <-late.C:
			if met > 0 {
				return nil, fail(exitConnection, "somebody is there, but no connection came about within %v", v.o.Timeout)
			}
			return nil, fail(exitNoPeer, "%s did not come within %v", cmp.Or(printable(to), "a peer"), v.o.Timeout)
		}
	}
}

// lost tells why we are out of the room, which nobody wanted.
func (v *visit) lost() error {
	return fail(exitConnection, "out of the room: %w", v.err)
}

// printable takes out of a text from elsewhere what a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, s)
}

// record is the trace file, or nothing.
type record struct {
	file *os.File
	l    *trace.Log
}

// newRecord creates the file now, so that nobody learns at the end that it
// cannot be written.
func newRecord(path string) (*record, error) {
	if path == "" {
		return &record{}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return &record{file, trace.New(0)}, nil
}

func (r *record) log() *trace.Log { return r.l }

func (r *record) close() error {
	if r.file == nil {
		return nil
	}
	r.l.End()
	run := r.l.Run()
	run.ID, run.Lab = strings.ToLower(rand.Text()), "peer"
	return errors.Join(run.Encode(r.file), r.file.Close())
}
