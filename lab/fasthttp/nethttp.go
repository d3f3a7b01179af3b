package fasthttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"

	"peerlab/lab"
)

// region nethttp

// ServeHTTP is the handler for net/http. A request is an object of its own,
// with a body to be read as it comes and a context that ends when the client goes.
func (s *server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch req.URL.Path {
	case "/drip":
		for n := range dripLines {
			fmt.Fprintf(w, "line %d\n", n+1)
			if http.NewResponseController(w).Flush() != nil || s.run.Sleep(req.Context(), dripPause) != nil {
				return
			}
		}
	case "/work", s.account.prefix + "work":
		done := s.worked(req.URL.Path)
		_ = s.run.Sleep(req.Context(), maxWork) // or until the client has gone
		done()
	case "/upload":
		n, err := io.Copy(io.Discard, io.LimitReader(req.Body, 4*maxBody))
		if err != nil {
			return // who sent it has gone
		}
		fmt.Fprintf(w, "%d bytes", n)
	case s.account.prefix + "alice":
		s.account.text = req.URL.Path
	case s.account.prefix + "mallo":
		io.WriteString(w, s.account.text)
	default:
		w.Header()["Date"] = nil // neither server tells the date
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(s.answer)))
		w.Write(s.answer)
	}
}

// endregion

func (s *server) serveNetHTTP(there *lab.Run, l net.Listener) {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler: s, Protocols: &protocols, MaxHeaderBytes: 8 << 10,
		ReadHeaderTimeout: patience, IdleTimeout: idleTimeout, ErrorLog: log.New(io.Discard, "", 0),
	}
	there.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve by net/http: %w", err)
		}
		return nil
	})
}
