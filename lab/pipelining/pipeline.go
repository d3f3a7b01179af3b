package pipelining

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxDials is how often the requests that are left are tried on a new
// connection: with one answer a connection, every request needs one.
const maxDials = 40

// pipeline is a client of our own: bytes on a connection.
type pipeline struct {
	*asker
	conn net.Conn
	r    *bufio.Reader
}

func (p *pipeline) open(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	p.close()
	p.conn, p.r = conn, bufio.NewReader(conn)
	return nil
}

func (p *pipeline) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

// region pipeline

// ask sends all requests in one go, without waiting for an answer, and takes
// what comes for the answers in the same order. When the connection closes
// before all are there, the rest has to be sent again on another one.
func (p *pipeline) ask(ctx context.Context, n int) error {
	var waiting []int // in the order sent
	for k := 1; k <= n; k++ {
		waiting = append(waiting, k)
	}
	var err error
	for range maxDials {
		if p.conn == nil {
			if err := p.open(ctx); err != nil {
				return fmt.Errorf("connect again: %w", err)
			}
		}
		if waiting, err = p.once(waiting); len(waiting) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.close()
		p.again(waiting)
	}
	return fmt.Errorf("%d requests left after %d connections: %w", len(waiting), maxDials, err)
}

// once does it on one connection, and returns what is still without an answer.
func (p *pipeline) once(requests []int) (left []int, err error) {
	var all strings.Builder
	for _, k := range requests {
		fmt.Fprintf(&all, "GET %s HTTP/1.1\r\nHost: server\r\n\r\n", p.path(k))
		p.sent(k)
	}
	p.conn.SetDeadline(time.Now().Add(maxWork + patience))
	if _, err := io.WriteString(p.conn, all.String()); err != nil {
		return requests, err
	}
	for i, k := range requests {
		resp, err := http.ReadResponse(p.r, nil)
		if err != nil {
			return requests[i:], err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return requests[i:], err
		}
		to, err := number(resp.Header)
		if err != nil {
			return requests[i:], err
		}
		p.answer(k, to) // the k-th answer is to the k-th request: what else?
		if resp.Close {
			p.close()
			return requests[i+1:], io.EOF
		}
	}
	return nil, nil
}

// endregion
