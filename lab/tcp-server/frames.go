package tcpserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLine is the longest line a server that frames takes, in bytes.
const maxLine = 8 << 10

var errLongLine = errors.New("the line is too long")

// region frames

// frames cuts a stream of bytes into lines. What was read beyond the end of a
// line is the beginning of the next one and waits in buf.
type frames struct {
	buf   []byte
	piece [512]byte
}

// next returns the next line, reading as often as it takes to have it whole.
func (f *frames) next(c io.Reader) ([]byte, error) {
	for {
		if line, rest, whole := bytes.Cut(f.buf, []byte("\n")); whole {
			f.buf = rest
			return line, nil
		}
		if len(f.buf) > maxLine {
			return nil, errLongLine
		}
		n, err := c.Read(f.piece[:])
		f.buf = append(f.buf, f.piece[:n]...)
		if n == 0 && err != nil {
			return nil, err
		}
	}
}

// midLine tells that a line has begun to arrive.
func (f *frames) midLine() bool { return len(f.buf) > 0 }

// endregion

// answer is what both servers say to what they take for a message.
func answer(number int, message []byte) []byte {
	message = bytes.TrimRight(message, "\r\n")
	return fmt.Appendf(nil, "%d: %d bytes, %.20q\n", number, len(message), message)
}
