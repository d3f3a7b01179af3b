package webrtc

import (
	"context"
	"fmt"
	"sync"
	"time"

	pion "github.com/pion/webrtc/v3"

	"peerlab/lab"
	"peerlab/trace"
)

// talk is what is said once the channel is open: a numbers its messages, b sends
// them back.
type talk struct {
	r *lab.Run

	mu     sync.Mutex
	sent   int
	asked  map[string]time.Time // not echoed yet
	trips  []time.Duration
	silent time.Duration // the longest time without an echo
	last   time.Time     // of the last echo
}

func newTalk(r *lab.Run) *talk { return &talk{r: r, asked: map[string]time.Time{}} }

// say sends the next message.
func (t *talk) say(dc *pion.DataChannel) {
	t.mu.Lock()
	t.sent++
	text := fmt.Sprintf("message %d", t.sent)
	t.asked[text] = time.Now()
	t.mu.Unlock()
	t.r.Message(trace.App, "peer-a", "peer-b", text, "")
	// An error means that the channel is closed, which is the end.
	_ = dc.SendText(text)
}

// echo is what b does.
func (t *talk) echo(dc *pion.DataChannel, m pion.DataChannelMessage) {
	_ = dc.SendText(string(m.Data))
}

// heard is what a does with an echo.
func (t *talk) heard(m pion.DataChannelMessage) {
	text := string(m.Data)
	t.mu.Lock()
	defer t.mu.Unlock()
	asked, ok := t.asked[text]
	if !ok {
		return
	}
	delete(t.asked, text)
	now := time.Now()
	if !t.last.IsZero() {
		t.silent = max(t.silent, now.Sub(t.last))
	}
	t.last = now
	t.trips = append(t.trips, now.Sub(asked))
	t.r.Message(trace.App, "peer-b", "peer-a", "echo of "+text, "")
	t.r.Sample(trace.App, "peer-a", "round trip of a message", round(now.Sub(asked)), "ms")
}

// stay says something at a steady pace, for a time, and until the first echo has
// come or is not to be expected any more.
func (t *talk) stay(ctx context.Context, dc *pion.DataChannel, d, pace time.Duration) error {
	over, tick := time.NewTimer(d), time.NewTicker(pace)
	defer over.Stop()
	defer tick.Stop()
	begin := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			if !t.answered() && time.Since(begin) < d+patience {
				over.Reset(pace / 10)
				continue
			}
			t.tell()
			return nil
		case <-tick.C:
			t.say(dc)
		}
	}
}

// answered tells whether an echo has come.
func (t *talk) answered() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.trips) > 0
}

func (t *talk) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.trips) > 1 {
		t.r.Fact("round trip of a message, median", round(lab.Median(t.trips)), "ms")
		t.r.Fact("longest silence between two echoes", round(t.silent), "ms")
	}
}
