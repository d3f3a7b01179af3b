package signaling

import (
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// A socket has at most one writer at a time and none while it is idle: who
// queues something starts flush, unless it runs, and flush ends when there is
// nothing left.

// push queues f.
func (s *socket) push(f frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return true
	}
	waiting := &s.out.waiting
	if len(waiting.frames) >= s.hub.cfg.QueueFrames || waiting.bytes+len(f.data) > s.hub.cfg.QueueBytes {
		return false
	}
	waiting.push(f)
	s.wakeLocked()
	return true
}

// missed adds the signals to q that the client has not confirmed.
func (s *socket) missed(q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.missed(q)
}

func (s *socket) wakeLocked() {
	if !s.flushing && !s.gone {
		s.flushing = true
		s.hub.wg.Go(s.flush)
	}
}

// end queues last and the close frame behind what is queued already; nothing
// comes after.
func (s *socket) end(last envelope.Message) { s.finish(last) }

// finish is end, and reports false if the socket was ending before.
func (s *socket) finish(last envelope.Message) bool {
	var data []byte
	if last != nil {
		data, _ = envelope.Encode(last) // ours, and short
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return false
	}
	s.ending, s.joined, s.code = true, true, closeCode(last)
	if tooSlow(last) {
		s.out.waiting = queue{} // or it would stand in the way
	}
	if data != nil {
		s.out.waiting.push(frame{data: data})
	}
	// A writer that is stuck with a client that does not read gets a last
	// chance, not its whole time.
	s.endBy = time.Now().Add(linger)
	s.conn().SetWriteDeadline(s.endBy)
	s.wakeLocked()
	return true
}

func tooSlow(last envelope.Message) bool {
	e, ok := last.(*envelope.Error)
	return ok && e.Code == envelope.CodeTooSlow
}

func closeCode(last envelope.Message) int {
	switch last := last.(type) {
	case *envelope.Error:
		if last.Code == envelope.CodeTooLarge {
			return websocket.CloseMessageTooBig
		}
		return websocket.ClosePolicyViolation
	case *envelope.Bye:
		if last.Reason == "shutdown" {
			return websocket.CloseGoingAway
		}
	}
	return websocket.CloseNormalClosure
}

// flush writes what is queued. No lock is held while it does.
func (s *socket) flush() {
	for {
		write := s.nextWrite()
		if write == nil {
			return
		}
		if err := write(); err != nil {
			s.hub.log.Debug("write", "addr", s.addr, "err", err)
			s.kill() // flushing stays set: nothing is written any more
			return
		}
	}
}

// nextWrite returns what to write now; nil ends the writer.
func (s *socket) nextWrite() func() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline := time.Now().Add(s.hub.cfg.WriteTimeout)
	if s.ending {
		deadline = s.endBy
	}
	control := func(kind int, data []byte) func() error {
		return func() error { return s.ws.WriteControl(kind, data, deadline) }
	}
	if s.pong != nil && !s.ending {
		data := []byte(*s.pong)
		s.pong = nil
		return control(websocket.PongMessage, data)
	}
	if f, ok := s.out.next(); ok {
		return func() error {
			s.ws.SetWriteDeadline(deadline)
			return s.ws.WriteMessage(websocket.TextMessage, f.data)
		}
	}
	switch {
	case s.gone:
		return nil
	case s.ending && s.code != 0:
		data := websocket.FormatCloseMessage(s.code, "")
		s.code = 0
		return func() error {
			err := s.ws.WriteControl(websocket.CloseMessage, data, deadline)
			s.conn().closeWrite()
			if s.closedByBoth(&s.said) {
				s.kill() // serve waits for this
			} else {
				s.readUntil(time.Now().Add(linger))
			}
			return err
		}
	case s.ending:
		return nil
	case s.ping || s.out.ask():
		s.ping = false
		return control(websocket.PingMessage, strconv.AppendUint(nil, s.out.mark(), 10))
	}
	s.flushing = false
	return nil
}
