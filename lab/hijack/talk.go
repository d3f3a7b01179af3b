package hijack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// request is the upgrade as the client writes it.
const request = "GET /echo HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// talk is one conversation, seen by the client.
type talk struct {
	sent, echoed, lost int
	lasted             time.Duration
	cut                error // it was not the client who ended it
	after              bool  // the connection lives on after the server's Shutdown
}

// converse has the client upgrade and send its lines, and judges what came back.
func (s *server) converse(ctx context.Context) error {
	if s.name == careful {
		s.http.RegisterOnShutdown(s.closeTaken)
	}
	var t talk
	if err := s.hold(ctx, &t); err != nil {
		return err
	}
	s.run.Fact("lines sent", float64(t.sent), "lines")
	s.run.Fact("lines that came back", float64(t.echoed), "lines")
	s.run.Fact("conversation lasted", lab.Milliseconds(t.lasted), "ms")
	open := 0.0
	if t.after {
		open = 1
	}
	s.run.Fact("open after Shutdown", open, "connections")
	s.conclude(&t)
	return nil
}

// conclude says what became of the conversation, and why.
func (s *server) conclude(t *talk) {
	lasted, timeout := lab.Milliseconds(t.lasted), lab.Milliseconds(s.p.Timeout)
	switch {
	case t.cut != nil && s.name == deadlineLeft && t.lasted >= s.p.Timeout:
		s.run.Verdict(lab.Bad, "The conversation was cut off after %.0f ms, with %d of %d lines answered: the deadline for the upgrade, %.0f ms, was left on the connection.",
			lasted, t.echoed, s.p.Early+s.p.Lines, timeout)
	case t.cut != nil:
		s.run.Verdict(lab.Warn, "The conversation broke off after %.0f ms, with %d of %d lines answered: %v.", lasted, t.echoed, s.p.Early+s.p.Lines, t.cut)
	case t.lost > 0:
		s.run.Verdict(lab.Bad, "%d lines were sent and %d came back. The others had been read by net/http together with the request.", t.sent, t.echoed)
	case s.name == deadlineLeft:
		s.run.Verdict(lab.Warn, "All %d lines came back, as they were done after %.0f ms. The deadline for the upgrade, %.0f ms, was still on the connection.", t.sent, lasted, timeout)
	case t.after:
		s.run.Verdict(lab.Warn, "All lines came back, but Shutdown returned with the connection still open.")
	case t.lasted > s.p.Timeout:
		s.run.Verdict(lab.Good, "All %d lines came back, although the server's timeouts of %.0f ms had passed, and Shutdown closed the connection.", t.sent, timeout)
	default:
		s.run.Verdict(lab.Good, "All %d lines came back, and Shutdown closed the connection.", t.sent)
	}
}

// hold holds the conversation.
func (s *server) hold(ctx context.Context, t *talk) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	end := s.run.Begin(trace.App, "client", "conversation")
	defer func() { end(fmt.Sprintf("%d lines of %d came back", t.echoed, t.sent)) }()
	began := time.Now()

	// The request and the first lines leave in one piece.
	var first strings.Builder
	first.WriteString(request)
	s.run.Message(trace.HTTP, "client", "server", "GET /echo", request)
	for n := 1; n <= s.p.Early; n++ {
		fmt.Fprintf(&first, "early line %d\n", n)
		s.run.Message(trace.App, "client", "server", "line", fmt.Sprintf("early line %d, in one piece with the request", n))
		t.sent++
	}
	if _, err := io.WriteString(conn, first.String()); err != nil {
		return fmt.Errorf("send the request: %w", err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	s.run.Message(trace.HTTP, "server", "client", resp.Status, "Upgrade: "+resp.Header.Get("Upgrade"))
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the server does not switch protocols: %s", resp.Status)
	}

	// From here on it is not HTTP. One goroutine reads, as answers may be fewer than lines.
	answers := make(chan string, s.p.Early+s.p.Lines)
	var ended error
	s.run.Go(func(context.Context) error {
		defer close(answers)
		for {
			line, err := readLine(r)
			if err != nil {
				ended = fmt.Errorf("read a line: %w", err)
				return nil
			}
			s.run.Message(trace.App, "server", "client", "line", line)
			answers <- line
		}
	})
	closed := false
	last := ""
	for n := 1; n <= s.p.Lines && !closed; n++ {
		if err := s.run.Sleep(ctx, s.p.Pace); err != nil {
			return err
		}
		last = fmt.Sprintf("LINE %d", n)
		if _, err := fmt.Fprintf(conn, "line %d\n", n); err != nil {
			closed = true
			break
		}
		s.run.Message(trace.App, "client", "server", "line", fmt.Sprintf("line %d", n))
		t.sent++
		closed = t.take(answers, last)
	}
	t.lasted, t.lost = time.Since(began), t.sent-t.echoed
	if closed {
		for range answers { // it is closed, or about to be
		}
		t.cut = ended
		return ctx.Err()
	}

	// Does the server's end end this? The one that is careful says so, sooner or later.
	s.shutdown(ctx)
	wait := 2*s.run.Settings().Delay + 300*time.Millisecond
	if s.name == careful {
		wait = patience
	}
	grace := time.NewTimer(wait)
	defer grace.Stop()
	select {
	case _, more := <-answers:
		t.after = more
	case <-grace.C:
		t.after = true
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// take takes answers until the one to the last line is there, and tells whether
// the connection has ended instead.
func (t *talk) take(answers <-chan string, last string) (closed bool) {
	for line := range answers {
		t.echoed++
		if line == last {
			return false
		}
	}
	return true
}
