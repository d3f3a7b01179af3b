package webrtc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	pion "github.com/pion/webrtc/v3"

	"peerlab/lab"
	"peerlab/trace"
)

// patience is how long opening a connection may take, besides some round trips.
const patience = 20 * time.Second

// patient is ctx for at most d, and not quite to the end of the run, for there to
// be time to tell how it went.
func patient(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	until := time.Now().Add(d)
	if end, bounded := ctx.Deadline(); bounded && end.Add(-telling).Before(until) {
		until = end.Add(-telling)
	}
	return context.WithDeadline(ctx, until)
}

// forgets is when Pion takes no answer to a check any more.
const forgets = 4 * time.Second

// telling is the time that is left for that.
const telling = 2 * time.Second

// pace is the time between two messages of a call that is open.
const pace = 200 * time.Millisecond

// label is the name of the channel.
const label = "chat"

// call is one connection from its beginning on.
type call struct {
	scene   *scene
	r       *lab.Run
	p       Params
	manner  manner
	clock   *clock
	ends    [2]*end
	channel *pion.DataChannel // a's
	talk    *talk
	explain bool // its descriptions are explained
	down    sync.Once
}

// newCall prepares both peers and their lines to the server. Nothing has been
// said yet.
func newCall(ctx context.Context, r *lab.Run, name string, i int, p Params, m manner) (*call, error) {
	c := &call{p: p, manner: m, clock: newClock()}
	var err error
	if c.scene, err = newScene(r, name, i, p.NAT == "home", c.clock.tap); err != nil {
		return nil, err
	}
	c.r = c.scene.r
	stun, err := c.scene.serve()
	if err != nil {
		return nil, err
	}
	c.scene.introduce("peer-a", "nat-a", "server", "nat-b", "peer-b")
	for i, h := range c.scene.hosts {
		pc, err := newPeer(c.r, h, m, firstPort, firstPort+1, stun) // one more to ask STUN from
		if err != nil {
			return c, err
		}
		c.ends[i] = &end{r: c.r, name: h.Name(), pc: pc, trickle: m.trickle}
		if c.ends[i].line, err = dialServer(ctx, c.r, h); err != nil {
			return c, err
		}
		c.ends[i].trickles()
	}
	c.talk = newTalk(c.r)
	return c, c.channels()
}

// region channels

// channels prepares what happens on the channel: a speaks as soon as it is open,
// b hears and answers. An announced channel is opened by a message inside of SCTP
// and open when that is acknowledged; a negotiated one is made on both sides with the same number
// and open as soon as SCTP is.
func (c *call) channels() error {
	init := &pion.DataChannelInit{}
	if c.manner.negotiated {
		yes, id := true, uint16(0)
		init.Negotiated, init.ID = &yes, &id
	}
	answer := func(dc *pion.DataChannel) {
		dc.OnMessage(func(m pion.DataChannelMessage) {
			c.clock.reach(told)
			c.talk.echo(dc, m)
		})
	}
	if c.manner.negotiated {
		dc, err := c.ends[1].pc.CreateDataChannel(label, init)
		if err != nil {
			return fmt.Errorf("channel of b: %w", err)
		}
		answer(dc)
	} else {
		c.ends[1].pc.OnDataChannel(answer)
	}
	dc, err := c.ends[0].pc.CreateDataChannel(label, init)
	if err != nil {
		return fmt.Errorf("channel of a: %w", err)
	}
	dc.OnMessage(func(m pion.DataChannelMessage) { c.talk.heard(m) })
	dc.OnOpen(func() {
		c.clock.reach(opened)
		c.talk.say(dc)
	})
	c.channel = dc
	return nil
}

// endregion

// open goes from the offer to the first message.
func (c *call) open(ctx context.Context) error {
	failed, over := context.WithCancel(ctx)
	defer over()
	a, b := c.ends[0], c.ends[1]
	b.heard = c.explainer("offer")
	answer := c.explainer("answer")
	a.heard = func(s signal) {
		answer(s)
		if s.Description != nil {
			c.clock.reach(signaled)
		}
	}
	a.pc.OnICEConnectionStateChange(func(s pion.ICEConnectionState) {
		c.r.State(trace.ICE, "peer-a", "ICE", s.String())
		switch s {
		case pion.ICEConnectionStateConnected:
			c.clock.reach(checked)
		case pion.ICEConnectionStateFailed:
			over() // for whoever waits for the first message
		}
	})
	b.pc.OnICEConnectionStateChange(func(s pion.ICEConnectionState) {
		c.r.State(trace.ICE, "peer-b", "ICE", s.String())
		if s == pion.ICEConnectionStateConnected {
			c.down.Do(c.outage) // it will be connected again after it
		}
	})
	a.pc.SCTP().Transport().OnStateChange(func(s pion.DTLSTransportState) {
		c.r.State(trace.DTLS, "peer-a", "DTLS", s.String())
		if s == pion.DTLSTransportStateConnected {
			c.clock.reach(secured)
		}
	})
	for _, e := range c.ends {
		c.r.Go(e.listen)
	}
	begin := time.Now()
	wait, cancel := patient(ctx, patience+40*c.r.Settings().Delay)
	defer cancel()
	err := a.offer(wait, false)
	if err == nil {
		c.clock.reach(offering)
		select {
		case <-c.clock.reached:
			c.tell()
			return nil
		case <-failed.Done():
		case <-wait.Done():
			err = wait.Err()
		}
	}
	c.clock.stop("given up")
	if ctx.Err() != nil || err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(err, ctx.Err())
	}
	c.r.Verdict(lab.Bad, "No connection within %s: given up while waiting for the %s.%s", time.Since(begin).Round(100*time.Millisecond), c.clock.waiting(), c.why())
	c.r.Fact("opened", 0, "of 1")
	return nil
}

// why is what is known to keep checks from succeeding, in words.
func (c *call) why() (why string) {
	if c.clock.waiting() != stepNames[checked] {
		return ""
	}
	if rtt := 2 * c.r.Settings().Delay; rtt >= forgets {
		why += fmt.Sprintf(" A round trip takes %s, and Pion forgets a check after %s.", rtt, forgets)
	}
	for _, e := range c.ends {
		if c.p.NAT == "home" && !e.knowsOutside() {
			why += fmt.Sprintf(" %s never learned what its NAT looks like from outside: Pion asks STUN once, and the question or the answer was lost.", e.name)
		}
	}
	return why
}

// outage takes the line down for a while, right when DTLS begins.
func (c *call) outage() {
	if c.p.Outage == 0 {
		return
	}
	c.r.Note("The line is down for %s, just as DTLS begins.", c.p.Outage)
	c.scene.down(c.p.Outage)
}

// explainer explains a description, the first one, and the candidates that follow
// it, line by line.
func (c *call) explainer(what string) func(signal) {
	seen := !c.explain
	return func(s signal) {
		var lines []string
		switch {
		case s.Description != nil && !seen:
			seen = true
			lines = linesOf(s.Description.SDP)
		case s.Candidate != nil && s.Candidate.Candidate != "" && c.explain:
			lines = []string{"a=" + strings.TrimPrefix(s.Candidate.Candidate, "a=")}
		}
		for _, l := range lines {
			c.r.Line(what, l, explain(l))
		}
	}
}

// round is a time in milliseconds, as a person reads it.
func round(d time.Duration) float64 { return round1(float64(d) / float64(time.Millisecond)) }

// round1 keeps one digit behind the point.
func round1(v float64) float64 { return math.Round(v*10) / 10 }

// tell records what the steps took, in time and in round trips.
func (c *call) tell() {
	rtt, packets := c.clock.counted()
	total := c.clock.total()
	c.scene.busy()
	c.r.Fact("until the first message", round(total), "ms")
	counts := rtt >= countable
	trips := func(d time.Duration) float64 { return round1(float64(d) / float64(rtt)) }
	if counts {
		c.r.Fact("round trips until the first message", trips(total), "round trips")
		c.r.Fact("shortest round trip", round(rtt), "ms")
	}
	c.r.Fact("packets until the first message", float64(packets), "packets")
	var parts []string
	for s := range steps {
		took := c.clock.took(s)
		c.r.Fact(fmt.Sprintf("%d. %s", s+1, stepNames[s]), round(took), "ms")
		if counts && trips(took) > 0 {
			parts = append(parts, fmt.Sprintf("%s %.1f", stepNames[s], trips(took)))
		}
	}
	if !counts {
		c.r.Verdict(lab.Good, "The first message came after %g ms. Give the link a delay to count round trips.", round(total))
		return
	}
	c.r.Verdict(lab.Good, "The first message came after %g ms, which is %.1f round trips: %s.", round(total), trips(total), strings.Join(parts, ", "))
}

// countable is the shortest round trip that is more than what the computer itself takes.
const countable = 5 * time.Millisecond

// restart begins new checks with other candidates, on the connection as it is.
func (c *call) restart(ctx context.Context) error {
	if c.ends[0].pc.SignalingState() != pion.SignalingStateStable {
		c.r.Note("Not now: an answer is still to come.")
		return nil
	}
	c.r.Note("An offer with an ICE restart: new names, new keys, new checks. DTLS and SCTP go on.")
	return c.ends[0].offer(ctx, true)
}

// close ends the call.
func (c *call) close() {
	var all []*pion.PeerConnection
	for _, e := range c.ends {
		if e == nil {
			continue
		}
		all = append(all, e.pc)
		if e.line != nil {
			e.line.conn.Close()
		}
	}
	_ = closeAll(all...) // nobody is there any more to be told
	c.clock.stop("closed")
}

// live opens the call and stays for a while.
func (c *call) live(ctx context.Context) error {
	if err := c.open(ctx); err != nil || !c.clock.done() {
		return err
	}
	return c.talk.stay(ctx, c.channel, c.p.Stay, pace)
}

// act does what a person asked for, once the call is open.
func (c *call) act(ctx context.Context, action string) error {
	if !c.clock.done() {
		c.r.Note("Not yet: the connection is being opened.")
		return nil
	}
	if action == "cut" {
		c.scene.down(time.Second)
		return nil
	}
	return c.restart(ctx)
}
