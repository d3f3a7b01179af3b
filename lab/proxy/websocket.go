package proxy

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// As much of RFC 6455 as an echo needs: small frames that are not fragmented.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10

	maxFrame   = 1 << 10
	frameWait  = 30 * time.Second
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3
)

var errFrame = errors.New("not a frame this echo understands")

// acceptKey answers the key of a handshake.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// echo is the upstream's side of a WebSocket.
func echo(run *lab.Run, lane string, w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || key == "" {
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket", http.StatusUpgradeRequired)
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "the connection can't be taken over", http.StatusInternalServerError)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(frameWait))
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(key))
	from, _ := r.Context().Value(laneKey{}).(string)
	for n := 0; ; n++ {
		op, payload, err := readFrame(rw.Reader)
		if err != nil {
			return
		}
		c.SetDeadline(time.Now().Add(frameWait))
		if isShown(r) && n < 5 {
			run.Message(trace.App, from, lane, frameName(op), string(payload))
		}
		switch op {
		case opText:
			err = writeFrame(c, opText, payload, false)
		case opPing:
			err = writeFrame(c, opPong, payload, false)
		case opClose:
			_ = writeFrame(c, opClose, payload, false)
			return
		}
		if err != nil {
			return
		}
	}
}

func frameName(op byte) string {
	switch op {
	case opText:
		return "WebSocket text"
	case opClose:
		return "WebSocket close"
	case opPing:
		return "WebSocket ping"
	default:
		return "WebSocket frame"
	}
}

// readFrame reads one frame, masked or not.
func readFrame(r *bufio.Reader) (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, fmt.Errorf("frame: %w", err)
	}
	op, size := head[0]&0x0f, int(head[1]&0x7f)
	if head[0]&0xf0 != 0x80 { // FIN, no extension
		return 0, nil, errFrame
	}
	if size == 126 {
		var long [2]byte
		if _, err := io.ReadFull(r, long[:]); err != nil {
			return 0, nil, fmt.Errorf("frame: %w", err)
		}
		size = int(binary.BigEndian.Uint16(long[:]))
	}
	if size > maxFrame || head[1]&0x7f == 127 {
		return 0, nil, errFrame
	}
	var mask [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return 0, nil, fmt.Errorf("frame: %w", err)
		}
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, fmt.Errorf("frame: %w", err)
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return op, payload, nil
}

// writeFrame writes one frame; a client has to mask it.
func writeFrame(w io.Writer, op byte, payload []byte, masked bool) error {
	frame := []byte{0x80 | op}
	bit := byte(0)
	if masked {
		bit = 0x80
	}
	if len(payload) < 126 {
		frame = append(frame, bit|byte(len(payload)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, bit|126), uint16(len(payload)))
	}
	var mask [4]byte
	if masked {
		rand.Read(mask[:])
		frame = append(frame, mask[:]...)
	}
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("frame: %w", err)
	}
	return nil
}

// converse is the client's side: the handshake by hand, one line there and
// back, and goodbye. It tells how long the line took.
func converse(c net.Conn, host, line string) (time.Duration, error) {
	c.SetDeadline(time.Now().Add(frameWait))
	key := base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16]))
	req, err := http.NewRequest(http.MethodGet, "http://"+host+"/websocket", nil)
	if err != nil {
		return 0, fmt.Errorf("WebSocket: %w", err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": key,
	} {
		req.Header.Set(name, value)
	}
	if err := req.Write(c); err != nil {
		return 0, fmt.Errorf("WebSocket: asking: %w", err)
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return 0, fmt.Errorf("WebSocket: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-Websocket-Accept") != acceptKey(key) {
		return 0, fmt.Errorf("WebSocket: answered %s", resp.Status)
	}
	begin := time.Now()
	if err := writeFrame(c, opText, []byte(line), true); err != nil {
		return 0, err
	}
	op, back, err := readFrame(in)
	if err != nil {
		return 0, err
	}
	took := time.Since(begin)
	if op != opText || string(back) != line {
		return 0, fmt.Errorf("WebSocket: %q came back", back)
	}
	return took, writeFrame(c, opClose, nil, true)
}
