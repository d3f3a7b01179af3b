package tcpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"peerlab/lab"
	"peerlab/trace"
)

// server is the lane of the listener.
const server = "server"

// expired is why a connection is closed that met its deadline.
const expired = "its time was over"

// observer watches a server through its listener, its connections and the
// goroutines it starts, and counts what it sees.
type observer struct {
	run *lab.Run

	mu         sync.Mutex
	open       map[*seen]struct{}
	goroutines int // now
	stopping   bool
	counts
}

// counts are what the facts are made of.
type counts struct {
	served, refused, outsiders, peak, reads, short, glued, answers, expired int
}

// listener hands out observed connections.
type listener struct {
	net.Listener
	observer *observer
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.observer.accepted(c), nil
}

// seen is a connection whose reads and writes are events.
type seen struct {
	net.Conn
	observer *observer
	peer     string // the lane of the client
	once     sync.Once

	// Guarded by the observer's mu.
	lane string       // of the goroutine; server while there is none
	end  func(string) // of the goroutine's span
	why  string       // it will be closed, as far as is known
}

func (o *observer) accepted(c net.Conn) *seen {
	peer := o.run.HostOf(c.RemoteAddr())
	o.mu.Lock()
	if peer == "" {
		o.outsiders++
		peer = "outsider-" + strconv.Itoa(o.outsiders)
	}
	s := &seen{Conn: c, observer: o, peer: peer, lane: server, why: "closed by the server"}
	o.open[s] = struct{}{}
	o.mu.Unlock()
	o.run.Add(trace.Event{
		Kind: trace.Message, Layer: trace.TCP, From: peer, To: server, Name: "accepted",
		Attrs: map[string]string{"from": c.RemoteAddr().String(), "at": c.LocalAddr().String()},
	})
	return s
}

// spawn starts the goroutine of a connection, which is a lane until f returns.
func (o *observer) spawn(c net.Conn, f func()) {
	s := c.(*seen) // the server has it from our listener
	o.mu.Lock()
	o.served++
	s.lane = "goroutine-" + strconv.Itoa(o.served)
	s.end = o.run.Begin(trace.App, s.lane, "serves "+s.peer)
	o.mu.Unlock()
	o.count(+1)
	o.run.Go(func(context.Context) error {
		defer o.count(-1)
		f()
		return nil
	})
}

// count charts how many goroutines serve.
func (o *observer) count(by int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.goroutines += by
	o.peak = max(o.peak, o.goroutines)
	o.run.Sample(trace.App, server, "goroutines", float64(o.goroutines), "goroutines")
	o.run.State(trace.App, server, "goroutines", strconv.Itoa(o.goroutines))
}

func (s *seen) Read(b []byte) (int, error) {
	s.state("waits in Read")
	n, err := s.Conn.Read(b)
	switch {
	case n > 0:
		s.read(b[:n])
	case errors.Is(err, io.EOF):
		s.reason("closed by the client")
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.reason(expired)
	}
	return n, err
}

// read records what one Read returned and how it lies to the lines in it.
func (s *seen) read(b []byte) {
	lines, whole, what := bytes.Count(b, []byte("\n")), b[len(b)-1] == '\n', "a line"
	o := s.observer
	o.mu.Lock()
	o.reads++
	switch {
	case !whole:
		o.short++
		what = "ends inside a line"
	case lines > 1:
		what = fmt.Sprintf("%d lines at once", lines)
	}
	if lines > 1 {
		o.glued++
	}
	o.mu.Unlock()
	o.run.Add(trace.Event{
		Kind: trace.Message, Layer: trace.TCP, From: s.peer, To: s.lane, // set before the first Read
		Name: fmt.Sprintf("Read: %d bytes", len(b)), Text: what,
		Attrs: map[string]string{"bytes": fmt.Sprintf("%.200q", b)},
	})
}

func (s *seen) Write(b []byte) (int, error) {
	s.state("writes")
	n, err := s.Conn.Write(b)
	o := s.observer
	o.mu.Lock()
	if s.lane == server {
		o.refused++
		s.why = "refused"
	} else if err == nil {
		o.answers++
	}
	o.mu.Unlock()
	o.run.Message(trace.App, s.lane, s.peer, "answer", string(bytes.TrimSpace(b)))
	return n, err
}

func (s *seen) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() {
		o := s.observer
		o.mu.Lock()
		delete(o.open, s)
		why, lane, end := s.why, s.lane, s.end
		if why == expired {
			o.expired++
		}
		o.mu.Unlock()
		o.run.Message(trace.TCP, lane, s.peer, "closed", strings.TrimPrefix(why, "closed "))
		if end != nil {
			end(why)
		}
		o.run.State(trace.TCP, server, s.peer, "")
	})
	return err
}

func (s *seen) state(now string) { s.observer.run.State(trace.TCP, server, s.peer, now) }

func (s *seen) reason(why string) {
	o := s.observer
	o.mu.Lock()
	defer o.mu.Unlock()
	if why == expired && o.stopping {
		why = "the server shuts down"
	}
	s.why = why
}

// stop tells that from now on connections end because the server does.
func (o *observer) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopping = true
	for s := range o.open {
		s.why = "the server shuts down"
	}
}

// conns are the connections open now.
func (o *observer) conns() []net.Conn {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []net.Conn
	for c := range o.open {
		all = append(all, c)
	}
	return all
}

// facts records what was counted.
func (o *observer) facts() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range []struct {
		name  string
		value int
		unit  string
	}{
		{"connections served", o.served, "connections"},
		{"connections refused", o.refused, "connections"},
		{"connections from outside", o.outsiders, "connections"},
		{"closed by the deadline", o.expired, "connections"},
		{"most goroutines at a time", o.peak, "goroutines"},
		{"reads", o.reads, "reads"},
		{"short reads", o.short, "reads"},
		{"reads of several lines", o.glued, "reads"},
		{"messages understood", o.answers, "messages"},
	} {
		o.run.Fact(f.name, float64(f.value), f.unit)
	}
}
