package listendial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"peerlab/trace"
)

// region counting

// counting is a server whose request ends where the client's half of the
// connection ends. Only then does it begin with its answer.
func counting(answer int) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		request, err := io.Copy(io.Discard, c)
		if err != nil {
			return
		}
		text := fmt.Appendf(nil, "%d bytes. ", request)
		c.Write(append(text, bytes.Repeat([]byte{'.'}, max(0, answer-len(text)))...))
	}
}

// endregion

// region half

// closeWhenDone says that the request is over by closing. The answer is read in
// the meantime, or so it is hoped.
func closeWhenDone(c net.Conn, request []byte, spawn func(func())) (answer []byte, err error) {
	done := make(chan struct{})
	spawn(func() {
		defer close(done)
		answer, err = io.ReadAll(c)
	})
	_, failed := c.Write(request)
	c.Close() // both halves, and the Read too
	<-done
	if failed != nil {
		return nil, fmt.Errorf("send the request: %w", failed)
	}
	return answer, err
}

// closeHalf ends only what it sends, and goes on reading.
func closeHalf(c net.Conn, request []byte, _ func(func())) (answer []byte, err error) {
	defer c.Close()
	if _, err := c.Write(request); err != nil {
		return nil, fmt.Errorf("send the request: %w", err)
	}
	if err := closeWrite(c); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

// endregion

// halfClosed is the scene half-close: a request whose end is the end of the
// stream, and an answer after it.
func (s *stage) halfClosed(ctx context.Context) error {
	l, _, err := s.listen("9", "half")
	if err != nil {
		return err
	}
	s.serve(l, counting(s.p.Answer<<10))
	ask := closeWhenDone
	if s.name == careful {
		ask = closeHalf
	}
	c, err := s.client.DialContext(ctx, "tcp", server+":9")
	if err != nil {
		return err
	}
	answer, err := ask(c, []byte("a request without an end of its own"), func(f func()) {
		s.run.Go(func(context.Context) error { f(); return nil })
	})
	why := "and then the end"
	if errors.Is(err, net.ErrClosed) {
		why = net.ErrClosed.Error()
	} else if err != nil {
		why = err.Error()
	}
	s.run.Message(trace.App, server, client, fmt.Sprintf("%d bytes of the answer", len(answer)), why)
	s.run.Fact("bytes of the answer", float64(len(answer)), "bytes")
	s.run.Fact("bytes of the answer missing", float64(s.p.Answer<<10-len(answer)), "bytes")
	switch {
	case len(answer) == s.p.Answer<<10:
		s.told.Merit("the whole answer came")
	case errors.Is(err, net.ErrClosed):
		s.told.Fault("the answer was lost, as the client had closed the half it comes by (%s)", why)
	default:
		s.told.Fault("%d bytes of the answer came (%s)", len(answer), why)
	}
	return nil
}
