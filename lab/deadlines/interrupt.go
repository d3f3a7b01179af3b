package deadlines

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// region context

// readContext is a Read that ends when ctx does. A Read knows nothing of
// contexts, but a deadline that is moved into the past wakes it.
func readContext(ctx context.Context, c net.Conn, b []byte) (int, error) {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		c.SetReadDeadline(time.Unix(1, 0))
	})
	n, err := c.Read(b)
	if stop() {
		return n, err // ctx had nothing to do with it
	}
	<-woken // or the deadline might be moved after it is taken back
	c.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ctx.Err()
	}
	return n, err
}

// endregion
