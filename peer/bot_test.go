package peer

import (
	"context"
	"strings"
	"testing"
	"time"

	"peerlab/signaling"
)

// bot joins a bot to the room.
func (r *room) bot(cfg BotConfig) (left <-chan error) {
	r.t.Helper()
	local, err := r.hub.Join(r.t.Context(), r.id, "bot")
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Loopback = true
	ctx, cancel := context.WithCancel(context.Background())
	ended, all := make(chan error, 1), make(chan struct{})
	go func() { defer close(all); ended <- RunBot(ctx, cfg, local) }()
	r.t.Cleanup(func() { cancel(); <-all })
	return ended
}

func TestTheBotDoesAsItSays(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	left := r.bot(BotConfig{MaxReceive: 1 << 20, MaxSend: 1 << 20})
	m := r.join("ann", nil)
	l := m.link()
	says := func(ask, want string) {
		t.Helper()
		if ask != "" {
			l.Chat().Send(ask)
		}
		if got := next(t, m.chats, "an answer"); !strings.Contains(got.Text, want) {
			t.Errorf("%s: %q, want %q", ask, got.Text, want)
		}
	}
	says("", "/help")
	says("hello", "echo: hello")
	l.Chat().Send("echo: another bot") // is not answered, or two bots would never stop
	says("/help", "/file 20MB")
	says("/time", time.Now().UTC().Format("2006"))
	says("/path", "Packets go directly")
	says("/stats", "Connection 1 between us")
	says("/dance", "/help")
	says("/file", "not a size")
	says("/file 2MiB", "too much")

	l.Chat().Send("/file 300k")
	in := next(t, m.files, "a file")
	if s, err := in.Wait(t.Context()); err != nil || in.Size != 300_000 || s.State != Done {
		t.Errorf("%+v %v", s, err)
	}

	data := Generated{Size: 70_000, Seed: 9}
	if _, err := l.Files().Send(File{Offer: Offer{Name: "mine.bin", Size: data.Size}, Source: data}); err != nil {
		t.Fatal(err)
	}
	says("", sumOf(t, data))
	big := Generated{Size: 1<<20 + 1}
	refused, err := l.Files().Send(File{Offer: Offer{Name: "big", Size: big.Size}, Source: big})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refused.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), CodeTooLarge) {
		t.Error(err)
	}
	if res, err := l.Bench().Run(t.Context(), Download, 200*time.Millisecond, nil); err != nil || res.Bytes == 0 {
		t.Errorf("%+v %v", res, err)
	}
	says("/bye", "Goodbye")
	if err := next(t, left, "the bot to leave"); err != nil {
		t.Error(err)
	}
}

func TestTheBotLeavesWhenAlone(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	left := r.bot(BotConfig{Alone: 100 * time.Millisecond})
	if err := next(t, left, "the bot to leave"); err != nil {
		t.Error(err)
	}
}
