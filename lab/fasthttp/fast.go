package fasthttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"peerlab/lab"
)

// region fast

// handle is the handler for fasthttp. The RequestCtx is lent: it and everything
// it returns belong to the next request as soon as this one is answered. That
// nothing is made anew is where the speed comes from.
func (s *server) handle(ctx *fasthttp.RequestCtx) {
	switch string(ctx.Path()) {
	case "/drip":
		for n := range dripLines {
			fmt.Fprintf(ctx, "line %d\n", n+1) // into a buffer; it leaves when the handler returns
			if s.run.Sleep(ctx, dripPause) != nil {
				return
			}
		}
	case "/work", s.account.prefix + "work":
		done := s.worked(string(ctx.Path()))
		_ = s.run.Sleep(ctx, maxWork) // ctx ends when the server shuts down, and not before
		done()
	case "/upload":
		fmt.Fprintf(ctx, "%d bytes", len(ctx.PostBody()))
	case s.account.prefix + "alice":
		s.account.bytes = ctx.Path() // kept: a mistake
	case s.account.prefix + "mallo":
		ctx.Write(s.account.bytes)
	default:
		ctx.SetContentType("text/plain")
		ctx.SetBody(s.answer)
	}
}

// endregion

func (s *server) serveFast(there *lab.Run, l net.Listener) {
	srv := &fasthttp.Server{
		Handler: s.handle, MaxRequestBodySize: maxBody, Concurrency: 256,
		ReadTimeout: patience, IdleTimeout: idleTimeout, Logger: silent{},
		ErrorHandler:          refuse,
		NoDefaultServerHeader: true, NoDefaultDate: true, CloseOnShutdown: true,
		MaxIdleWorkerDuration: 200 * time.Millisecond, // and so long it takes to end
	}
	there.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Shutdown() })()
		if err := srv.Serve(l); err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve by fasthttp: %w", err)
		}
		return nil
	})
}

// refuse answers a request that could not be read. (ctx.Error would set the
// answer back to the library's defaults, and with them start a clock for the
// header Date that runs as long as the process.)
func refuse(ctx *fasthttp.RequestCtx, err error) {
	status, text := fasthttp.StatusBadRequest, "not a request"
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		status, text = fasthttp.StatusRequestEntityTooLarge, "a body of more than 1 MiB"
	}
	ctx.SetStatusCode(status)
	ctx.SetBodyString(text)
}

// silent is a logger for what clients do wrong.
type silent struct{}

func (silent) Printf(string, ...any) {}
