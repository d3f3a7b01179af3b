package peer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// violation is what a remote peer did against PROTOCOL.md. It ends the
// conversation on its channel, not the connection.
type violation string

func (v violation) Error() string { return string(v) }

// frameError is the frame that tells the other side of its violation.
type frameError struct {
	T       string `json:"t"`
	Message string `json:"message"`
}

// encodeFrame returns v as JSON, without the escapes for HTML that would make
// a text of four thousand "<" too long.
func encodeFrame(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	frame := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(frame) > maxFrame {
		return nil, fmt.Errorf("encode frame: %d bytes, at most %d", len(frame), maxFrame)
	}
	return frame, nil
}

// sendFrame encodes v and queues it on c.
func sendFrame(c channel, v any) error {
	frame, err := encodeFrame(v)
	if err != nil {
		return err
	}
	return c.Send(frame, true)
}

// decodeFrame reads a JSON frame into v.
func decodeFrame(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return violation("not a valid frame: " + err.Error())
	}
	return nil
}

// converse gives each message from c to handle until the channel ends. When
// handle finds a violation, the other side is told, and what it still sends
// is thrown away: its other channels need not suffer.
func converse(c channel, handle func(data []byte, text bool) error) error {
	buf := make([]byte, maxMessage)
	for {
		n, text, err := c.Receive(buf)
		if err != nil {
			return err
		}
		switch {
		case text && n > maxFrame:
			err = violation(fmt.Sprintf("a frame of %d bytes, at most %d", n, maxFrame))
		case n > maxBinary:
			err = violation(fmt.Sprintf("a message of %d bytes, at most %d", n, maxBinary))
		default:
			err = handle(buf[:n], text)
		}
		if v, ok := errors.AsType[violation](err); ok {
			if err := sendFrame(c, frameError{"error", string(v)}); err != nil {
				return err
			}
			return discard(c, buf, v)
		}
		if err != nil {
			return err
		}
	}
}

// discard reads c to its end. Its error is the reason.
func discard(c channel, buf []byte, reason error) error {
	for {
		if _, _, err := c.Receive(buf); err != nil {
			return fmt.Errorf("%w, then %w", reason, err)
		}
	}
}

// refused is the error of a conversation that the other side ended with an
// error frame.
func refused(message string) error {
	return violation("the other side refused: " + clip(message))
}

// clip shortens what a remote peer wrote for a log or an answer.
func clip(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
