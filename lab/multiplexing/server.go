package multiplexing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"peerlab/lab"
	"peerlab/selfsigned"
)

// serverName is the name in the certificate.
const serverName = "server.lab"

// kilobyte is 1000 bytes, as for every size on a network.
const kilobyte = 1000

// server answers each request with as many bytes as a run is for.
type server struct {
	p     Params
	run   *lab.Run
	addr  netip.AddrPort
	roots *x509.CertPool
}

func newServer(p Params, r *lab.Run, host *lab.Host, name string) (*server, error) {
	cert, roots, err := selfsigned.Certificate(serverName, host.Addr())
	if err != nil {
		return nil, err
	}
	s := &server{p: p, run: r, roots: roots}
	if name == h3 {
		return s, s.serveQUIC(host, cert)
	}
	return s, s.serveTCP(host, cert)
}

// serveTCP serves HTTP/1.1 and HTTP/2, as the client wants (ALPN).
func (s *server) serveTCP(host *lab.Host, cert tls.Certificate) error {
	l, err := host.Listen("tcp", ":443")
	if err != nil {
		return err
	}
	if s.addr, err = netip.ParseAddrPort(l.Addr().String()); err != nil {
		return fmt.Errorf("address of the listener: %w", err)
	}
	srv := &http.Server{
		Handler: s, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13},
		MaxHeaderBytes: 8 << 10, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
	}
	s.run.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return nil
}

// ServeHTTP thinks, and answers.
func (s *server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := s.run.Sleep(req.Context(), s.p.Think); err != nil {
		return // who asked has gone
	}
	w.Header().Set("Content-Length", strconv.Itoa(s.p.Size*kilobyte))
	w.Write(make([]byte, s.p.Size*kilobyte)) // an error is that of who went away
}
