package peer

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
	"time"

	"peerlab/signaling"
	"peerlab/trace"
)

func TestTwoPeersMeetAndChat(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	start := time.Now()
	a, b, ab, ba := r.pair(nil)
	t.Logf("open after %v, %s", time.Since(start), ab.Path())

	if err := ab.Chat().Send("hello <b>"); err != nil {
		t.Fatal(err)
	}
	if got := next(t, b.chats, "chat"); got.Text != "hello <b>" {
		t.Errorf("got %q", got.Text)
	}
	if err := ba.Chat().Send("hello to you"); err != nil {
		t.Fatal(err)
	}
	if got := next(t, a.chats, "chat"); got.Text != "hello to you" {
		t.Errorf("got %q", got.Text)
	}
	if err := ab.Chat().Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if p := ab.Path(); !p.Connected || p.Relayed || p.Protocol != "udp" {
		t.Errorf("path %+v", p)
	}
	b.leave()
	a.take(ab.Done(), "the link of one who left")
	if a.Links() != nil && len(a.Links()) != 0 {
		t.Errorf("links %v", a.Links())
	}
}

func sumOf(t *testing.T, g Generated) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(g, 0, g.Size)); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestAFileArrivesWithItsHash(t *testing.T) {
	r := newRoom(t, signaling.Config{})
	log := trace.New(0)
	_, b, ab, _ := r.pair(func(c *Config) { c.Trace = log })
	data := Generated{Size: 20_000_001, Seed: 7}
	start := time.Now()
	sent, err := ab.Files().Send(File{Offer: Offer{Name: "big.bin", Size: data.Size}, Source: data})
	if err != nil {
		t.Fatal(err)
	}
	status, err := sent.Wait(t.Context())
	if err != nil || status.State != Done {
		t.Fatalf("%+v %v", status, err)
	}
	t.Logf("%.1f MB/s", 20/time.Since(start).Seconds())
	got := next(t, b.files, "transfer")
	if s := got.Status(); s.State != Done || s.SHA256 != sumOf(t, data) || s.Moved != data.Size {
		t.Errorf("received %+v", s)
	}
	for _, e := range log.Events() {
		if e.Kind != trace.Message || e.Name != "offer" {
			t.Logf("%8.1fms %-8s %-4s %s>%s %s | %.60s", float64(e.At.Microseconds())/1000, e.Kind, e.Layer, e.From, e.To, e.Name, e.Text)
		}
	}
}
