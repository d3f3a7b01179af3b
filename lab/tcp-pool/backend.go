package tcppool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// Lanes, and where the backend is.
const (
	appLane     = "app"
	backendLane = "backend"
	outsiders   = "outsiders"
	address     = "backend:7"
)

const (
	busyWord = "busy"          // begins the answer to one connection too many
	maxWork  = 5 * time.Second // that a request may ask for
	maxLine  = 64              // bytes of a request
	guests   = 4               // connections from outside at a time, besides the limit
	silence  = time.Minute     // after which a connection is closed
	maxTold  = 200             // events about guests: who comes without end leaves room for others
)

// backend answers requests, one after the other on each connection, and takes
// so many connections at a time.
type backend struct {
	run   *lab.Run
	limit int

	mu      sync.Mutex
	open    map[net.Conn]*held
	own     int // of the app, open now
	peak    int // most of them at a time
	refused int
	guests  int
	told    int           // events about them
	empty   chan struct{} // not nil: closed when the app has no connection here any more
}

// held is a connection that the backend serves.
type held struct {
	peer      string // a lane
	forgotten bool   // nothing goes back on it any more
}

// serve takes connections until the listener is closed.
func (b *backend) serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		h := b.accept(c)
		if h == nil {
			c.SetWriteDeadline(time.Now().Add(time.Second))
			io.WriteString(c, busyWord+" come back later\n")
			c.Close()
			continue
		}
		b.run.Go(func(ctx context.Context) error {
			defer b.gone(c, h)
			b.handle(ctx, c, h)
			return nil
		})
	}
}

// accept finds a place for a connection; nil if there is none.
func (b *backend) accept(c net.Conn) *held {
	h := &held{peer: b.run.HostOf(c.RemoteAddr())}
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.peer == "" {
		if h.peer = outsiders; b.guests >= guests {
			return nil
		}
		b.guests++
		b.guestLocked("connects", c.RemoteAddr().String())
	} else {
		if b.own >= b.limit {
			b.refused++
			b.run.Message(trace.App, backendLane, h.peer, busyWord, fmt.Sprintf("%d connections are open", b.own))
			return nil
		}
		b.countLocked(+1)
	}
	b.open[c] = h
	return h
}

// guestLocked tells what a guest does.
func (b *backend) guestLocked(what, text string) {
	if b.told++; b.told <= maxTold {
		b.run.Message(trace.App, outsiders, backendLane, what, text)
	}
}

func (b *backend) gone(c net.Conn, h *held) {
	c.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, c)
	if h.peer == outsiders {
		b.guests--
		return
	}
	b.countLocked(-1)
	if b.own == 0 && b.empty != nil {
		close(b.empty)
		b.empty = nil
	}
}

// left waits until the app has no connection here any more, or ctx ends.
func (b *backend) left(ctx context.Context) {
	b.mu.Lock()
	if b.own == 0 {
		b.mu.Unlock()
		return
	}
	if b.empty == nil {
		b.empty = make(chan struct{})
	}
	empty := b.empty
	b.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

// countLocked counts a connection of the app that comes or goes.
func (b *backend) countLocked(by int) {
	b.own += by
	b.peak = max(b.peak, b.own)
	b.run.Sample(trace.TCP, backendLane, "connections", float64(b.own), "connections")
	b.run.State(trace.TCP, backendLane, "connections", fmt.Sprintf("%d of %d", b.own, b.limit))
}

// handle reads requests and answers them.
func (b *backend) handle(ctx context.Context, c net.Conn, h *held) {
	in := bufio.NewReaderSize(c, maxLine)
	for nth := 1; ; nth++ {
		c.SetDeadline(time.Now().Add(silence))
		line, err := in.ReadSlice('\n') // too long a line is an error too
		if err != nil {
			return
		}
		answer := "say a number and for how many milliseconds to work: 7 300\n"
		number, work, err := parseRequest(line)
		if err == nil {
			if b.run.Sleep(ctx, work) != nil {
				return
			}
			answer = fmt.Sprintf("%d done after %s, request %d on this connection\n", number, work, nth)
		}
		if b.silent(h) {
			continue
		}
		if h.peer == outsiders {
			b.mu.Lock()
			b.guestLocked("asks", fmt.Sprintf("%q", bytes.TrimSpace(line)))
			b.mu.Unlock()
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

func (b *backend) silent(h *held) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return h.forgotten
}

var errRequest = errors.New("not a request")

// parseRequest reads "7 300": a number, and the milliseconds of work it is.
func parseRequest(line []byte) (number int, work time.Duration, err error) {
	fields := bytes.Fields(line)
	if len(fields) != 2 {
		return 0, 0, errRequest
	}
	n, err := strconv.ParseUint(string(fields[0]), 10, 31)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errRequest, err)
	}
	t, err := strconv.ParseUint(string(fields[1]), 10, 31)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errRequest, err)
	}
	if work = time.Duration(t) * time.Millisecond; work > maxWork {
		return 0, 0, fmt.Errorf("%w: more than %s of work", errRequest, maxWork)
	}
	return int(n), work, nil
}

// restart is what the end of the backend's process and a quick new start are to
// its clients: all connections are closed, and new ones are taken.
func (b *backend) restart() (closed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, h := range b.open {
		closed++
		b.run.Message(trace.TCP, backendLane, h.peer, "closes", "the backend restarts")
		c.Close() // its goroutine does the rest
	}
	return closed
}

// forget lets all connections of the app that are open now fall silent.
func (b *backend) forget() (silent int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.open {
		if h.peer != outsiders {
			h.forgotten = true
			silent++
		}
	}
	return silent
}

// connections are those of the app that are open now.
func (b *backend) connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.own
}

// count begins to count anew and returns what was counted before.
func (b *backend) count() (peak, refused int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	peak, refused = b.peak, b.refused
	b.peak, b.refused = b.own, 0
	return peak, refused
}
