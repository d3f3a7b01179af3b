package hijack

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	"peerlab/lab"
	"peerlab/signaling"
)

// roomPath is where the room is, as on the real server but for the id.
const roomPath = "/rooms/lab/ws"

// roomSocket serves the signaling of Peerlab's own rooms: its WebSocket is a
// connection that was taken over, too.
func (s *server) roomSocket() handlerFunc {
	hub, err := signaling.NewHub(signaling.Config{
		MaxRooms: 1, MaxSockets: 8, Logger: slog.New(slog.DiscardHandler),
		ClientAddr: func(req *http.Request) netip.Addr {
			at, _ := netip.ParseAddrPort(req.RemoteAddr)
			return at.Addr()
		},
	})
	if err != nil {
		return func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	s.run.Go(func(ctx context.Context) error {
		<-ctx.Done()
		return hub.Close()
	})
	room, err := hub.Create(netip.IPv6Loopback())
	return func(w http.ResponseWriter, req *http.Request) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		hub.ServeWS(w, req, room)
	}
}

// joinRoom joins the room by hand: a handshake, a frame, and the answer to it.
func (s *server) joinRoom(ctx context.Context) error {
	c, err := s.handshake(ctx, roomPath)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if err := c.send(fromClient(opText, true, `{"type":"join","v":1,"name":"By hand","kind":"go"}`)); err != nil {
		return err
	}
	for {
		f, err := c.receive()
		if err != nil {
			return err
		}
		var told struct{ Type, Code, Message string }
		if f.op != opText {
			continue
		}
		if err := json.Unmarshal(f.payload, &told); err != nil {
			return fmt.Errorf("read the room's message: %w", err)
		}
		if told.Type != "welcome" {
			return fmt.Errorf("the room answers %s: %s", told.Type, told.Message)
		}
		break
	}
	if err := c.send(fromClient(opClose, true, string(closing(1000, "")))); err != nil {
		return err
	}
	s.run.Verdict(lab.Good, "The signaling of Peerlab's rooms is the same thing: net/http's server says that the connection is hijacked, and the room says welcome to a client that was written by hand.")
	return nil
}
