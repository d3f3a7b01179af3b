package hijack

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// opcode is what a frame is for, RFC 6455 section 5.2.
type opcode byte

const (
	opMore   opcode = 0x0
	opText   opcode = 0x1
	opBinary opcode = 0x2
	opClose  opcode = 0x8
	opPing   opcode = 0x9
	opPong   opcode = 0xa
)

func (o opcode) String() string {
	switch o {
	case opMore:
		return "continuation"
	case opText:
		return "text"
	case opBinary:
		return "binary"
	case opClose:
		return "close"
	case opPing:
		return "ping"
	case opPong:
		return "pong"
	}
	return fmt.Sprintf("opcode %d", byte(o))
}

// frame is one frame of WebSocket.
type frame struct {
	fin     bool
	op      opcode
	masked  bool
	mask    [4]byte
	payload []byte // unmasked
}

// maxPayload bounds the frames that are read.
const maxPayload = 64 << 10

// errFrame is wrapped by what is wrong about a frame.
var errFrame = errors.New("not a valid frame")

// region frame

// append writes the frame. Byte 0 has the FIN bit and the opcode; byte 1 the
// mask bit and the length, which if it does not fit into 7 bits is 126 or 127
// and follows in 2 or 8 bytes; then the mask, and the payload XORed with it.
func (f frame) append(b []byte) []byte {
	first := byte(f.op)
	if f.fin {
		first |= 0x80
	}
	var mask byte
	if f.masked {
		mask = 0x80
	}
	switch n := len(f.payload); {
	case n < 126:
		b = append(b, first, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, first, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, mask|127), uint64(n))
	}
	if !f.masked {
		return append(b, f.payload...)
	}
	b = append(b, f.mask[:]...)
	for i, c := range f.payload {
		b = append(b, c^f.mask[i%4])
	}
	return b
}

// readFrame reads one frame and takes its mask off.
func readFrame(r io.Reader) (frame, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return frame{}, err
	}
	f := frame{fin: head[0]&0x80 != 0, op: opcode(head[0] & 0x0f), masked: head[1]&0x80 != 0}
	length := uint64(head[1] & 0x7f)
	switch {
	case head[0]&0x70 != 0:
		return frame{}, fmt.Errorf("%w: reserved bits are set, and nothing was agreed on for them", errFrame)
	case f.op > opBinary && f.op < opClose || f.op > opPong:
		return frame{}, fmt.Errorf("%w: %s has no meaning", errFrame, f.op)
	case f.op >= opClose && (!f.fin || length > 125):
		return frame{}, fmt.Errorf("%w: a control frame is in one piece and has 125 bytes at most", errFrame)
	}
	if length >= 126 {
		size := 2 << (2 * (length - 126)) // 2 or 8
		if _, err := io.ReadFull(r, head[:size]); err != nil {
			return frame{}, err
		}
		length = 0
		for _, c := range head[:size] {
			length = length<<8 | uint64(c)
		}
	}
	if length > maxPayload {
		return frame{}, fmt.Errorf("%w: %d bytes, more than %d", errFrame, length, maxPayload)
	}
	if f.masked {
		if _, err := io.ReadFull(r, f.mask[:]); err != nil {
			return frame{}, err
		}
	}
	f.payload = make([]byte, length)
	if _, err := io.ReadFull(r, f.payload); err != nil {
		return frame{}, err
	}
	for i := range f.payload {
		f.payload[i] ^= f.mask[i%4] // zero if there is none
	}
	return f, nil
}

// endregion

// fromClient makes a frame as a client has to: with a mask nobody can foresee,
// so that no page can have a browser send bytes of the page's choice to a
// proxy that takes them for HTTP.
func fromClient(op opcode, fin bool, payload string) frame {
	f := frame{fin: fin, op: op, masked: true, payload: []byte(payload)}
	rand.Read(f.mask[:])
	return f
}

// closing is the payload of a close frame: a code, RFC 6455 section 7.4, and a reason.
func closing(code uint16, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, code), reason...)
}

// describe tells the bytes of the frame as it is on the wire.
func (f frame) describe() map[string]string {
	wire := f.append(nil)
	head := len(wire) - len(f.payload)
	fin := "more frames of this message follow"
	if f.fin {
		fin = "the last one of its message"
	}
	attrs := map[string]string{
		"byte 0": fmt.Sprintf("%02x: FIN %d (%s), opcode %x (%s)", wire[0], wire[0]>>7, fin, byte(f.op), f.op),
		"byte 1": fmt.Sprintf("%02x: mask %d, length %d", wire[1], wire[1]>>7, len(f.payload)),
		"bytes":  spaced(wire),
	}
	if f.masked {
		attrs[fmt.Sprintf("bytes %d–%d", head-4, head-1)] = spaced(f.mask[:]) + ": the mask"
	}
	if f.op == opClose && len(f.payload) >= 2 {
		attrs["code"] = fmt.Sprint(binary.BigEndian.Uint16(f.payload))
	}
	return attrs
}

// maxSpaced is how many bytes are written out.
const maxSpaced = 64

// spaced writes bytes in hex, the first of them.
func spaced(b []byte) string {
	if len(b) > maxSpaced {
		return strings.TrimSpace(fmt.Sprintf("% x …", b[:maxSpaced]))
	}
	return fmt.Sprintf("% x", b)
}
