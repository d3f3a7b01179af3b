package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// tunnel joins two connections and looks at nothing that goes through.
type tunnel struct {
	idle  time.Duration // silence both ways after which it is over
	limit int64         // bytes each way
	last  atomic.Int64  // when something came, Unix nanoseconds
}

// region tunnel

// join copies both ways until both have ended, one has failed, or nothing has
// come for a while from either. in reads what the client sent, beginning with what
// the HTTP server had read of it already.
func (t *tunnel) join(ctx context.Context, client, server net.Conn, in io.Reader, spawn func(func())) (up, down int64) {
	t.last.Store(time.Now().UnixNano())
	done := make(chan int64, 1)
	spawn(func() { done <- t.copy(client, server, server) })
	up = t.copy(server, client, in)
	select {
	case down = <-done:
	case <-ctx.Done(): // the run is over, its connections are closed
	}
	client.Close()
	server.Close()
	return up, down
}

// copy is one direction. The end of one is told to the other side and does not
// end the other direction: a request may be over before its answer begins. An
// error ends both.
func (t *tunnel) copy(dst, src net.Conn, from io.Reader) (n int64) {
	buf := make([]byte, 16<<10)
	for {
		src.SetReadDeadline(time.Now().Add(t.idle))
		k, err := from.Read(buf)
		if k > 0 {
			t.last.Store(time.Now().UnixNano())
			dst.SetWriteDeadline(time.Now().Add(t.idle))
			if _, failed := dst.Write(buf[:k]); failed != nil {
				err = failed
			}
			n += int64(k)
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = closeWrite(dst)
			return n
		case errors.Is(err, os.ErrDeadlineExceeded) && t.alive():
			continue // silent here, busy the other way
		case err != nil || n > t.limit:
			src.Close()
			dst.Close()
			return n
		}
	}
}

// endregion

func (t *tunnel) alive() bool {
	return time.Since(time.Unix(0, t.last.Load())) < t.idle
}
