package tcppool

import (
	"context"
	"errors"
	"os"
	"time"
)

// rules say which connections may be lent.
type rules struct {
	probe          string        // peek, ping or none
	after          time.Duration // idle time from which on it is probed
	patience       time.Duration // with a ping
	idle, lifetime time.Duration
}

// Why a connection is not lent any more.
const (
	tooOld   = "older than its lifetime"
	tooIdle  = "idle for too long"
	isClosed = "closed by the backend while idle"
	isDirty  = "an answer that nobody waits for was in it"
	isSilent = "did not answer a ping"
	overdue  = "not given back in time"
)

// region fit

// unfit says why c may not be lent, or nothing. One that was dialled just now is
// as good as it gets; one that was in use a moment ago most likely still is.
func (r rules) unfit(c *conn, probe bool) string {
	idle := time.Since(c.since)
	switch {
	case time.Since(c.born) > r.lifetime:
		return tooOld
	case idle > r.idle:
		return tooIdle
	case !probe || idle < r.after:
		return ""
	case r.probe == "peek":
		return c.peek()
	case r.probe == "ping":
		return c.ping(r.patience)
	}
	return ""
}

// peekFor is how long a peek waits for what must not come.
const peekFor = 2 * time.Millisecond

// peek reads from a connection that should be silent: nothing within a moment is
// good news. The end of the stream, a reset, or a byte is not.
func (c *conn) peek() string {
	c.SetReadDeadline(time.Now().Add(peekFor))
	_, err := c.in.Peek(1)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ""
	case err != nil:
		return isClosed
	}
	return isDirty
}

// ping asks for nothing and waits for the answer: a whole round trip, but it also
// finds a connection that has died without a word.
func (c *conn) ping(patience time.Duration) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := c.exchange(ctx, 0, 0)
	switch {
	case err == nil:
		return ""
	case tooLate(err):
		return isSilent
	case errors.Is(err, errOther):
		return isDirty
	}
	return isClosed
}

// endregion
