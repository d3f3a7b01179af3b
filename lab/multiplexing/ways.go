package multiplexing

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// client asks by one of the ways, on connections of its own.
type client interface {
	http.RoundTripper
	connections() int
	close()
}

// dialer makes a client that has no connection yet.
func (at *place) dialer() (client, error) {
	config := &tls.Config{RootCAs: at.server.roots, ServerName: serverName, MinVersion: tls.VersionTLS13, KeyLogWriter: at.run.KeyLog()}
	if at.name == h3 {
		return at.newQUIC(config)
	}
	return at.newTCP(config), nil
}

// overTCP asks by HTTP/1.1 or HTTP/2.
type overTCP struct {
	*http.Transport
	dialled atomic.Int32

	// Of HTTP/2 the one connection that all requests share.
	once sync.Once
	conn *http.ClientConn
	err  error
}

// region ways

// newTCP makes a client of the standard library. With HTTP/1.1 the requests
// share a pool: one that finds no connection free opens another, up to the
// limit, and then they wait in a queue. With HTTP/2 they share a connection.
func (at *place) newTCP(config *tls.Config) *overTCP {
	c := &overTCP{}
	var protocols http.Protocols
	protocols.SetHTTP1(at.name == h1)
	protocols.SetHTTP2(at.name == h2)
	c.Transport = &http.Transport{
		TLSClientConfig: config, Protocols: &protocols,
		MaxConnsPerHost: at.p.Pool, MaxIdleConnsPerHost: at.p.Pool,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c.dialled.Add(1)
			return at.client.DialContext(ctx, "tcp", at.server.addr.String())
		},
	}
	return c
}

// RoundTrip has a request answered. Twelve requests that come at once to a
// transport without a connection would begin twelve handshakes, also for
// HTTP/2; whoever comes first opens the connection, and the others wait for it.
func (c *overTCP) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.Protocols.HTTP1() {
		return c.Transport.RoundTrip(req)
	}
	c.once.Do(func() {
		c.conn, c.err = c.Transport.NewClientConn(req.Context(), "https", serverName+":443")
	})
	if c.err != nil {
		return nil, c.err
	}
	return c.conn.RoundTrip(req)
}

// endregion

func (c *overTCP) connections() int { return int(c.dialled.Load()) }

func (c *overTCP) close() {
	if c.conn != nil {
		c.conn.Close()
	}
	c.CloseIdleConnections()
}
