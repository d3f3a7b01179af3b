package deadlines

import (
	"io"
	"net"
	"time"
)

// region within

// readWithin reads what comes next, if it comes within d.
func readWithin(c net.Conn, b []byte, d time.Duration) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		return 0, err
	}
	return c.Read(b)
}

// writeWithin writes b, or as much of it as is taken within d. The error of a
// deadline comes with a number: so many bytes are on their way and can't be
// called back.
func writeWithin(c net.Conn, b []byte, d time.Duration) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(d)); err != nil {
		return 0, err
	}
	return c.Write(b)
}

// endregion

// region absolute

// readAllWithin reads to the end, all of it within d: the deadline is set once.
func readAllWithin(c net.Conn, d time.Duration) (int64, error) {
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, c)
}

// endregion

// region idle

// idleConn is a connection on which a Read may take so long, and the next one
// as long again: the deadline is renewed with every byte that comes.
type idleConn struct {
	net.Conn
	within time.Duration
}

func (c idleConn) Read(b []byte) (int, error) {
	return readWithin(c.Conn, b, c.within)
}

// endregion
