package peer

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pion/webrtc/v3"

	"peerlab/signaling/envelope"
)

// This file is the section "Who offers" of signaling/PROTOCOL.md. All of it
// runs in the goroutine of the link.

// signal takes what the remote peer says.
func (l *Link) signal(m *envelope.Signal) {
	l.record.received(m)
	number := int32(0)
	if l.session != nil {
		number = l.session.number
	}
	isOffer := m.Description != nil && m.Description.Type == "offer"
	switch {
	case m.Session < number:
		return // stale
	case m.Session > number:
		// Only the offerer starts sessions, and only with an offer.
		if l.offerer || !isOffer {
			l.log.Debug("signal of a session that is not there", "session", m.Session, "ours", number)
			return
		}
		if err := l.begin(m.Session); err != nil {
			l.log.Warn("cannot answer", "err", err)
			return
		}
	}
	if err := l.inSession(l.session, m); err != nil {
		l.log.Warn("signal not usable", "session", m.Session, "err", err)
	}
}

func (l *Link) inSession(s *session, m *envelope.Signal) error {
	switch {
	case m.Candidate != nil:
		return s.addCandidate(*m.Candidate)
	case m.Want == envelope.WantNewSession && l.offerer:
		l.renewSoon("the other side wants a new session")
	case m.Want == envelope.WantICERestart && l.offerer:
		l.mend("the other side wants an ICE restart")
	case m.Description == nil:
		return errors.New("neither a description nor a candidate, nor a wish to the offerer")
	case m.Description.Type == "offer" && !l.offerer:
		answer, err := s.answer(m.Description.SDP)
		if err != nil {
			return err
		}
		l.send(&envelope.Signal{Session: s.number, Description: answer})
	case m.Description.Type == "answer" && l.offerer:
		return s.answered(m.Description.SDP)
	default:
		return fmt.Errorf("an %s from the wrong side", m.Description.Type)
	}
	return nil
}

func (l *Link) send(m *envelope.Signal) {
	m.To = l.remote.ID
	l.record.sent(m)
	l.peer.out.put(m)
}

// begin opens the session with this number in place of the one before.
func (l *Link) begin(number int32) error {
	l.soon = false
	l.repair.stop()
	previous := l.session
	s, err := newSession(l, number, previous)
	if err != nil {
		return err
	}
	l.replace(s)
	if state := l.State(); state != StateFailed {
		l.setState(StateConnecting)
	}
	l.renewal.after(l.peer.cfg.Timing.Connect, func() {
		l.setState(StateFailed)
		l.renewSoon("no connection in time")
	})
	return nil
}

// renew starts the next session, or asks the offerer to.
func (l *Link) renew() {
	l.soon = false
	l.attempts++
	if !l.offerer {
		session := int32(1) // the first, if none was offered
		if l.session != nil {
			session = l.session.number
		}
		l.send(&envelope.Signal{Session: session, Want: envelope.WantNewSession})
		l.renewal.after(l.peer.cfg.Timing.Renew, func() { l.renewSoon("the offerer does not answer") })
		return
	}
	number := int32(1)
	if l.session != nil {
		if l.session.number == math.MaxInt32 {
			l.log.Warn("no more sessions with this peer")
			return
		}
		number = l.session.number + 1
	}
	err := l.begin(number)
	if err == nil {
		err = l.offer(false)
	}
	if err != nil {
		l.log.Warn("cannot offer", "err", err)
		l.setState(StateFailed)
		l.renewSoon("the offer failed")
	}
}

// renewSoon renews after a wait that grows from one failure to the next.
// It is never none: when a peer leaves, its connection ends just before the
// server says so.
func (l *Link) renewSoon(reason string) {
	if l.soon {
		return
	}
	l.soon = true
	l.repair.stop()
	wait := min(shortestWait<<min(l.attempts, 10), longestWait)
	l.log.Debug("new session", "reason", reason, "in", wait)
	l.record.note("A new session is needed: " + reason + ".")
	l.renewal.after(wait, l.renew)
}

// mend restarts ICE, or asks the offerer to; if that does not help in time, a
// new session must.
func (l *Link) mend(reason string) {
	l.repair.stop()
	s := l.session
	if s == nil {
		return
	}
	l.log.Debug("ICE restart", "reason", reason)
	l.record.note("ICE is restarted: " + reason + ".")
	if !l.renewal.isSet() {
		l.renewal.after(l.peer.cfg.Timing.Renew, func() { l.renewSoon("the ICE restart did not help") })
	}
	if !l.offerer {
		l.send(&envelope.Signal{Session: s.number, Want: envelope.WantICERestart})
		return
	}
	if s.pc.SignalingState() != webrtc.SignalingStateStable || time.Since(s.restarted) < time.Second {
		return // one is under way
	}
	s.restarted = time.Now()
	if err := l.offer(true); err != nil {
		l.log.Warn("cannot restart ICE", "err", err)
	}
}

func (l *Link) offer(restart bool) error {
	offer, err := l.session.offer(restart)
	if err != nil {
		return err
	}
	l.send(&envelope.Signal{Session: l.session.number, Description: offer})
	return nil
}

// iceChanged hears of the state of ICE in the current session.
func (l *Link) iceChanged(s *session, state webrtc.ICEConnectionState) {
	l.record.ice(state)
	switch state {
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
		l.repair.stop()
		l.probe.newPath()
		if s.open {
			l.connected()
		}
	case webrtc.ICEConnectionStateDisconnected:
		if s.open {
			l.setState(StateInterrupted)
		}
		if !l.repair.isSet() {
			l.repair.after(l.peer.cfg.Timing.Restart, func() { l.mend("no packets arrive") })
		}
	case webrtc.ICEConnectionStateFailed:
		l.setState(StateFailed)
		l.mend("the path has failed")
	}
}

// opened hears that all channels of the current session are open and read.
func (l *Link) opened(s *session) {
	if s.failed {
		return
	}
	s.open = true
	l.since = time.Now()
	l.record.opened()
	l.connected()
}

func (l *Link) connected() {
	l.soon = false
	l.renewal.stop()
	l.setState(StateConnected)
}

// lost hears that the channels of the current session have ended.
func (l *Link) lost(s *session, err error) {
	if s.failed {
		return // said already
	}
	s.open, s.failed = false, true
	l.log.Debug("channels closed", "err", err)
	l.setState(StateInterrupted)
	l.renewSoon("its channels have closed")
}

// check looks after what nobody reports.
func (l *Link) check() {
	s := l.session
	if s == nil {
		return
	}
	if !s.open {
		if s.pc.SCTP().Transport().State() == webrtc.DTLSTransportStateFailed && !s.failed {
			s.failed = true
			l.renewSoon("DTLS has failed")
		}
		return
	}
	if time.Since(l.since) > stableAfter {
		l.attempts = 0
	}
	l.record.pairs(s.pc)
	if l.State() != StateConnected || l.renewal.isSet() || l.bench.Running() {
		return
	}
	switch {
	case s.moved.Load() >= l.peer.cfg.Timing.RenewBytes:
		l.renewSoon("this one has carried enough under one key")
	case !s.relayUntil.IsZero() && time.Now().After(s.relayUntil.Add(-time.Minute)) && l.Path().Local == "relay":
		// Pion goes on with the credentials it began with.
		l.renewSoon("its relay credentials expire")
	}
}
