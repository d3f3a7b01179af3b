package peer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v3"

	"peerlab/signaling/envelope"
)

// maxEarly bounds the candidates kept before there is a description for them.
const maxEarly = 128

// session is one RTCPeerConnection with its four channels. Its fields belong
// to the goroutine of the link where nothing else is said.
type session struct {
	link   *Link
	number int32
	pc     *webrtc.PeerConnection
	ctx    context.Context
	cancel context.CancelFunc

	channels   [4]*dataChannel
	open       bool // and the engines read them
	failed     bool // DTLS did, or the channels ended, and was noticed
	early      []webrtc.ICECandidateInit
	restarted  time.Time // the last ICE restart
	relayUntil time.Time // when the relay credentials expire

	moved    atomic.Int64 // bytes through the channels, both ways
	engines  sync.WaitGroup
	quiet    chan struct{} // closed when no engine uses this session any more
	previous <-chan struct{}
}

// The channels of PROTOCOL.md; the index is the id.
var channelLabels = [4]string{"chat", "files", "bench", "probe"}

// newSession makes the connection and its channels; nothing is sent yet.
func newSession(l *Link, number int32, previous *session) (*session, error) {
	cfg, relayUntil, err := l.peer.access()
	if err != nil {
		return nil, err
	}
	pc, err := l.peer.api.NewPeerConnection(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a connection: %w", err)
	}
	s := &session{link: l, number: number, pc: pc, relayUntil: relayUntil, quiet: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if previous != nil {
		s.previous = previous.quiet
	} else {
		nobody := make(chan struct{})
		close(nobody)
		s.previous = nobody
	}
	l.record.begin(number)
	s.listen()
	for id, label := range channelLabels {
		if err := s.createChannel(uint16(id), label); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// post has f run by the goroutine of the link while s is its session.
func (s *session) post(f func()) {
	select {
	case s.link.do <- func() {
		if s.link.session == s {
			f()
		}
	}:
	case <-s.ctx.Done():
	case <-s.link.ctx.Done():
	}
}

// listen posts what Pion reports to the link.
func (s *session) listen() {
	l := s.link
	s.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		// Through the goroutine that sends the description, and so behind it.
		s.post(func() { l.send(&envelope.Signal{Session: s.number, Candidate: s.trickle(c)}) })
	})
	s.pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		s.post(func() { l.iceChanged(s, state) })
	})
	// Called with locks of Pion held: it must not wait for the link.
	s.pc.SCTP().Transport().OnStateChange(l.record.dtls)
}

func (s *session) createChannel(id uint16, label string) error {
	negotiated, ordered := true, label != "probe"
	options := &webrtc.DataChannelInit{ID: &id, Negotiated: &negotiated, Ordered: &ordered}
	if label == "probe" {
		options.MaxRetransmits = new(uint16)
	}
	dc, err := s.pc.CreateDataChannel(label, options)
	if err != nil {
		return fmt.Errorf("create channel %s: %w", label, err)
	}
	dc.OnOpen(func() {
		c, err := detach(dc, &s.moved, s.link.probe.fastestTrip)
		if err != nil {
			s.link.log.Debug("channel not usable", "err", err)
			return
		}
		s.post(func() {
			s.channels[id] = c
			s.link.record.channelOpen(label)
			for _, c := range s.channels {
				if c == nil {
					return
				}
			}
			s.start()
		})
	})
	return nil
}

// start lets the engines of the link speak on the channels, as soon as they
// have stopped to speak on those of the session before. When all of them
// listen, the link is connected: what is asked of them then can be done.
func (s *session) start() {
	l := s.link
	var deaf atomic.Int32
	deaf.Store(int32(len(s.channels)))
	listening := func() {
		if deaf.Add(-1) == 0 {
			s.post(func() { l.opened(s) })
		}
	}
	for id, speak := range []func(context.Context, channel) error{l.chat.speak, l.files.speak, l.bench.speak, l.probe.speak} {
		c := &attended{channel: l.record.firstBytes(s.channels[id], channelLabels[id]), listening: listening}
		s.engines.Go(func() {
			select {
			case <-s.previous:
			case <-s.ctx.Done():
				return
			}
			err := speak(s.ctx, c)
			s.post(func() { l.lost(s, fmt.Errorf("%s: %w", channelLabels[id], err)) })
		})
	}
}

// attended tells when it is read for the first time.
type attended struct {
	channel
	listening func()
	once      sync.Once
}

func (a *attended) Receive(buf []byte) (int, bool, error) {
	a.once.Do(a.listening)
	return a.channel.Receive(buf)
}

// flush waits until the other side has all that was sent, for a time.
func (s *session) flush(within time.Duration) {
	ctx, cancel := context.WithTimeout(s.ctx, within)
	defer cancel()
	for _, c := range s.openChannels(ctx) {
		if c.flush(ctx) != nil {
			return
		}
	}
}

// openChannels returns the channels if all are open, for another goroutine.
func (s *session) openChannels(ctx context.Context) []*dataChannel {
	answer := make(chan []*dataChannel, 1)
	ask := func() {
		if s.open {
			answer <- s.channels[:]
		} else {
			answer <- nil
		}
	}
	select {
	case s.link.do <- ask:
		return <-answer
	case <-ctx.Done():
	case <-s.link.done:
	}
	return nil
}

// close ends the connection and all its goroutines.
func (s *session) close() {
	s.cancel()
	var engines sync.WaitGroup
	engines.Go(func() {
		s.engines.Wait()
		close(s.quiet)
	})
	if err := s.pc.GracefulClose(); err != nil {
		s.link.log.Debug("close connection", "err", err)
	}
	engines.Wait()
}

// offer makes and sets the local offer.
func (s *session) offer(restart bool) (*envelope.Description, error) {
	offer, err := s.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return nil, fmt.Errorf("create offer: %w", err)
	}
	if err := s.pc.SetLocalDescription(offer); err != nil {
		return nil, fmt.Errorf("set local offer: %w", err)
	}
	return &envelope.Description{Type: "offer", SDP: offer.SDP}, nil
}

// answered takes the answer to our offer.
func (s *session) answered(sdp string) error {
	if s.pc.SignalingState() != webrtc.SignalingStateHaveLocalOffer {
		return fmt.Errorf("an answer to no offer")
	}
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		return fmt.Errorf("set remote answer: %w", err)
	}
	s.addEarly()
	return nil
}

// answer takes an offer and makes and sets our answer.
func (s *session) answer(sdp string) (*envelope.Description, error) {
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return nil, fmt.Errorf("set remote offer: %w", err)
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return nil, fmt.Errorf("create answer: %w", err)
	}
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return nil, fmt.Errorf("set local answer: %w", err)
	}
	s.addEarly()
	return &envelope.Description{Type: "answer", SDP: answer.SDP}, nil
}

// addCandidate takes a remote candidate, now or when its description is here.
func (s *session) addCandidate(c envelope.Candidate) error {
	init := webrtc.ICECandidateInit{
		Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
	}
	if s.pc.RemoteDescription() == nil {
		if len(s.early) < maxEarly {
			s.early = append(s.early, init)
		}
		return nil
	}
	if err := s.pc.AddICECandidate(init); err != nil {
		return fmt.Errorf("add candidate: %w", err)
	}
	return nil
}

// addEarly takes the candidates that came before their description. One that
// is of no use does not make the others so.
func (s *session) addEarly() {
	early := s.early
	s.early = nil
	for _, c := range early {
		if err := s.pc.AddICECandidate(c); err != nil {
			s.link.log.Debug("candidate not usable", "err", err)
		}
	}
}

// trickle puts a local candidate, nil after the last one, in the form of a
// browser, which wants to know the section and the generation it belongs to.
func (s *session) trickle(c *webrtc.ICECandidate) *envelope.Candidate {
	out := &envelope.Candidate{SDPMLineIndex: new(uint16)}
	if c != nil {
		out.Candidate = c.ToJSON().Candidate
	}
	if local := s.pc.LocalDescription(); local != nil {
		out.SDPMid = sdpValue(local.SDP, "a=mid:")
		out.UsernameFragment = sdpValue(local.SDP, "a=ice-ufrag:")
	}
	return out
}

// sdpValue returns the value of the first line of sdp that begins so.
func sdpValue(sdp, prefix string) *string {
	for line := range strings.Lines(sdp) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
			return &v
		}
	}
	return nil
}
