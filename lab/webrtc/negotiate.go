package webrtc

import (
	"context"
	"fmt"
	"sync"

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

	mu      sync.Mutex
	outside bool     // it has been told what its NAT's outside is
	early   bool     // candidates have to wait for the description that they belong to
	found   []signal // these
}

// region negotiate

// offer begins the negotiation, or a new one with an ICE restart.
func (e *end) offer(ctx context.Context, restart bool) error {
	e.hold()
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
		e.release()
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
		switch err := e.take(ctx, s); {
		case e.pc.SignalingState() == pion.SignalingStateClosed:
			return nil
		case err != nil:
			return err
		}
	}
}

// take takes a candidate or a description; to an offer there is an answer.
func (e *end) take(ctx context.Context, s signal) error {
	if s.Candidate != nil {
		if err := e.pc.AddICECandidate(*s.Candidate); err != nil {
			return fmt.Errorf("%s takes a candidate: %w", e.name, err)
		}
	}
	if s.Description == nil {
		return nil
	}
	offer := s.Description.Type == pion.SDPTypeOffer
	if offer {
		e.hold()
	}
	if err := e.pc.SetRemoteDescription(*s.Description); err != nil {
		return fmt.Errorf("%s takes the %s: %w", e.name, s.Description.Type, err)
	}
	if !offer {
		return nil
	}
	answer, err := e.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return e.describe(ctx, answer)
}

// endregion

// trickles sends each candidate as it is found, if that is the manner. A restart
// finds some before the description with its new names is out.
func (e *end) trickles() {
	e.pc.OnICECandidate(func(c *pion.ICECandidate) {
		if c == nil {
			return
		}
		told := c.ToJSON()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.outside = e.outside || c.Typ == pion.ICECandidateTypeSrflx
		if !e.trickle {
			return
		}
		if e.early {
			e.found = append(e.found, signal{Candidate: &told})
			return
		}
		e.tell(signal{Candidate: &told})
	})
}

// knowsOutside tells whether STUN has answered.
func (e *end) knowsOutside() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.outside
}

// hold keeps the candidates that are found from now on.
func (e *end) hold() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.early = true
}

// release sends those that were kept.
func (e *end) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.found {
		e.tell(s)
	}
	e.early, e.found = false, nil
}

// tell sends a candidate. A line that is closed is the end of the call.
func (e *end) tell(s signal) { _ = e.line.send(s, s.Candidate.Candidate) }

func sizeOf(d pion.SessionDescription) string { return fmt.Sprintf("%d B of SDP", len(d.SDP)) }
