package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"peerlab/trace"
)

// gapless expects the numbers from 1 to as many as there are.
func gapless(t *testing.T, what string, seqs []int, want int) {
	t.Helper()
	for i, seq := range seqs {
		if seq != i+1 {
			t.Fatalf("%s: event %d has number %d", what, i, seq)
		}
	}
	if len(seqs) != want || want == 0 {
		t.Errorf("%s: %d events of %d", what, len(seqs), want)
	}
}

// cutter passes connections on, and can cut all of them.
type cutter struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, in, out)
			c.mu.Unlock()
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				all.Go(func() {
					io.Copy(pair[0], pair[1])
					pair[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() { l.Close(); c.cut(); all.Wait() })
	return c
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func TestEventsResumeAfterACut(t *testing.T) {
	s := startServer(t, nil)
	c := newCutter(t, s.addr())
	run := s.startRun("tcp-server", "clients=6&messages=5&pace=200&stay=0")
	var seqs []int
	cuts := 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for {
		last, fresh := uint64(len(seqs)), 0
		err := follow(ctx, fmt.Sprintf("http://%s%s/events", c.Addr(), run.path), last, func(events []trace.Event) {
			for _, e := range events {
				seqs = append(seqs, int(e.Seq))
			}
			if fresh++; cuts < 3 && fresh == 2 {
				cuts++
				c.cut()
			}
		})
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if cuts != 3 {
		t.Errorf("cut %d times", cuts)
	}
	gapless(t, "after cuts", seqs, len(run.saved().Events))
}
