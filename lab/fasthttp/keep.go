package fasthttp

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"

	"peerlab/trace"
)

// account is where a handler keeps the path of a request beyond its time. It
// has a name that nobody can guess, as there is one place to keep a path.
type account struct {
	prefix string
	bytes  []byte // of fasthttp: not copied
	text   string // of net/http
}

func newAccount() account { return account{prefix: "/account/" + rand.Text() + "/"} }

// keep has a handler keep the path of a request, and asks on the same
// connection, with another path, what has become of it.
func (s *server) keep(ctx context.Context) error {
	t := s.transport(false, true)
	t.MaxConnsPerHost = 1
	ask := func(who string) (string, error) {
		resp, done, err := s.send(ctx, t, http.MethodGet, s.account.prefix+who, nil)
		if err != nil {
			done()
			return "", fmt.Errorf("ask as %s: %w", who, err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(io.LimitReader(resp.Body, 200))
		return strings.TrimPrefix(string(text), s.account.prefix), err
	}
	defer t.CloseIdleConnections()
	if _, err := ask("alice"); err != nil {
		return err
	}
	now, err := ask("mallo") // as long as the other
	if err != nil {
		return err
	}
	s.remembered = fmt.Sprintf("was %q, is %q now", "alice", now)
	s.run.State(trace.App, "server", "a path that was kept", s.remembered)
	return nil
}
