package keepalive

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"peerlab/lab"
)

// kind is one sort of request, as the transport sees it.
type kind struct {
	name  string
	post  bool
	key   bool // with Idempotency-Key
	again bool // its body can be had again
}

func kinds() []kind {
	return []kind{
		{name: "GET"},
		{name: "POST", post: true, again: true},
		{name: "POST, Idempotency-Key", post: true, key: true, again: true},
		{name: "POST, key, body read once", post: true, key: true},
	}
}

// region kinds

// request makes one of a kind. The transport sends a request again by itself,
// when the server hangs up without a byte of an answer, if three things are so:
// the connection had been used before, so that the server may just have tired
// of it; carrying the request out twice does no harm, as with GET, or with a POST that
// has an Idempotency-Key; and there is no body, or one that can be had again.
func (k kind) request(c *client, path string) (*http.Request, error) {
	if !k.post {
		return c.get(path)
	}
	req, err := c.post(path, k.again)
	if err == nil && k.key {
		req.Header.Set("Idempotency-Key", "payment-1") // the server must know it when it comes twice
	}
	return req, err
}

// endregion

// retries has a server hang up on requests of each kind, on new connections and
// on used ones.
func (l *live) retries(ctx context.Context) error {
	r := l.variant("retry")
	s, err := newServer(ctx, r, l.p, time.Minute, true)
	if err != nil {
		return err
	}
	var all []func(context.Context) error
	for _, k := range kinds() {
		for _, reused := range []bool{false, true} {
			on := "on a new connection"
			if reused {
				on = "on a used one"
			}
			r.Cell(k.name, on, "…", nil)
			all = append(all, func(ctx context.Context) error {
				return l.hangUpOn(ctx, r, s, k, on, reused)
			})
		}
	}
	if err := r.Together(ctx, all...); err != nil {
		return err
	}
	again, once := s.count(query(kinds()[0], "on a used one")), s.count(query(kinds()[1], "on a used one"))
	r.Fact("GET on a used connection: arrived", float64(again), "times")
	r.Fact("POST on a used connection: arrived", float64(once), "times")
	if again != 2 || once != 1 {
		r.Verdict(lab.Warn, "On used connections the GET arrived %d times and the POST %d: they did not all last until the server could hang up on them.", again, once)
		return nil
	}
	r.Verdict(lab.Warn, "When a server hangs up on a used connection, a GET is sent again (it arrived %d times) and a POST is not (%d): it may have been carried out, and only its sender can know what to do.", again, once)
	return nil
}

// query is what a request is counted by.
func query(k kind, on string) string {
	return fmt.Sprintf("%t-%t-%t-%d", k.post, k.key, k.again, len(on))
}

// hangUpOn sends one request that the server hangs up on.
func (l *live) hangUpOn(ctx context.Context, r *lab.Run, s *server, k kind, on string, reused bool) error {
	c, err := newClient(ctx, r, s, nil)
	if err != nil {
		return err
	}
	c.quiet = true
	defer c.transport.CloseIdleConnections()
	if reused {
		if err := c.warm(ctx); err != nil {
			return l.failed(ctx, r, k.name, on, err)
		}
	}
	req, err := k.request(c, "/cut?"+query(k, on))
	if err != nil {
		return err
	}
	_, err = c.send(ctx, k.name, req, drain)
	if ctx.Err() != nil {
		return nil // that of the run, and so of Together
	}
	n := s.count(query(k, on))
	times := fmt.Sprintf("arrived %d times", n)
	if n == 1 {
		times = "arrived once"
	}
	if err != nil {
		r.Cell(k.name, on, fmt.Sprintf("failed (%s, %s)", short(err), times), nil)
		return nil
	}
	r.Cell(k.name, on, "answered, "+times, nil)
	return nil
}

func (l *live) failed(ctx context.Context, r *lab.Run, row, column string, err error) error {
	if ctx.Err() == nil {
		r.Cell(row, column, "failed ("+short(err)+", before it began)", nil)
	}
	return nil
}

// warm makes a connection one that was used.
func (c *client) warm(ctx context.Context) error {
	req, err := c.get("/warm")
	if err != nil {
		return err
	}
	_, err = c.send(ctx, "GET", req, drain)
	return err
}
