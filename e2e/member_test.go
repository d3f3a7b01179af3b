package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// message is what the server says over a WebSocket; see signaling/PROTOCOL.md.
// It is written down here anew so that a slip in the program's own types shows.
type message struct {
	Type       string
	V          int
	Room       string
	Self, Peer roommate
	Peers      []roommate
	ICEServers []iceServer
	ICETTL     int
	Resume     string
	ID, Reason string
	From       string
	Session    int
	Candidate  *struct{ Candidate string }
	Code       string
	Message    string
	Fatal      bool
}

type roommate struct {
	ID, Name, Kind string
	Order          int
}

type iceServer struct {
	URLs                 []string
	Username, Credential string
}

// member is a client of the signaling that speaks the protocol itself.
type member struct {
	t       testing.TB
	ws      *websocket.Conn
	welcome message
}

// openSocket opens a room's WebSocket from there and says nothing.
func (s *server) openSocket(t testing.TB, from vantage, room string) *member {
	t.Helper()
	ws, resp, err := dialSocket(s, t, from, room, nil)
	if err != nil {
		t.Fatalf("open the socket of room %s: %v (%v)", room, err, resp)
	}
	t.Cleanup(func() { ws.Close() })
	return &member{t: t, ws: ws}
}

func dialSocket(s *server, t testing.TB, from vantage, room string, header http.Header) (*websocket.Conn, *http.Response, error) {
	dialer := websocket.Dialer{NetDialContext: from.DialContext, HandshakeTimeout: patience}
	return dialer.DialContext(t.Context(), strings.Replace(s.base, "http", "ws", 1)+"/rooms/"+room+"/ws", header)
}

// join makes a new member of the room.
func (s *server) join(t testing.TB, from vantage, room, name string) *member {
	t.Helper()
	m := s.openSocket(t, from, room)
	m.send(joinMessage(name))
	m.welcome = m.expect("welcome")
	return m
}

func joinMessage(name string) map[string]any {
	return map[string]any{"type": "join", "v": 1, "name": name, "kind": "go"}
}

// candidateMessage is the smallest thing one peer can send another.
func candidateMessage(to, text string) map[string]any {
	return map[string]any{"type": "signal", "to": to, "session": 1, "candidate": map[string]any{"candidate": text}}
}

// send sends a value as JSON, or text as it is.
func (m *member) send(msg any) {
	m.t.Helper()
	if err := m.write(msg); err != nil {
		m.t.Fatalf("send %v: %v", msg, err)
	}
}

func (m *member) write(msg any) error {
	m.ws.SetWriteDeadline(time.Now().Add(patience))
	if text, ok := msg.(string); ok {
		return m.ws.WriteMessage(websocket.TextMessage, []byte(text))
	}
	return m.ws.WriteJSON(msg)
}

func (m *member) read() (msg message, err error) {
	m.ws.SetReadDeadline(time.Now().Add(patience))
	_, data, err := m.ws.ReadMessage()
	if err != nil {
		return msg, err
	}
	return msg, json.Unmarshal(data, &msg)
}

// expect returns the next message, which has to be of that type.
func (m *member) expect(kind string) message {
	m.t.Helper()
	msg, err := m.read()
	if err != nil {
		m.t.Fatalf("waiting for %s: %v", kind, err)
	}
	if msg.Type != kind {
		m.t.Fatalf("got %+v, want %s", msg, kind)
	}
	return msg
}

// expectClose waits for the WebSocket's close frame, closes the connection as
// clients do then, and returns the code. What comes before it is passed over.
func (m *member) expectClose() int {
	m.t.Helper()
	for {
		_, err := m.read()
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			m.ws.Close()
			return closed.Code
		}
		if err != nil {
			m.t.Fatalf("waiting for a close frame: %v", err)
		}
	}
}
