package signaling

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// meteredWriter gives the upgrade a connection that counts what is read.
type meteredWriter struct {
	http.ResponseWriter
	limit *rate.Limiter
}

// Hijack lets the WebSocket package take the connection over.
func (w *meteredWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &meteredConn{conn, w.limit}, brw, nil
}

// meteredConn fails with errFlood when more is read than the limit allows. It
// counts below the framing, where empty fragments and control frames, which
// make no message, cost too.
type meteredConn struct {
	net.Conn
	limit *rate.Limiter
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.limit.AllowN(time.Now(), n) {
		return 0, errFlood
	}
	return n, err
}

// The most that is read and ignored of a socket that has been told goodbye.
const lingerBytes = 1 << 20

// drain reads what still comes until the other end closes, a deadline passes
// or it is too much. Closing with unread input would make TCP answer with a
// reset, and a reset takes back the error message that was just sent.
func (c *meteredConn) drain() {
	// The error is how it ends. Its buffer is a shared one: an array here would
	// be part of every idle socket's stack.
	io.CopyN(io.Discard, c.Conn, lingerBytes)
}

// closeWrite tells the other end that nothing more will come.
func (c *meteredConn) closeWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
