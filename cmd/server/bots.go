package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"peerlab/peer"
	"peerlab/signaling"
	"peerlab/signaling/envelope"
)

const (
	botName = "Peerlab Go"
	// maxBots bounds what invitations cost this server.
	maxBots = 64
)

// Why an invitation is turned down.
var (
	errBotThere   = errors.New("the Go peer is in this room already")
	errBotsAll    = fmt.Errorf("all %d Go peers of this server are in rooms; try again later", maxBots)
	errBotsEnding = errors.New("the server is shutting down")
)

// bots are the Go peers that this server lends to rooms.
type bots struct {
	hub      *signaling.Hub
	identity *peer.Identity
	nat      func(context.Context, []string) (envelope.NAT, error)
	log      *slog.Logger
	running  sync.WaitGroup

	mu    sync.Mutex
	ctx   context.Context // of the running bots; nil before run and after
	rooms map[string]bool // where one is
}

func (a *app) buildBots(context.Context) error {
	identity, err := peer.NewIdentity()
	if err != nil {
		return err
	}
	a.bots = &bots{hub: a.rooms, identity: identity, nat: a.address.nat, log: a.log.With("part", "bot"), rooms: make(map[string]bool)}
	a.parts = append(a.parts, a.bots.run)
	return nil
}

// run lets bots be invited until ctx ends, then waits for them to leave.
func (b *bots) run(ctx context.Context) error {
	b.mu.Lock()
	b.ctx = ctx
	b.mu.Unlock()
	<-ctx.Done()
	b.mu.Lock()
	b.ctx = nil
	b.mu.Unlock()
	b.running.Wait()
	return nil
}

// invite brings a Go peer into a room. It returns once the peer is a member;
// connections come after that.
func (b *bots) invite(ctx context.Context, room string) error {
	life, err := b.reserve(room)
	if err != nil {
		return err
	}
	member, err := b.hub.Join(ctx, room, botName)
	if err != nil {
		b.release(room)
		return err
	}
	go func() {
		defer b.release(room)
		cfg := peer.BotConfig{Config: peer.Config{Identity: b.identity, MeasureNAT: b.nat, Logger: b.log}}
		if err := peer.RunBot(life, cfg, member); err != nil && !errors.Is(err, peer.ErrServerBye) {
			b.log.Warn("the Go peer left", "err", err)
		}
	}()
	return nil
}

// reserve takes a place for a bot; release gives it back.
func (b *bots) reserve(room string) (context.Context, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ctx == nil:
		return nil, errBotsEnding
	case b.rooms[room]:
		return nil, errBotThere
	case len(b.rooms) >= maxBots:
		return nil, errBotsAll
	}
	b.rooms[room] = true
	b.running.Add(1)
	return b.ctx, nil
}

func (b *bots) release(room string) {
	b.mu.Lock()
	delete(b.rooms, room)
	b.mu.Unlock()
	b.running.Done()
}
