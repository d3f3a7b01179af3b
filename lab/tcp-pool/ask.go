package tcppool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// conn is one connection to the backend, as a pool keeps it.
type conn struct {
	*closing
	in     *bufio.Reader
	number int       // the how-manieth that was dialled
	born   time.Time // when the dial was done
	since  time.Time // idle: nobody has it
	used   bool      // it has been lent before
}

// Whatever a pool is, it lends connections and gets them back.
type pool interface {
	// get waits for a connection no longer than ctx, and dials one if it should.
	get(ctx context.Context) (*lent, error)
	// close closes what is idle. All that was lent has to be given back.
	close()
}

// lent is a connection in somebody's hands. give takes it back, with how it went;
// only the first time counts.
type lent struct {
	*conn
	reused bool
	give   func(err error)
}

// How a request can fail, besides the errors of the network and of its ctx.
var (
	errBusy  = errors.New("the backend has too many connections")
	errOther = errors.New("the answer to another request")
)

// exchange sends one request and reads one answer. Only the number tells that
// it is the answer to this request.
func (c *conn) exchange(ctx context.Context, number int, work time.Duration) error {
	until, _ := ctx.Deadline() // none: the zero time, which means no deadline
	if err := c.SetDeadline(until); err != nil {
		return fmt.Errorf("deadline: %w", err)
	}
	if _, err := fmt.Fprintf(c, "%d %d\n", number, work.Milliseconds()); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	switch first, _, _ := strings.Cut(line, " "); first {
	case strconv.Itoa(number):
		return nil
	case busyWord:
		return errBusy
	default:
		return fmt.Errorf("%w: asked %d, got %s", errOther, number, first)
	}
}

// region retry

// ask has one request answered. A connection that was used before may have been
// closed at the very moment it was lent, which no probe can rule out. If it was,
// and the request may be sent twice, once more is right; for a connection that is
// new, or one that is only slow, it is not.
func (a *app) ask(ctx context.Context, q *request) error {
	for {
		c, err := a.borrow(ctx, q)
		if err != nil {
			return err
		}
		err = a.over(ctx, c, q)
		c.give(err)
		if !a.retries || !c.reused || !hungUp(err) {
			return err
		}
		a.second(q)
	}
}

// hungUp tells that the other end had closed the connection.
func hungUp(err error) bool {
	return err != nil && !errors.Is(err, errBusy) && !errors.Is(err, errOther) && !tooLate(err)
}

// endregion

// tooLate tells that the time for a request was over, whichever noticed first:
// the deadline of the socket or the context.
func tooLate(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// reason says in a few words why a request failed.
func reason(err error) string {
	switch {
	case errors.Is(err, errBusy):
		return "refused: the backend is full"
	case errors.Is(err, errOther):
		return "got the answer to another request"
	case errors.Is(err, errExhausted):
		return "gave up waiting for a connection"
	case tooLate(err):
		return "no answer in time"
	case errors.Is(err, io.EOF):
		return "the connection had been closed (EOF)"
	}
	return "the connection was dead (" + cause(err).Error() + ")"
}

// cause is the innermost error.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
