package dnslab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"
)

// Transport is how messages travel.
type Transport string

// The transports: a datagram each; a TCP connection; TLS on one, RFC 7858;
// HTTP/2 on that, RFC 8484.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp"
	DoT Transport = "dot"
	DoH Transport = "doh"
)

// String is the name for people.
func (t Transport) String() string {
	switch t {
	case UDP:
		return "UDP"
	case TCP:
		return "TCP"
	case DoT:
		return "TLS (DoT)"
	case DoH:
		return "HTTPS (DoH)"
	}
	return string(t)
}

// place is a server to be asked, wherever it is.
type place struct {
	name  string // for people, and for its certificate
	lane  string
	roots *x509.CertPool // nil: those of this machine
	// dial connects to its port of that network.
	dial func(ctx context.Context, network, port string) (net.Conn, error)
}

// way asks one server over one transport, and keeps the connection.
type way interface {
	// exchange sends a packed query and returns the bytes of the answer.
	exchange(ctx context.Context, query []byte) ([]byte, error)
	close()
}

// newWay makes a way; nothing is sent yet.
func newWay(t Transport, to place) way {
	switch t {
	case UDP:
		return &datagrams{to}
	case TCP:
		return &connection{open: func(ctx context.Context) (net.Conn, error) { return to.dial(ctx, "tcp", "53") }}
	case DoT:
		return &connection{open: to.dialTLS}
	}
	return newHTTPS(to)
}

func (p place) dialTLS(ctx context.Context) (net.Conn, error) {
	c, err := p.dial(ctx, "tcp", "853")
	if err != nil {
		return nil, err
	}
	t := tls.Client(c, &tls.Config{RootCAs: p.roots, ServerName: p.name, MinVersion: tls.VersionTLS12, NextProtos: []string{"dot"}})
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("TLS with %s: %w", p.name, err)
	}
	return t, nil
}

// datagrams asks by UDP from a connected socket: a new one, and so a new port,
// for every question. The system lets only the server's datagrams through.
type datagrams struct{ to place }

func (d *datagrams) exchange(ctx context.Context, query []byte) ([]byte, error) {
	c, err := d.to.dial(ctx, "udp", "53")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	setDeadline(ctx, c)
	if _, err := c.Write(query); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	buf := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return buf[:n], nil
}

func (d *datagrams) close() {}

// connection asks over a stream, opened when first needed and again when the
// server has closed it: servers do, after a silence.
type connection struct {
	open func(context.Context) (net.Conn, error)
	c    net.Conn
}

func (s *connection) exchange(ctx context.Context, query []byte) ([]byte, error) {
	if s.c != nil {
		if reply, err := s.once(ctx, query); err == nil || ctx.Err() != nil {
			return reply, err
		}
		s.close()
	}
	var err error
	if s.c, err = s.open(ctx); err != nil {
		s.c = nil
		return nil, err
	}
	return s.once(ctx, query)
}

func (s *connection) once(ctx context.Context, query []byte) ([]byte, error) {
	setDeadline(ctx, s.c)
	if err := writeMessage(s.c, query); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	reply, err := readMessage(s.c)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return reply, nil
}

func (s *connection) close() {
	if s.c != nil {
		s.c.Close()
		s.c = nil
	}
}

// setDeadline makes c obey the deadline of ctx.
func setDeadline(ctx context.Context, c net.Conn) {
	at, ok := ctx.Deadline()
	if !ok {
		at = time.Now().Add(idle)
	}
	c.SetDeadline(at)
}

// errNotOurs is for a message on our own connection that answers something else.
var errNotOurs = errors.New("this is not the answer to the question")
