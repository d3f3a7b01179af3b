package latency

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/selfsigned"
	"peerlab/trace"
)

// own is the run's own server, and what is beside it: the name server, and an
// echo of datagrams to measure the round trip by.
type own struct {
	p        Params
	run      *lab.Run
	resolver *resolver
	roots    *x509.CertPool
	url      string // by name
	outside  string // by address
	told     *rate.Limiter
}

// newOwn opens the server.
func newOwn(p Params, r *lab.Run) (*own, error) {
	o := &own{p: p, run: r, told: rate.NewLimiter(20, 60)}
	host, err := r.Host("server")
	if err != nil {
		return nil, err
	}
	scheme, port := "https", ":443"
	if p.TLS == "off" {
		scheme, port = "http", ":80"
	}
	l, err := host.Listen("tcp", port)
	if err != nil {
		return nil, err
	}
	r.State(trace.TCP, "server", "listens on", l.Addr().String())
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("address of the listener: %w", err)
	}
	if o.resolver, err = newResolver(r, at.Addr()); err != nil {
		return nil, err
	}
	if err := o.echo(host); err != nil {
		return nil, err
	}
	cert, roots, err := selfsigned.Certificate(ownName, at.Addr())
	if err != nil {
		return nil, err
	}
	o.roots = roots
	o.url = scheme + "://" + net.JoinHostPort(ownName, strconv.Itoa(int(at.Port()))) + "/"
	o.outside = scheme + "://" + at.String() + "/"
	srv := o.server(cert)
	r.Go(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		serve := srv.Serve
		if p.TLS != "off" {
			serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return o, nil
}

func (o *own) server(cert tls.Certificate) *http.Server {
	config := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	if o.p.TLS == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &cert, o.run.Sleep(hello.Context(), o.p.Cert)
	}
	return &http.Server{
		Handler: o, TLSConfig: config, Protocols: protocols(h1, h2), MaxHeaderBytes: 8 << 10,
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 90 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, whoKey{}, o.run.HostOf(c.RemoteAddr()))
		},
	}
}

// whoKey is where a connection's context has the host at its other end.
type whoKey struct{}

// protocols are those of a server or transport, with TLS and without.
func protocols(names ...string) *http.Protocols {
	var p http.Protocols
	for _, n := range names {
		if n == h1 {
			p.SetHTTP1(true)
			continue
		}
		p.SetHTTP2(true)
		p.SetUnencryptedHTTP2(true)
	}
	return &p
}

// ServeHTTP thinks, and answers with as many bytes as asked for.
func (o *own) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if who, _ := req.Context().Value(whoKey{}).(string); who == "" && o.told.Allow() {
		o.run.Add(trace.Event{
			Kind: trace.Message, Layer: trace.HTTP, From: lab.Outside, To: "server",
			Name: req.Method + " /", Text: req.Proto, Attrs: map[string]string{"from": req.RemoteAddr},
		})
	}
	if err := o.run.Sleep(req.Context(), o.p.Think); err != nil {
		return // who asked has gone
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(o.p.Size*kilobyte))
	w.Write(make([]byte, o.p.Size*kilobyte)) // an error is that of who went away
}

// kilobyte is 1000 bytes, as for every size on a network.
const kilobyte = 1000
