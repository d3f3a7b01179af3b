package turnsrv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Errors of a stream that is no stream of STUN messages and ChannelData. There
// is no way to find the next message after one.
var (
	errFrameStart = errors.New("neither a STUN message nor ChannelData begins here")
	errFrameSize  = errors.New("message is longer than allowed")
)

// framer cuts a byte stream into messages (RFC 8656 section 12.5, RFC 8489
// section 6.2.2). Lengths are ints here: added up in the 16 bits they travel in,
// a hostile one wraps to a frame of no bytes, of which there are always more.
type framer struct {
	r    *bufio.Reader
	used int // of the buffer, by the frame returned last
}

func newFramer(r io.Reader) *framer {
	return &framer{r: bufio.NewReaderSize(r, 4*padded(maxMessage))}
}

// next returns the next message, without the padding behind ChannelData. The
// bytes are good until the call after. A timeout loses nothing: next can be
// called again. After another error the stream is of no more use.
func (f *framer) next() ([]byte, error) {
	if _, err := f.r.Discard(f.used); err != nil {
		return nil, err
	}
	f.used = 0
	head, err := f.r.Peek(channelHeader)
	if err != nil {
		return nil, err
	}
	size, onWire, err := frameSize(head)
	if err != nil {
		return nil, err
	}
	if !isChannelData(head) { // tell other protocols by their eighth byte, not after a length of their own
		if head, err = f.r.Peek(8); err != nil {
			return nil, err
		}
		if binary.BigEndian.Uint32(head[4:]) != magicCookie {
			return nil, errFrameStart
		}
	}
	p, err := f.r.Peek(onWire)
	if err != nil {
		return nil, err
	}
	f.used = onWire
	return p[:size], nil
}

// frameSize reads how long a frame is from its first four bytes: by itself, and
// in the stream, where ChannelData is padded.
func frameSize(head []byte) (size, onWire int, err error) {
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch head[0] >> 6 {
	case 0:
		if length%4 != 0 {
			return 0, 0, errFrameStart
		}
		size = stunHeader + length
		onWire = size
	case 1:
		size = channelHeader + length
		onWire = padded(size)
	default:
		return 0, 0, errFrameStart
	}
	if size > maxMessage {
		return 0, 0, fmt.Errorf("%w: %d bytes", errFrameSize, size)
	}
	return size, onWire, nil
}
