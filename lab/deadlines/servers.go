package deadlines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"peerlab/lab"
)

// serve lets srv serve until the run ends.
func serve(r *lab.Run, srv *http.Server, l net.Listener) {
	srv.ErrorLog = log.New(io.Discard, "", 0) // what happens is in the record
	r.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
}

// listen opens a port of the run's server.
func listen(r *lab.Run, port string) (net.Listener, error) {
	h, err := r.Host(server)
	if err != nil {
		return nil, err
	}
	return h.Listen("tcp", port)
}

// httpClient asks the run's server at that port, with a new connection each time.
func httpClient(r *lab.Run, port string) (*http.Client, error) {
	h, err := r.Host(client)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return h.DialContext(ctx, "tcp", server+port)
		},
		DisableKeepAlives: true, DisableCompression: true,
	}}, nil
}
