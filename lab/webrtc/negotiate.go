package webrtc

import (
	"context"
	"fmt"

	pion "github.com/pion/webrtc/v3"

	"peerlab/lab"
	"peerlab/trace"
)

// end is one side of a call: a peer connection and how to tell the other side.
type end struct {
	r       *lab.Run
	name    string
	pc      *pion.PeerConnection
	line    *line
	trickle bool

	heard func(signal) // what the other side tells
}

// region negotiate

// offer begins the negotiation, or a new one with an ICE restart.
func (e *end) offer(ctx context.Context, restart bool) error {
	d, err := e.pc.CreateOffer(&pion.OfferOptions{ICERestart: restart})
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	return e.describe(ctx, d)
}

// describe tells the other side who we are. With trickle it is told at once,
// and candidates follow as they are found; else when all of them are in it.
func (e *end) describe(ctx context.Context, d pion.SessionDescription) error {
	gathered := e.r.Begin(trace.ICE, e.name, "gathering")
	all := pion.GatheringCompletePromise(e.pc)
	if e.trickle {
		if err := e.line.send(signal{Description: &d}, sizeOf(d)); err != nil {
			return err
		}
	}
	if err := e.pc.SetLocalDescription(d); err != nil { // gathering begins
		return fmt.Errorf("local description of %s: %w", e.name, err)
	}
	if e.trickle {
		e.r.Go(func(ctx context.Context) error {
			select {
			case <-all:
			case <-ctx.Done():
			}
			gathered("")
			return nil
		})
		return nil
	}
	select {
	case <-all:
		gathered("all of them")
	case <-ctx.Done():
		gathered("cut short")
		return ctx.Err()
	}
	d = *e.pc.LocalDescription()
	return e.line.send(signal{Description: &d}, sizeOf(d))
}

// listen does as the other side says, until the line is closed.
func (e *end) listen(ctx context.Context) error {
	for {
		s, err := e.line.receive()
		if err != nil {
			return nil // the call is over
		}
		e.heard(s)
		if s.Candidate != nil {
			if err := e.pc.AddICECandidate(*s.Candidate); err != nil {
				return fmt.Errorf("%s takes a candidate: %w", e.name, err)
			}
		}
		if s.Description == nil {
			continue
		}
		if err := e.pc.SetRemoteDescription(*s.Description); err != nil {
			return fmt.Errorf("%s takes the %s: %w", e.name, s.Description.Type, err)
		}
		if s.Description.Type != pion.SDPTypeOffer {
			continue
		}
		answer, err := e.pc.CreateAnswer(nil)
		if err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		if err := e.describe(ctx, answer); err != nil {
			return err
		}
	}
}

// endregion

// trickles sends each candidate as it is found, if that is the manner.
func (e *end) trickles() {
	e.pc.OnICECandidate(func(c *pion.ICECandidate) {
		if c == nil || !e.trickle {
			return
		}
		told := c.ToJSON()
		// A line that is closed is the end of the call.
		_ = e.line.send(signal{Candidate: &told}, fmt.Sprintf("%s %s:%d", c.Typ, c.Address, c.Port))
	})
}

func sizeOf(d pion.SessionDescription) string { return fmt.Sprintf("%d B of SDP", len(d.SDP)) }
