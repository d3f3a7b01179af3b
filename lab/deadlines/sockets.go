package deadlines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// Lanes.
const (
	client = "client"
	server = "server"
)

// sockets tries deadlines on single connections.
type sockets struct {
	run  *lab.Run
	p    Params
	l    net.Listener
	host *lab.Host // of the client
}

func openSockets(r *lab.Run, p Params) (*sockets, error) {
	there, err := r.Host(server)
	if err != nil {
		return nil, err
	}
	here, err := r.Host(client)
	if err != nil {
		return nil, err
	}
	l, err := there.Listen("tcp", ":7")
	if err != nil {
		return nil, err
	}
	return &sockets{run: r, p: p, l: l, host: here}, nil
}

// experiment is one connection with something done to it.
type experiment struct {
	name string
	do   func(ctx context.Context, c, peer net.Conn) (outcome, error)
}

// outcome of an experiment.
type outcome struct {
	took time.Duration // until it ended
	with string        // how it ended
	then string        // what was still possible
	more map[string]string
}

// measure does all experiments, one after another.
func (s *sockets) measure(ctx context.Context) error {
	for _, e := range []experiment{
		{"read deadline", s.read},
		{"write deadline", s.write},
		{"both at once", s.both},
		{"set once, a byte now and then", s.absolute},
		{"renewed, a byte now and then", s.idle},
		{"context ended, Read ignores it", s.ignore},
		{"context ended, Read is woken", s.obey},
	} {
		if err := s.try(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

func (s *sockets) try(ctx context.Context, e experiment) error {
	c, peer, err := s.pair(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	defer peer.Close()
	s.run.Cell(e.name, "ended after", "…", nil)
	end := s.run.Begin(trace.TCP, client, e.name)
	o, err := e.do(ctx, c, peer)
	end(o.with)
	if err != nil {
		return err
	}
	s.run.Cell(e.name, "ended after", fmt.Sprintf("%.0f ms", lab.Milliseconds(o.took)), nil)
	s.run.Cell(e.name, "with", o.with, nil)
	s.run.Cell(e.name, "and then", o.then, o.more)
	s.run.Fact(e.name, lab.Milliseconds(o.took), "ms")
	return nil
}

// pair opens a connection and returns both ends. Whoever else connects is sent away.
func (s *sockets) pair(ctx context.Context) (c, peer net.Conn, err error) {
	if c, err = s.host.DialContext(ctx, "tcp", "server:7"); err != nil {
		return nil, nil, err
	}
	for {
		if peer, err = s.l.Accept(); err != nil {
			c.Close()
			return nil, nil, err
		}
		if peer.RemoteAddr().String() == c.LocalAddr().String() {
			s.run.Message(trace.TCP, client, server, "connected", c.LocalAddr().String())
			return c, peer, nil
		}
		peer.Close()
	}
}

// read waits for a peer that is silent, and then for one that was only late.
func (s *sockets) read(ctx context.Context, c, peer net.Conn) (o outcome, err error) {
	buf := make([]byte, 64)
	began := time.Now()
	_, err = readWithin(c, buf, s.p.Deadline)
	o.took, o.with = time.Since(began), ending(err)

	began = time.Now()
	_, again := c.Read(buf) // the deadline is still in the past
	atOnce := time.Since(began)
	wrote, err := c.Write([]byte("still here?\n")) // the other direction has no deadline
	if err != nil {
		return o, fmt.Errorf("write after a read deadline: %w", err)
	}
	if _, err := io.ReadFull(peer, buf[:wrote]); err != nil {
		return o, fmt.Errorf("what was written: %w", err)
	}
	s.run.Message(trace.App, client, server, "writes", "after its read deadline")
	if _, err := peer.Write([]byte("late\n")); err != nil {
		return o, err
	}
	s.run.Message(trace.App, server, client, "late", "5 bytes")
	n, err := readWithin(c, buf, long)
	if err != nil {
		return o, fmt.Errorf("read with a new deadline: %w", err)
	}
	s.run.Fact("a second Read without a new deadline", lab.Milliseconds(atOnce), "ms")
	s.run.Fact("read after a new deadline was set", float64(n), "bytes")
	o.then = fmt.Sprintf("the late %d bytes, with a new deadline", n)
	o.more = map[string]string{
		"another Read": fmt.Sprintf("%s, in %.1f ms", ending(again), lab.Milliseconds(atOnce)),
		"a Write":      "as ever",
	}
	return o, nil
}

// long is for what will come, if the link lets it.
const long = 30 * time.Second

// message is more than the buffers between two sockets hold.
const message = 8 << 20

// buffer is what the buffers are set to, so that they are full soon.
const buffer = 16 << 10

// write sends to a peer that does not read.
func (s *sockets) write(ctx context.Context, c, peer net.Conn) (o outcome, err error) {
	small(c, peer)
	began := time.Now()
	n, err := writeWithin(c, make([]byte, message), s.p.Deadline)
	o.took, o.with = time.Since(began), ending(err)
	s.run.Fact("written before the deadline", float64(n), "bytes")

	// A new deadline makes it work again, but what is next comes after half a message.
	var got int64
	err = s.run.Together(ctx, func(context.Context) (err error) {
		got, err = io.Copy(io.Discard, peer)
		return err
	}, func(context.Context) error {
		_, err := writeWithin(c, []byte("next"), long)
		c.Close()
		return err
	})
	if err != nil {
		return o, fmt.Errorf("write with a new deadline: %w", err)
	}
	s.run.Fact("received by who did not read, in the end", float64(got), "bytes")
	o.then = fmt.Sprintf("%d of %d bytes get there", got-4, message)
	o.more = map[string]string{"the next message": "comes right after them"}
	return o, nil
}

// both has a Read and a Write under one deadline.
func (s *sockets) both(ctx context.Context, c, peer net.Conn) (o outcome, err error) {
	small(c, peer)
	if err := c.SetDeadline(time.Now().Add(s.p.Deadline)); err != nil {
		return o, err
	}
	began := time.Now()
	var reading, writing error
	err = s.run.Together(ctx, func(context.Context) error {
		_, reading = c.Read(make([]byte, 64))
		return nil
	}, func(context.Context) error {
		_, writing = c.Write(make([]byte, message))
		return nil
	})
	o.took = time.Since(began)
	o.with = ending(reading)
	if ending(writing) != o.with {
		o.with += " (Read), " + ending(writing) + " (Write)"
	}
	o.then = "as each of them"
	return o, err
}

// bytesOf is how many bytes come in the two experiments with a byte now and then,
// a quarter of the deadline apart.
const bytesOf = 8

func (s *sockets) absolute(ctx context.Context, c, peer net.Conn) (outcome, error) {
	return s.slowly(ctx, c, peer, "read with a deadline set once", func() (int64, error) {
		return readAllWithin(c, s.p.Deadline)
	})
}

func (s *sockets) idle(ctx context.Context, c, peer net.Conn) (outcome, error) {
	return s.slowly(ctx, c, peer, "read with a deadline renewed each time", func() (int64, error) {
		return io.Copy(io.Discard, idleConn{c, s.p.Deadline})
	})
}

// slowly has the peer send a byte now and then while read reads.
func (s *sockets) slowly(ctx context.Context, c, peer net.Conn, fact string, read func() (int64, error)) (o outcome, err error) {
	var n int64
	began := time.Now()
	err = s.run.Together(ctx, func(ctx context.Context) error {
		defer peer.Close()
		for range bytesOf {
			if err := s.run.Sleep(ctx, s.p.Deadline/4); err != nil {
				return err
			}
			if _, err := peer.Write([]byte(".")); err != nil {
				return nil // the reader has gone
			}
		}
		return nil
	}, func(context.Context) error {
		got, err := read()
		n, o.took, o.with = got, time.Since(began), ending(err)
		c.Close()
		return nil
	})
	s.run.Fact(fact, float64(n), "bytes")
	o.then = fmt.Sprintf("%d of %d bytes read", n, bytesOf)
	return o, err
}

// ignore reads while its context ends, and does not hear of it.
func (s *sockets) ignore(ctx context.Context, c, peer net.Conn) (outcome, error) {
	return s.cancelled(ctx, peer, "a Read that ignores its context returns after it ended", func(context.Context) error {
		_, err := c.Read(make([]byte, 64))
		return err
	})
}

// obey is woken when its context ends.
func (s *sockets) obey(ctx context.Context, c, peer net.Conn) (outcome, error) {
	o, err := s.cancelled(ctx, peer, "a Read that is woken returns after its context ended", func(ctx context.Context) error {
		_, err := readContext(ctx, c, make([]byte, 64))
		return err
	})
	if err != nil {
		return o, err
	}
	n, err := readWithin(c, make([]byte, 64), long)
	o.then = fmt.Sprintf("Read again: %d bytes, none lost", n)
	return o, err
}

// cancelled lets the context of read end after half the deadline, and the peer
// send something after twice the deadline.
func (s *sockets) cancelled(ctx context.Context, peer net.Conn, fact string, read func(context.Context) error) (o outcome, err error) {
	began := time.Now()
	var ended time.Duration
	err = s.run.Together(ctx, func(ctx context.Context) error {
		if err := s.run.Sleep(ctx, 2*s.p.Deadline); err != nil {
			return err
		}
		_, err := peer.Write([]byte("at last"))
		return err
	}, func(ctx context.Context) error {
		theirs, cancel := context.WithTimeout(ctx, s.p.Deadline/2)
		defer cancel()
		stop := context.AfterFunc(theirs, func() { s.run.Note("The context of the Read ends.") })
		defer stop()
		err := read(theirs)
		o.took, o.with = time.Since(began), ending(err)
		ended = o.took - s.p.Deadline/2
		return nil
	})
	s.run.Fact(fact, lab.Milliseconds(ended), "ms")
	o.then = "the data had to come first"
	return o, err
}

// small makes the buffers of a connection small, so that a Write blocks soon
// when nobody reads.
func small(c, peer net.Conn) {
	if c, ok := below(c).(interface{ SetWriteBuffer(int) error }); ok {
		c.SetWriteBuffer(buffer)
	}
	if peer, ok := below(peer).(interface{ SetReadBuffer(int) error }); ok {
		peer.SetReadBuffer(buffer)
	}
}

// below is the socket under the lab's own connection.
func below(c net.Conn) net.Conn {
	if c, ok := c.(interface{ NetConn() net.Conn }); ok {
		return c.NetConn()
	}
	return c
}

// ending says how something ended that was waited for.
func ending(err error) string {
	switch {
	case err == nil:
		return "no error"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "i/o timeout"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "the context's error"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "EOF"
	}
	return err.Error()
}
