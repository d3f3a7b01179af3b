package pipelining

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/trace"
)

// Bounds of a connection to the server that answers out of order.
const (
	maxAtOnce  = 32
	maxRequest = 8 << 10
	patience   = 10 * time.Second
)

// serveDisorderly opens a server that reads pipelined requests, works on all
// of them at once, and gets the order of the answers wrong.
func (a *asker) serveDisorderly(host *lab.Host) (addr string, err error) {
	l, err := a.listen(host)
	if err != nil {
		return "", err
	}
	told := rate.NewLimiter(10, 30)
	a.run.Go(func(ctx context.Context) error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return fmt.Errorf("accept: %w", err)
			}
			a.run.Go(func(ctx context.Context) error {
				defer conn.Close()
				if a.run.HostOf(conn.RemoteAddr()) == "" && told.Allow() {
					a.run.Message(trace.TCP, lab.Outside, "server", "connect", "")
				}
				a.answerWhenDone(ctx, conn)
				return nil
			})
		}
	})
	return l.Addr().String(), nil
}

// region disorder

// answerWhenDone is the mistake. Every request gets a goroutine, and writes its
// answer when it is done. Each answer is a good one, whole and unmixed; but
// HTTP/1.1 has no number that says which request it is to. The order is all there is.
func (a *asker) answerWhenDone(ctx context.Context, conn net.Conn) {
	var working sync.WaitGroup
	defer working.Wait()
	var writing sync.Mutex
	state := &connState{from: conn.RemoteAddr()}
	places := make(chan struct{}, maxAtOnce)
	limited := &io.LimitedReader{R: conn}
	r := bufio.NewReader(limited)
	for {
		limited.N = maxRequest
		conn.SetReadDeadline(time.Now().Add(patience))
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		j, err := a.read(req, conn.RemoteAddr())
		if err != nil || req.ContentLength != 0 {
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			return
		}
		places <- struct{}{} // so many at once, then reading waits
		working.Add(1)
		a.run.Go(func(context.Context) error {
			defer func() { <-places; working.Done() }()
			if a.work(ctx, j) != nil {
				return nil
			}
			writing.Lock()
			defer writing.Unlock()
			conn.SetWriteDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s: %d\r\nContent-Length: %d\r\n\r\n", answerTo, j.number, a.p.Size*kilobyte)
			conn.Write(make([]byte, a.p.Size*kilobyte))
			if a.last(state, j) {
				conn.Close()
			}
			return nil
		})
		if req.Close {
			return
		}
	}
}

// endregion

// number is the request that an answer says it is to.
func number(h http.Header) (int, error) {
	n, err := strconv.Atoi(h.Get(answerTo))
	if err != nil {
		return 0, errors.New("an answer without " + answerTo)
	}
	return n, nil
}
