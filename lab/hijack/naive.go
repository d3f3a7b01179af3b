package hijack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// region naive

// withoutBuffer does not look at the buffer. net/http reads ahead as much as
// it gets; what came in one packet with the request is in there, and lost.
func (s *server) withoutBuffer(w http.ResponseWriter) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over: %w", err)
	}
	s.run.Go(func(context.Context) error {
		defer conn.Close()
		if _, err := io.WriteString(conn, switching); err != nil {
			return nil
		}
		s.echo(conn, bufio.NewReader(conn), func() {})
		return nil
	})
	return nil
}

// withDeadlineLeft sets a deadline, so that a slow client can't hold up the
// upgrade, and forgets that a deadline is a time of day and not a pause: it
// strikes in the middle of the conversation.
func (s *server) withDeadlineLeft(w http.ResponseWriter) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over: %w", err)
	}
	s.run.Go(func(context.Context) error {
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(s.p.Timeout))
		if _, err := io.WriteString(conn, switching); err != nil {
			return nil
		}
		s.echo(conn, buffered.Reader, func() {})
		return nil
	})
	return nil
}

// endregion
