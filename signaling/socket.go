package signaling

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"peerlab/signaling/envelope"
)

// linger is how long a socket has to take its last messages, and then again
// to close.
const linger = 2 * time.Second

// socket is one WebSocket. Its goroutine is serve, which only reads; see
// flush for how it writes.
type socket struct {
	hub    *Hub
	ws     *websocket.Conn
	addr   netip.Addr
	asked  string // room
	host   string
	opened time.Time
	heard  atomic.Int64 // when something came in, as time since Hub.started
	pinged int64        // when the last ping was due, likewise; of sweep
	limits *allowance   // its own, or those of the member it resumes; of serve
	room   *room        // once joined; of serve
	member *member      // likewise

	mu       sync.Mutex
	out      outbox
	ping     bool    // is to be sent
	pong     *string // is to be sent
	joined   bool    // or on its way out: no longer subject to JoinTimeout
	flushing bool    // a goroutine is writing
	ending   bool    // nothing more is queued, the close frame follows
	endBy    time.Time
	readBy   time.Time // the earliest deadline for reading that was set
	code     int       // of the close frame, until it is written
	said     bool      // our close frame is written
	answered bool      // theirs has come
	gone     bool      // serve has ended
}

var _ outlet = (*socket)(nil)

// serve reads until the socket ends.
func (s *socket) serve() {
	defer s.hub.forget(s)
	defer s.close()
	s.ws.SetPingHandler(s.onPing)
	s.ws.SetPongHandler(s.onPong)
	// The answer to a close frame is written by flush, as everything is.
	s.ws.SetCloseHandler(func(int, string) error { return nil })

	err := s.read()
	s.hub.spoke(s)
	told, bad := errors.AsType[*envelope.Error](err)
	if bad {
		s.fail(told)
	} else {
		s.end(nil)
	}
	switch {
	case s.member == nil:
	case bad:
		s.room.leave(s.member, s, "dropped")
	default:
		s.room.lost(s.member, s) // unless it left
	}
	s.readUntil(time.Now().Add(2 * linger)) // or less, see flush
	if !s.skipToClose() || !s.closedByBoth(&s.answered) {
		s.conn().drain()
	}
}

// skipToClose reads and ignores what comes before the client's close frame.
// It reports false if none comes, or if what comes cannot be read as frames.
func (s *socket) skipToClose() bool {
	for {
		if _, _, err := s.ws.NextReader(); err != nil { // again, if it was one before
			_, ok := errors.AsType[*websocket.CloseError](err)
			return ok
		}
	}
}

// read handles one message after the other. It returns how that ended: with
// errLeft, an *envelope.Error that the client is to be told, or an error of
// the connection.
func (s *socket) read() error {
	for {
		data, err := s.readFrame()
		if err != nil {
			return err
		}
		if err := aside(func() error { return s.handle(data) }); err != nil {
			return err
		}
	}
}

// aside runs f on a stack of its own. The room that JSON takes on a stack
// would else stay with an idle socket for good: 8 KiB of it instead of 4.
func aside(f func() error) error {
	done := make(chan error)
	go func() { done <- f() }()
	return <-done
}

func (s *socket) readFrame() ([]byte, error) {
	kind, in, err := s.ws.NextReader()
	if err != nil {
		return nil, s.readError(err)
	}
	if err := s.count(); err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, fatal(envelope.CodeBadMessage, "messages are text frames")
	}
	data, err := io.ReadAll(io.LimitReader(in, envelope.MaxSize+1))
	if err != nil {
		return nil, s.readError(err)
	}
	return data, nil
}

func (s *socket) handle(data []byte) error {
	msg, err := envelope.Decode(data)
	if err != nil {
		return refusal(err)
	}
	if s.member == nil {
		return s.join(msg)
	}
	return s.relay(msg)
}

// join enters the room with the first message.
func (s *socket) join(msg envelope.Message) error {
	s.hub.spoke(s)
	j, ok := msg.(*envelope.Join)
	if !ok {
		return fatal(envelope.CodeBadMessage, "the first message has to be join")
	}
	s.mu.Lock()
	s.joined = true
	s.mu.Unlock()
	r := s.hub.room(s.asked)
	m, refused := s.enter(r, j)
	if refused != nil {
		return refused
	}
	s.room, s.member = r, m
	return nil
}

// enter finds a place in r, which may be nil. Only one who has none yet counts
// against its address, so that all behind one address may come back at once.
func (s *socket) enter(r *room, j *envelope.Join) (*member, *envelope.Error) {
	if r != nil && j.Resume != "" {
		m, refused := r.resume(s, j.Resume, s.host)
		if m != nil && m.limits != nil {
			s.limits = m.limits
			s.conn().limit = m.limits.bytes
		}
		if m != nil || refused != nil {
			return m, refused
		}
	}
	switch {
	case !s.hub.joins.allow(s.addr):
		return nil, fatal(envelope.CodeRateLimited, "too many joins from your address, wait a little")
	case r == nil:
		return nil, noRoom()
	}
	return r.join(s, j, s.host, s.limits)
}

// relay passes on what a member sends.
func (s *socket) relay(msg envelope.Message) error {
	switch msg := msg.(type) {
	case *envelope.Signal:
		if msg.To == "" {
			return fatal(envelope.CodeBadMessage, "signal: from is filled in by the server, to is missing")
		}
		if err := s.room.signal(s.member, msg); err != nil {
			return refusal(err)
		}
		return nil
	case *envelope.ShareNAT:
		s.room.shareNAT(s.member, msg.NAT)
		return nil
	case *envelope.Bye:
		s.room.leave(s.member, s, "bye")
		return errLeft
	case *envelope.Join:
		return fatal(envelope.CodeBadMessage, "join is sent once, as the first message")
	default:
		return fatal(envelope.CodeBadMessage, "that message is for the server to send")
	}
}

func (s *socket) readError(err error) error {
	switch {
	case errors.Is(err, errFlood):
		return fatal(envelope.CodeRateLimited, "too much data at once")
	case errors.Is(err, websocket.ErrReadLimit): // a length of 2^63 and more
		return refusal(envelope.ErrTooLarge)
	}
	return fmt.Errorf("read: %w", err)
}

// count notes a sign of life and that it has its price.
func (s *socket) count() error {
	s.heard.Store(int64(time.Since(s.hub.started)))
	if !s.limits.messages.Allow() {
		return fatal(envelope.CodeRateLimited, "too many messages at once")
	}
	return nil
}

func (s *socket) onPing(data string) error {
	if err := s.count(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pong = &data // the last one is enough (RFC 6455 section 5.5.3)
	s.wakeLocked()
	return nil
}

// onPong charges nothing for a pong that confirms something: how often it is
// asked for depends on how much others say to this client.
func (s *socket) onPong(data string) error {
	s.heard.Store(int64(time.Since(s.hub.started)))
	upTo, err := strconv.ParseUint(data, 10, 64)
	s.mu.Lock()
	confirmed := err == nil && s.out.confirm(upTo)
	if s.out.ask() {
		s.wakeLocked()
	}
	s.mu.Unlock()
	if !confirmed {
		return s.count()
	}
	return nil
}

// sweep is called at each tick of the Hub.
func (s *socket) sweep(now time.Time) {
	cfg := &s.hub.cfg
	s.mu.Lock()
	late := !s.joined && now.Sub(s.opened) >= cfg.JoinTimeout
	s.mu.Unlock()
	if late {
		s.fail(fatal(envelope.CodeTimeout, "join did not come in time"))
		return
	}
	elapsed, heard := int64(now.Sub(s.hub.started)), s.heard.Load()
	switch {
	case elapsed-heard >= int64(cfg.DeadAfter):
		s.kill()
	case elapsed-max(heard, s.pinged) >= int64(cfg.PingAfter):
		s.pinged = elapsed
		s.mu.Lock()
		s.ping = true
		s.wakeLocked()
		s.mu.Unlock()
	}
}

// fail tells the client what is wrong and ends the socket.
func (s *socket) fail(e *envelope.Error) {
	if s.finish(e) {
		s.hub.counts.tell(e.Code)
	}
}

// kill ends the socket without a word, and does not block.
func (s *socket) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readBy = time.Unix(1, 0)
	s.conn().SetDeadline(s.readBy)
}

// closedByBoth notes the close frame of one side, said or answered, and tells
// whether the other's is there too: then the connection may be closed.
func (s *socket) closedByBoth(side *bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	*side = true
	return s.said && s.answered
}

// readUntil sets a read deadline, unless there is an earlier one: that of a
// killed socket is over.
func (s *socket) readUntil(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readBy.IsZero() || t.Before(s.readBy) {
		s.readBy = t
		s.conn().SetReadDeadline(t)
	}
}

// close is the last thing done to the socket.
func (s *socket) close() {
	s.mu.Lock()
	s.gone, s.ending = true, true
	s.mu.Unlock()
	s.ws.Close()
}

func (s *socket) conn() *meteredConn { return s.ws.NetConn().(*meteredConn) }
