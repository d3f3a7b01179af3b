package http2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

// region server

// newServer is a server of the standard library that speaks HTTP/1.1 and HTTP/2
// on one port. With a certificate ALPN decides, within the TLS handshake; without
// one the client's first bytes do, as there is nobody to negotiate with.
func newServer(h http.Handler, cert *tls.Certificate, keys io.Writer) *http.Server {
	s := &http.Server{
		Handler:           h,
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 50},
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       30 * time.Second,
	}
	s.Protocols.SetHTTP1(true)
	if cert == nil {
		s.Protocols.SetUnencryptedHTTP2(true)
		return s
	}
	s.Protocols.SetHTTP2(true)
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, KeyLogWriter: keys}
	return s
}

// serve serves until the listener is closed.
func serve(s *http.Server, l net.Listener) error {
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

// endregion

// pages answers the requests of this lab.
type pages struct {
	size   int
	pushed func(proto string, err error) // what became of a push
}

// maxUpload bounds what is read of a body.
const maxUpload = 1 << 20

// bodyPatience is how long a page waits for a body that it has no use for.
const bodyPatience = 500 * time.Millisecond

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/big":
		w.Header().Set("Content-Length", strconv.Itoa(p.size))
		p.write(r.Context(), w, p.size)
	case "/endless":
		p.write(r.Context(), w, 1<<40)
	case "/upload":
		n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxUpload))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		fmt.Fprintf(w, "%d bytes came\n", n)
	case "/push":
		err := errors.ErrUnsupported
		if pusher, ok := w.(http.Pusher); ok {
			err = pusher.Push("/hello", nil)
		}
		p.pushed(r.Proto, err)
		fmt.Fprintf(w, "push: %v\n", err)
	default:
		if r.ContentLength > 0 && !p.bodyIsRight(w, r) {
			return
		}
		fmt.Fprintf(w, "hello by %s\n", r.Proto)
	}
}

// bodyIsRight reads a body whose length was told before the answer is begun, so
// that one of another length has none. Nobody is waited for who sends no more.
func (p *pages) bodyIsRight(w http.ResponseWriter, r *http.Request) bool {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience))
	_, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxUpload))
	return err == nil
}

// write writes n bytes, or as many as somebody wants to have.
func (p *pages) write(ctx context.Context, w io.Writer, n int) {
	piece := make([]byte, 16<<10)
	for i := range piece {
		piece[i] = "0123456789abcde\n"[i%16]
	}
	for n > 0 && ctx.Err() == nil {
		m, err := w.Write(piece[:min(n, len(piece))])
		if err != nil {
			return
		}
		n -= m
	}
}

// quiet is for what net/http says of clients that break off.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
