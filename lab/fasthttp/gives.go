package fasthttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// gives shows what a server can't do, by asking it to.
func gives(ctx context.Context, _ Params, r *lab.Run, both [2]*server) error {
	return r.Together(ctx, both[0].tries, both[1].tries)
}

func (s *server) tries(ctx context.Context) error {
	for _, try := range []func(context.Context) error{s.drip, s.leave, s.keep, s.upload, s.overHTTP2} {
		switch err := try(ctx); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && s.run.Network() == lab.Link: // a result, where much is lost
			s.unanswered++
			s.run.Note("No answer: %v.", err)
		case err != nil:
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// transport is a client, on the network that is shown or on that of the load.
func (s *server) transport(two, shown bool) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetUnencryptedHTTP2(two)
	return &http.Transport{
		Protocols: &protocols, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if !shown {
				return s.dial(ctx)
			}
			return s.shown.DialContext(ctx, "tcp", s.open)
		},
	}
}

// send has one request answered, up to the head of the answer. done closes it.
func (s *server) send(ctx context.Context, t *http.Transport, method, path string, body io.Reader) (resp *http.Response, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	done = func() { cancel(); t.CloseIdleConnections() }
	req, err := http.NewRequestWithContext(ctx, method, "http://server"+path, body)
	if err != nil {
		return nil, done, fmt.Errorf("request: %w", err)
	}
	s.run.Message(trace.HTTP, "client", "server", method+" "+path, "")
	resp, err = t.RoundTrip(req)
	if err == nil {
		s.run.Message(trace.HTTP, "server", "client", resp.Status, resp.Proto)
		was := done
		done = func() { resp.Body.Close(); was() }
	}
	return resp, done, err
}

// region gives

// drip asks for five lines that are written 100 ms apart.
func (s *server) drip(ctx context.Context) error {
	end := s.run.Begin(trace.HTTP, "client", "five lines")
	began := time.Now()
	resp, done, err := s.send(ctx, s.transport(false, true), http.MethodGet, "/drip", nil)
	defer done()
	if err != nil {
		end("no answer")
		return fmt.Errorf("ask for lines: %w", err)
	}
	r := bufio.NewReader(resp.Body)
	for n := range dripLines {
		if _, err := r.ReadString('\n'); err != nil {
			end("no end")
			return fmt.Errorf("read lines: %w", err)
		}
		if n == 0 {
			s.firstLine = time.Since(began)
		}
	}
	end(fmt.Sprintf("the first one after %.0f ms", lab.Milliseconds(s.firstLine)))
	s.run.Fact("first of five lines after", lab.Milliseconds(s.firstLine), "ms")
	return nil
}

// leave asks for something that takes a second, and hangs up 100 ms after the
// handler has begun.
func (s *server) leave(ctx context.Context) error {
	end := s.run.Begin(trace.HTTP, "client", "ask, and hang up")
	hurry, cancel := context.WithCancel(ctx)
	defer cancel()
	s.run.Go(func(context.Context) error {
		_, done, _ := s.send(hurry, s.transport(false, true), http.MethodGet, s.account.prefix+"work", nil)
		done()
		return nil
	})
	select {
	case <-s.begun:
	case <-time.After(patience):
		end("it does not arrive")
		return fmt.Errorf("the request for work does not arrive")
	case <-ctx.Done():
		return ctx.Err()
	}
	err := s.run.Sleep(ctx, dripPause)
	cancel()
	end("gone")
	if err != nil {
		return err
	}
	s.stopped = <-s.done // maxWork at most, and the end of the run
	s.run.Fact("work for a client that left after 100 ms", lab.Milliseconds(s.stopped), "ms")
	return nil
}

// endregion

// upload sends more than fits into the limit of a body that is held in memory.
func (s *server) upload(ctx context.Context) error {
	const size = maxBody + 1<<20
	resp, done, err := s.send(ctx, s.transport(false, false), http.MethodPost, "/upload", io.LimitReader(zeros{}, size))
	defer done()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("upload: %w", err)
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil: // the connection is closed while the body is on its way
		s.uploaded = "refused"
	default:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		s.uploaded = strings.TrimSpace(resp.Status + " " + string(text))
	}
	s.run.State(trace.App, "server", fmt.Sprintf("an upload of %d bytes", size), s.uploaded)
	return nil
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// overHTTP2 asks by HTTP/2 with prior knowledge.
func (s *server) overHTTP2(ctx context.Context) error {
	resp, done, err := s.send(ctx, s.transport(true, true), http.MethodGet, "/", nil)
	defer done()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ask by HTTP/2: %w", err)
	}
	answer := "not understood"
	if s.http2 = err == nil && resp.ProtoMajor == 2; s.http2 {
		answer = resp.Status + " by " + resp.Proto
	}
	s.run.State(trace.App, "server", "HTTP/2", answer)
	return nil
}
