package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v3"
)

// Limits of one message, from PROTOCOL.md, and of what waits to be sent.
const (
	maxFrame   = 16 << 10     // bytes of a JSON frame
	maxBinary  = 60 << 10     // bytes of a binary message
	maxMessage = 64<<10 - 1   // bytes a receiver takes at all
	overfull   = 4 * maxWater // nobody reads: give up
)

var errOverfull = errors.New("the other side does not read what it asks for")

// channel is an open data channel as the engines see it.
type channel interface {
	// Receive waits for the next message and copies it into buf. Only one
	// goroutine receives.
	Receive(buf []byte) (n int, text bool, err error)
	// Send queues one message. It never waits, so that answering what was
	// received cannot lock two peers that both only send; with too much
	// queued it fails. It does not keep data.
	Send(data []byte, text bool) error
	// Ready waits until there is room for bulk data.
	Ready(ctx context.Context) error
}

// dataChannel is a channel of Pion, detached: reading it is up to us, so a
// reader that is busy slows the sender down instead of filling memory.
type dataChannel struct {
	*water
	dc    *webrtc.DataChannel
	rw    datachannel.ReadWriteCloser
	moved *atomic.Int64 // bytes both ways, for the whole session

	sending sync.Mutex
}

var _ channel = (*dataChannel)(nil)

// detach makes a channel of dc, which must be open. rtt tells the round trip
// of the path.
func detach(dc *webrtc.DataChannel, moved *atomic.Int64, rtt func() time.Duration) (*dataChannel, error) {
	rw, err := dc.Detach()
	if err != nil {
		return nil, fmt.Errorf("detach channel %s: %w", dc.Label(), err)
	}
	return &dataChannel{water: newWater(dc, rtt), dc: dc, rw: rw, moved: moved}, nil
}

func (c *dataChannel) Receive(buf []byte) (int, bool, error) {
	n, text, err := c.rw.ReadDataChannel(buf)
	c.moved.Add(int64(n))
	if errors.Is(err, io.ErrShortBuffer) {
		err = fmt.Errorf("a message above %d bytes", len(buf))
	}
	return n, text, err
}

func (c *dataChannel) Send(data []byte, text bool) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.dc.BufferedAmount() > overfull {
		return errOverfull
	}
	n, err := c.rw.WriteDataChannel(data, text)
	c.moved.Add(int64(n))
	return err
}
