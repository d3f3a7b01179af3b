package netsim_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"peerlab/netsim"
)

// transfer sends payload from a to b and checks what arrives.
func (r *rig) transfer(payload []byte) {
	r.Helper()
	client, server := r.connect()
	go func() {
		if _, err := client.Write(payload); err != nil {
			r.Errorf("writing: %v", err)
		}
		if err := client.CloseWrite(); err != nil {
			r.Errorf("closing the write side: %v", err)
		}
	}()
	_ = server.SetReadDeadline(time.Now().Add(60 * time.Second))
	got, err := io.ReadAll(server)
	if err != nil {
		r.Fatalf("reading: %v", err)
	}
	if !bytes.Equal(got, payload) {
		r.Fatalf("%d bytes arrived, not the %d that were sent", len(got), len(payload))
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func TestTransferOverAPoorLine(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 5 * time.Millisecond, Loss: 0.05, Seed: 1}})
	r.transfer(random(300_000))
	for _, p := range r.seen() {
		t.Log(p.At.UnixMicro()%1e9, p.From, p.To, p.Summary, p.Why, p.Took(), p.Attrs)
	}
}
