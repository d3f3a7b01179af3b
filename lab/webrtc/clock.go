package webrtc

import (
	"strings"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/trace"
)

// step is a part of opening a connection, as the peer that offers sees it.
type step int

// The steps, in their order.
const (
	offering step = iota
	signaled
	checked
	secured
	associated
	opened
	told
	steps // how many
)

// stepNames say what a step is about; layers are those it is drawn in.
var (
	stepNames  = [steps]string{"offer", "signaling", "ICE checks", "DTLS handshake", "SCTP association", "channel", "first message"}
	stepLayers = [steps]trace.Layer{trace.App, trace.App, trace.ICE, trace.DTLS, trace.SCTP, trace.SCTP, trace.App}
)

// clock times the steps, and draws each as a span when it happens. It also sees
// every packet, to know what no callback tells.
type clock struct {
	r       *lab.Run
	reached chan struct{} // closed with the last step

	mu      sync.Mutex
	begin   time.Time
	now     step
	ended   [steps]time.Time
	end     func(string)
	packets int                  // sent by peers until the last step
	asked   map[string]time.Time // checks of a without an answer
	rtt     time.Duration        // the shortest check; 0: none yet
}

func newClock() *clock {
	return &clock{reached: make(chan struct{}), now: steps, end: func(string) {}, asked: map[string]time.Time{}}
}

// start begins the first step.
func (c *clock) start(r *lab.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r, c.begin, c.now = r, time.Now(), 0
	c.drawLocked()
}

func (c *clock) drawLocked() {
	c.end = c.r.Begin(stepLayers[c.now], "peer-a", stepNames[c.now])
}

// reach ends a step, and those before it that nothing ended; only the first call
// for a step counts.
func (c *clock) reach(s step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.r == nil {
		return
	}
	for c.now <= s && c.now < steps {
		c.ended[c.now] = time.Now()
		c.end("")
		if c.now++; c.now == steps {
			close(c.reached)
			return
		}
		c.drawLocked()
	}
}

// stop ends the step that is going on.
func (c *clock) stop(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(why)
}

// took is how long a step took.
func (c *clock) took(s step) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.begin
	if s > 0 {
		from = c.ended[s-1]
	}
	return c.ended[s].Sub(from)
}

// total is the time from the beginning to the last step.
func (c *clock) total() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended[steps-1].Sub(c.begin)
}

// counted is the shortest round trip of a check, 0 if there was none, and how many
// packets the peers sent until the last step.
func (c *clock) counted() (rtt time.Duration, packets int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rtt, c.packets
}

// waiting names the step that has not ended.
func (c *clock) waiting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return stepNames[min(c.now, steps-1)]
}

// done tells whether the last step has been reached.
func (c *clock) done() bool {
	select {
	case <-c.reached:
		return true
	default:
		return false
	}
}

// tap sees each packet when it is sent. The association is up when the peer
// announces its channel, or, where nothing is announced, when the channel is open.
func (c *clock) tap(p netsim.Packet) {
	if p.From == "peer-a" && p.Layer == "sctp" && strings.Contains(p.Summary, ": OPEN ") {
		c.reach(associated)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.r != nil && c.now < steps && strings.HasPrefix(p.From, "peer-") {
		c.packets++
	}
	id := p.Attrs["transaction"]
	switch {
	case p.Layer != "ice" || p.Attrs["username"] == "" && p.Attrs["mapped"] == "":
	case p.From == "peer-a" && strings.HasPrefix(p.Summary, "Binding request") && len(c.asked) < 1000:
		c.asked[id] = p.At
	case p.To == "peer-a" && !p.Lost && !c.asked[id].IsZero():
		if rtt := p.Arrive.Sub(c.asked[id]); c.rtt == 0 || rtt < c.rtt {
			c.rtt = rtt
		}
		delete(c.asked, id)
	}
}
