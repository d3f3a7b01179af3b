package dnslab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/miekg/dns"
)

const (
	dohPath  = "/dns-query"
	dohMedia = "application/dns-message"
	maxBody  = 4096 // no question is as long
)

// serveHTTPS answers questions in HTTP requests.
func (s *server) serveHTTPS(ctx context.Context, l net.Listener, cert tls.Certificate) error {
	mux := http.NewServeMux()
	mux.HandleFunc(dohPath, s.serveQuery)
	srv := &http.Server{
		Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadTimeout: idle, WriteTimeout: idle, IdleTimeout: idle, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // it would be about clients that hung up
	}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// region https

// serveQuery takes a query as the body of a POST, or in the URL of a GET,
// which caches of HTTP can keep (RFC 8484 section 4.1).
func (s *server) serveQuery(w http.ResponseWriter, req *http.Request) {
	var query []byte
	var err error
	switch req.Method {
	case http.MethodPost:
		if req.Header.Get("Content-Type") != dohMedia {
			http.Error(w, "the body has to be "+dohMedia, http.StatusUnsupportedMediaType)
			return
		}
		query, err = io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	case http.MethodGet:
		query, err = base64.RawURLEncoding.DecodeString(req.URL.Query().Get("dns"))
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "ask by GET or POST", http.StatusMethodNotAllowed)
		return
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		http.Error(w, "that is longer than a question", http.StatusRequestEntityTooLarge)
		return
	}
	from, parseErr := net.ResolveTCPAddr("tcp", req.RemoteAddr)
	if err == nil {
		err = parseErr
	}
	var reply []byte
	if err == nil {
		reply = s.witness(query, from, DoH, stream)
	}
	if reply == nil {
		http.Error(w, "that is no query in DNS wire format", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", dohMedia)
	w.Write(reply) // an error is that of who went away
}

// endregion

// https asks by HTTP requests.
type https struct {
	url       string
	transport *http.Transport
}

func newHTTPS(to place) *https {
	protocols := &http.Protocols{}
	protocols.SetHTTP2(true)
	return &https{
		url: "https://" + urlHost(to.name) + dohPath,
		transport: &http.Transport{
			DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return to.dial(ctx, "tcp", "443") },
			TLSClientConfig: &tls.Config{RootCAs: to.roots, ServerName: to.name, MinVersion: tls.VersionTLS12},
			Protocols:       protocols, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
	}
}

func (h *https) exchange(ctx context.Context, query []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(query))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", dohMedia)
	req.Header.Set("Accept", dohMedia)
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != dohMedia {
		return nil, fmt.Errorf("the server answers %s with %q", resp.Status, resp.Header.Get("Content-Type"))
	}
	return io.ReadAll(io.LimitReader(resp.Body, dns.MaxMsgSize))
}

func (h *https) close() { h.transport.CloseIdleConnections() }

// urlHost is a host as URLs write it: an IPv6 address in brackets.
func urlHost(name string) string {
	if ip := net.ParseIP(name); ip != nil && ip.To4() == nil {
		return "[" + name + "]"
	}
	return name
}
