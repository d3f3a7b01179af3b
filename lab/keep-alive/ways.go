package keepalive

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// The ways to treat a response, as variants.
const (
	kept      = "kept"
	undrained = "undrained"
	forgotten = "forgotten"
	off       = "off"
)

// region finish

// drain reads a response to its end and closes it. Only now the transport knows
// that the next answer on this connection is the next request's, and puts it back.
func drain(resp *http.Response) error {
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxDrain)); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// closeOnly looks at the status and closes. What is left of the body would have
// to be read by somebody, so the connection is closed instead.
func closeOnly(resp *http.Response) error { return resp.Body.Close() }

// forget does nothing. The connection waits for somebody to read, for ever.
func forget(*http.Response) error { return nil }

// endregion

// maxDrain is how much is read for the sake of a connection: all that this lab
// sends. Where reading more costs more than a new connection it should be less.
const maxDrain = 1 << 20

// way is one variant that sends requests one after the other.
type way struct {
	name   string
	client *client
	server *server
	done   finish
	asked  int
	spent  time.Duration   // on all that were asked
	took   []time.Duration // those that had an answer
}

func openWay(ctx context.Context, r *lab.Run, p Params, name string) (*way, error) {
	s, err := newServer(ctx, r, p, time.Minute, false)
	if err != nil {
		return nil, err
	}
	c, err := newClient(ctx, r, s, func(t *http.Transport) { t.DisableKeepAlives = name == off })
	if err != nil {
		return nil, err
	}
	done := map[string]finish{kept: drain, off: drain, undrained: closeOnly, forgotten: forget}[name]
	return &way{name: name, client: c, server: s, done: done}, nil
}

// maxRecorded is how much each way may send, in kB, for its packets to be kept:
// more than that nobody reads.
const maxRecorded = 400

// openWays opens those that are asked for.
func (l *live) openWays(ctx context.Context) error {
	for _, name := range []string{kept, undrained, forgotten, off} {
		if l.p.Way != "all" && l.p.Way != name {
			continue
		}
		r := l.run.Variant(name)
		if l.run.Network() == lab.Link && l.p.Requests*l.p.Size > maxRecorded {
			r = l.run.VariantOnLink(name, lab.Emulation{Link: l.run.Settings().Link(), Quiet: true})
		}
		w, err := openWay(ctx, r, l.p, name)
		if err != nil {
			return err
		}
		l.ways = append(l.ways, w)
	}
	return nil
}

// reuse has all ways send the same requests.
func (l *live) reuse(ctx context.Context) error {
	if err := l.openWays(ctx); err != nil {
		return err
	}
	return l.each(ctx, func(ctx context.Context, w *way) error {
		defer w.conclude(ctx)
		for range l.p.Requests {
			if err := w.ask(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// each does the same with all ways at once.
func (l *live) each(ctx context.Context, do func(context.Context, *way) error) error {
	var all []func(context.Context) error
	for _, w := range l.ways {
		all = append(all, func(ctx context.Context) error {
			return do(ctx, w)
		})
	}
	return l.run.Together(ctx, all...)
}

// ask sends the next request. It may have no answer, on a link that loses much.
func (w *way) ask(ctx context.Context) error {
	w.asked++
	name := fmt.Sprintf("GET %d", w.asked)
	req, err := w.client.get("/")
	if err != nil {
		return err
	}
	res, err := w.client.send(ctx, name, req, w.done)
	w.spent += res.took
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		w.client.run.Note("%s had no answer: %s.", name, short(err))
		return nil
	}
	w.took = append(w.took, res.took)
	w.client.run.Sample(trace.HTTP, "client", "request", lab.Milliseconds(res.took), "ms")
	return nil
}

// conclude tells what the requests took.
func (w *way) conclude(ctx context.Context) {
	r := w.client.run
	opened, open, handshakes := w.client.totals()
	if w.asked == 0 || opened == 0 {
		return
	}
	lost := handshakes - handshakes/time.Duration(opened)
	r.Fact("connections opened", float64(opened), "connections")
	if len(w.took) > 0 {
		r.Fact("a request, median", lab.Milliseconds(lab.Median(w.took)), "ms")
	}
	r.Fact("all requests", lab.Milliseconds(w.spent), "ms")
	r.Fact("of it handshakes after the first", lab.Milliseconds(lost), "ms")
	still, err := w.server.settle(ctx, open)
	if err != nil || ctx.Err() != nil {
		r.Verdict(lab.Warn, "The run was over when %d requests had their answers, on %d connections.", len(w.took), opened)
		return
	}
	r.Fact("connections still open at the server", float64(still), "connections")
	w.judge(opened, still, lost)
}

// judge says what it comes to, and why.
func (w *way) judge(opened, still int, lost time.Duration) {
	r, failed := w.client.run, w.asked-len(w.took)
	switch {
	case w.asked == 1:
		r.Verdict(lab.Warn, "One request takes a connection in any case: ask for more.")
	case w.name == off:
		r.Note("%d connections for %d requests, as DisableKeepAlives asks for. %.0f ms went into handshakes after the first.", opened, w.asked, lab.Milliseconds(lost))
	case failed > 0 && (w.name == kept || opened == 1):
		r.Verdict(lab.Warn, "%d connections for %d requests, of which %d had no answer.", opened, w.asked, failed)
	case opened == 1 && w.name == kept:
		r.Verdict(lab.Good, "One connection for %d requests: each body is read to its end, so the connection goes back to the pool.", w.asked)
	case opened == 1:
		r.Verdict(lab.Good, "One connection for %d requests: the answers have no body, so nothing is left on it that had to be read.", w.asked)
	case w.name == kept: // the server closed it, or a loss did
		r.Verdict(lab.Warn, "%d connections for %d requests, though each body was read to its end.", opened, w.asked)
	case w.name == undrained:
		r.Verdict(lab.Bad, "%d connections for %d requests, as bodies are closed before their end, and nobody can use a connection with half an answer on it. %.0f ms went into handshakes after the first.", opened, w.asked, lab.Milliseconds(lost))
	case w.name == forgotten:
		r.Verdict(lab.Bad, "%d connections for %d requests, and %d of them still open, as bodies are neither read nor closed. It goes on until one side has no sockets left.", opened, w.asked, still)
	}
}
