package hijack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// region handshake

// magic is the same for everybody, RFC 6455 section 1.3: an answer that has to
// do with it can't come from a server that knows nothing of WebSocket.
const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// acceptKey is what a server answers to a client's Sec-WebSocket-Key. It proves
// that the request was read by somebody who speaks WebSocket. It is no secret.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + magic))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// acceptWebSocket checks the handshake, takes the connection over, answers
// 101, and echoes messages.
func (s *server) acceptWebSocket(w http.ResponseWriter, req *http.Request) {
	key := req.Header.Get("Sec-WebSocket-Key")
	raw, err := base64.StdEncoding.DecodeString(key)
	switch {
	case !hasToken(req.Header, "Connection", "upgrade") || !hasToken(req.Header, "Upgrade", "websocket"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		http.Error(w, "this is a WebSocket: Connection: Upgrade, Upgrade: websocket", http.StatusUpgradeRequired)
		return
	case req.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, "Sec-WebSocket-Version is not 13", http.StatusUpgradeRequired)
		return
	case err != nil || len(raw) != 16:
		http.Error(w, "Sec-WebSocket-Key is not 16 bytes in base64", http.StatusBadRequest)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.run.Go(func(context.Context) error {
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(s.p.Timeout))
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", acceptKey(key)); err != nil {
			return nil
		}
		conn.SetDeadline(time.Time{})
		s.echoMessages(conn, buffered.Reader)
		return nil
	})
}

// endregion

// echoMessages sends every message back as one frame, answers pings and the
// close, and closes on what is not allowed.
func (s *server) echoMessages(conn net.Conn, r *bufio.Reader) {
	var message []byte
	var kind opcode
	send := func(f frame) bool {
		_, err := conn.Write(f.append(nil))
		return err == nil
	}
	for {
		conn.SetDeadline(time.Now().Add(patience))
		f, err := readFrame(r)
		code, why := uint16(0), ""
		switch {
		case errors.Is(err, errFrame):
			code, why = 1002, err.Error()
		case err != nil:
			return
		case !f.masked:
			code, why = 1002, "a client has to mask its frames"
		case f.op == opPing:
			if !send(frame{fin: true, op: opPong, payload: f.payload}) {
				return
			}
		case f.op == opClose && len(f.payload) == 1:
			code, why = 1002, "half a code"
		case f.op == opClose:
			send(frame{fin: true, op: opClose, payload: f.payload})
			return
		case f.op == opPong:
		case (f.op == opMore) == (kind == 0):
			code, why = 1002, "a continuation without a beginning, or a beginning inside of a message"
		case len(message)+len(f.payload) > maxPayload:
			code, why = 1009, "a message that is too long"
		default:
			if f.op != opMore {
				kind = f.op
			}
			message = append(message, f.payload...)
			if f.fin {
				if !send(frame{fin: true, op: kind, payload: message}) {
					return
				}
				message, kind = nil, 0
			}
		}
		if code != 0 {
			send(frame{fin: true, op: opClose, payload: closing(code, why[:min(len(why), 123)])})
			return
		}
	}
}

// socket is the client's end of a WebSocket.
type socket struct {
	server *server
	conn   net.Conn
	r      *bufio.Reader
}

// handshake opens a WebSocket by hand.
func (s *server) handshake(ctx context.Context, path string) (*socket, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, s.addr, key)
	s.run.Add(trace.Event{Kind: trace.Message, Layer: trace.HTTP, From: "client", To: "server", Name: "GET " + path, Text: request, Attrs: map[string]string{
		"Sec-WebSocket-Key": key + ": 16 random bytes, new for each connection", "Sec-WebSocket-Version": "13: RFC 6455",
		"Connection": "Upgrade: the header Upgrade is for the next hop only", "Upgrade": "websocket",
	}})
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, fmt.Errorf("send the handshake: %w", err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, fmt.Errorf("read the answer to the handshake: %w", err)
	}
	got, want := resp.Header.Get("Sec-WebSocket-Accept"), acceptKey(key)
	s.run.Add(trace.Event{Kind: trace.Message, Layer: trace.HTTP, From: "server", To: "client", Name: resp.Status, Attrs: map[string]string{
		"Sec-WebSocket-Accept": got, "expected": want + ": SHA-1 of the key and " + magic + ", in base64",
	}})
	if resp.StatusCode != http.StatusSwitchingProtocols || got != want {
		return nil, fmt.Errorf("not a WebSocket: %s", resp.Status)
	}
	return &socket{s, conn, r}, nil
}

// send sends a frame and shows its bytes.
func (c *socket) send(f frame) error {
	c.show("client", "server", f)
	if _, err := c.conn.Write(f.append(nil)); err != nil {
		return fmt.Errorf("send a frame: %w", err)
	}
	return nil
}

// receive reads a frame and shows its bytes.
func (c *socket) receive() (frame, error) {
	f, err := readFrame(c.r)
	if err != nil {
		return f, fmt.Errorf("read a frame: %w", err)
	}
	c.show("server", "client", f)
	return f, nil
}

func (c *socket) show(from, to string, f frame) {
	text := string(f.payload)
	if f.op == opClose && len(f.payload) >= 2 {
		text = string(f.payload[2:])
	}
	c.server.run.Add(trace.Event{Kind: trace.Message, Layer: trace.App, From: from, To: to, Name: f.op.String() + " frame", Text: text, Attrs: f.describe()})
}

// speakWebSocket shows each kind of frame once, and what is not allowed.
func (s *server) speakWebSocket(ctx context.Context) error {
	c, err := s.handshake(ctx, "/socket")
	if err != nil {
		return err
	}
	defer c.conn.Close()
	exchange := func(want frame, send ...frame) error {
		for _, f := range send {
			if err := c.send(f); err != nil {
				return err
			}
		}
		got, err := c.receive()
		if err != nil {
			return err
		}
		if got.op != want.op || !bytes.Equal(got.payload, want.payload) {
			return fmt.Errorf("the server answers %s %q, want %s %q", got.op, got.payload, want.op, want.payload)
		}
		return s.run.Sleep(ctx, s.p.Pace)
	}
	if err := exchange(frame{op: opText, payload: []byte("hello")}, fromClient(opText, true, "hello")); err != nil {
		return err
	}
	if err := exchange(frame{op: opText, payload: []byte("in two pieces")}, fromClient(opText, false, "in two "), fromClient(opMore, true, "pieces")); err != nil {
		return err
	}
	if err := exchange(frame{op: opPong, payload: []byte("still there?")}, fromClient(opPing, true, "still there?")); err != nil {
		return err
	}
	naked := frame{fin: true, op: opText, payload: []byte("without a mask")}
	if err := exchange(frame{op: opClose, payload: closing(1002, "a client has to mask its frames")}, naked); err != nil {
		return err
	}
	s.run.Verdict(lab.Good, "An upgrade, taken over: then there are frames in both directions, each with a header of 2 bytes (6 with the client's mask). A frame without a mask was refused with code 1002.")
	s.run.Fact("header of a short frame, from the client", float64(len(fromClient(opText, true, "x").append(nil))-1), "bytes")
	s.run.Fact("header of a short frame, from the server", float64(len(frame{fin: true, op: opText, payload: []byte("x")}.append(nil))-1), "bytes")
	return nil
}
