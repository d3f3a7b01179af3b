package listendial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// What a lab's connections and listeners are below: those of the kernel on the
// loopback, emulated ones on the link. Both have the same options.

func below(c net.Conn) net.Conn {
	if w, ok := c.(interface{ NetConn() net.Conn }); ok {
		return w.NetConn()
	}
	return c
}

func belowListener(l net.Listener) net.Listener {
	if w, ok := l.(interface{ NetListener() net.Listener }); ok {
		return w.NetListener()
	}
	return l
}

// limit sets the backlog of a listener on either network.
func limit(l net.Listener, n int) error {
	l = belowListener(l)
	if e, ok := l.(interface{ SetBacklog(n int) error }); ok {
		return e.SetBacklog(n)
	}
	return setBacklog(l, n)
}

// closeWrite ends the outgoing half of a connection.
func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	if err := half.CloseWrite(); err != nil {
		return fmt.Errorf("close the sending half: %w", err)
	}
	return nil
}

// abort closes a connection by a reset instead of a FIN.
func abort(c net.Conn) error {
	if s, ok := below(c).(interface{ SetLinger(sec int) error }); ok {
		if err := s.SetLinger(0); err != nil {
			return fmt.Errorf("no lingering: %w", err)
		}
	}
	return c.Close()
}

func readBuffer(c net.Conn, bytes int) {
	if s, ok := below(c).(interface{ SetReadBuffer(bytes int) error }); ok {
		s.SetReadBuffer(bytes) // if not, it only takes longer to fill
	}
}

// region fill

// fill writes until nothing more goes in: the receiver's buffer is full, and so
// is the sender's. What is sent now waits behind that, a FIN too.
func fill(from, to net.Conn) error {
	readBuffer(to, 4096)
	for piece := make([]byte, 4096); ; {
		from.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := from.Write(piece)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && n == 0:
			return from.SetWriteDeadline(time.Time{})
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("fill the buffers: %w", err)
		}
	}
}

// drain reads to the end, with a buffer that lets everything through.
func drain(c net.Conn) error {
	readBuffer(c, 1<<20)
	if _, err := io.Copy(io.Discard, c); err != nil {
		return fmt.Errorf("read to the end: %w", err)
	}
	return nil
}

// endregion

// canceled tells whether err is only the end of the run.
func canceled(ctx context.Context, err error) bool { return err != nil && ctx.Err() != nil }
