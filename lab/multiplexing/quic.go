package multiplexing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"peerlab/lab"
)

// quicConfig has room for all requests of a run, and ends what is forgotten.
func quicConfig() *quic.Config {
	return &quic.Config{MaxIdleTimeout: 20 * time.Second, HandshakeIdleTimeout: 10 * time.Second, MaxIncomingStreams: 100}
}

// packets is a UDP socket with nothing but the methods of a net.PacketConn:
// QUIC makes use of more where there is more, and here both networks are to be
// treated alike. The sizes of its buffers are left as they are, or the library
// would complain of them in the server's log.
type packets struct{ net.PacketConn }

// SetReadBuffer and SetWriteBuffer leave the buffer as it is.
func (packets) SetReadBuffer(int) error  { return nil }
func (packets) SetWriteBuffer(int) error { return nil }

// serveQUIC serves HTTP/3.
func (s *server) serveQUIC(host *lab.Host, cert tls.Certificate) error {
	pc, err := host.ListenPacket("udp", ":443")
	if err != nil {
		return err
	}
	if s.addr, err = netip.ParseAddrPort(pc.LocalAddr().String()); err != nil {
		return fmt.Errorf("address of the socket: %w", err)
	}
	config := http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	t := &quic.Transport{Conn: packets{pc}}
	l, err := t.ListenEarly(config, quicConfig())
	if err != nil {
		return fmt.Errorf("listen for QUIC: %w", err)
	}
	srv := &http3.Server{Handler: s, MaxHeaderBytes: 8 << 10}
	s.run.Go(func(ctx context.Context) error {
		defer t.Close()
		defer context.AfterFunc(ctx, func() { srv.Close(); l.Close() })()
		if err := srv.ServeListener(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, quic.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return nil
}

// region quic

// overQUIC asks by HTTP/3: QUIC is on UDP, and does what TCP and TLS do with
// one handshake for both. Each request is a stream; a lost packet is repeated
// for the streams that had bytes in it, and no other one waits.
type overQUIC struct {
	socket *quic.Transport
	server *net.UDPAddr
	config *tls.Config
	http   http3.Transport

	once sync.Once
	conn *quic.Conn
	over *http3.ClientConn
	err  error
}

func (at *place) newQUIC(config *tls.Config) (*overQUIC, error) {
	pc, err := at.client.ListenPacket("udp", ":0")
	if err != nil {
		return nil, err
	}
	return &overQUIC{
		socket: &quic.Transport{Conn: packets{pc}},
		server: net.UDPAddrFromAddrPort(at.server.addr),
		config: http3.ConfigureTLSConfig(config),
	}, nil
}

// RoundTrip has a request answered; the first one opens the connection.
func (c *overQUIC) RoundTrip(req *http.Request) (*http.Response, error) {
	c.once.Do(func() {
		if c.conn, c.err = c.socket.Dial(req.Context(), c.server, c.config, quicConfig()); c.err == nil {
			c.over = c.http.NewClientConn(c.conn)
		}
	})
	if c.err != nil {
		return nil, c.err
	}
	return c.over.RoundTrip(req)
}

// endregion

func (c *overQUIC) connections() int { return 1 }

func (c *overQUIC) close() {
	if c.conn != nil {
		c.conn.CloseWithError(0, "")
	}
	c.http.Close()
	c.socket.Close()
	c.socket.Conn.Close()
}
