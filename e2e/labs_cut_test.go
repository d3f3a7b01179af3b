package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"peerlab/e2e/browser"
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

// cutter passes connections on, and can cut all of them, and the line itself.
type cutter struct {
	net.Listener
	mu    sync.Mutex
	down  bool
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
			if c.down {
				c.cutLocked()
			}
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
	c.cutLocked()
}

// line takes the line down, or up again. While it is down, what connects is
// cut at once.
func (c *cutter) line(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down = !up; c.down {
		c.cutLocked()
	}
}

func (c *cutter) cutLocked() {
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

func TestABrowserReadsOnAfterACut(t *testing.T) {
	s := startServer(t, nil)
	c := newCutter(t, s.addr())
	run := s.startRun("tcp-server", "clients=6&messages=8&pace=250&stay=0")
	p := browser.Launch(t, browser.Config{}).Page(t)
	p.AllowErrors(`net::ERR_`) // the cuts
	p.Open("http://" + c.Addr().String() + run.path)
	state := func(stream string, more int) string {
		return fmt.Sprintf(`(d => d.stream === %q && Number(d.events) > %d)(document.querySelector('[data-testid="run"]').dataset)`, stream, more)
	}
	for range 3 { // short cuts
		seen := browser.Eval[int](p, `peerlab.player.events.length`)
		p.WaitFor(state("open", seen), patience)
		c.cut()
	}
	p.WaitFor(state("open", 0), patience)
	c.line(false)
	p.WaitFor(state("reconnecting", 0), patience)
	p.WaitFor(`document.body.innerText.includes('Nothing is missed')`, patience)
	c.line(true)
	p.WaitFor(`document.querySelector('[data-testid="run"]').dataset.stream === 'ended'`, 2*patience)
	p.WaitFor(`!document.body.innerText.includes('Nothing is missed')`, patience)
	gapless(t, "a browser after cuts", browser.Eval[[]int](p, numbers), len(run.saved().Events))
}
