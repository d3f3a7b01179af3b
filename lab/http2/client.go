package http2

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

const clientLane = "client"

// client asks one server over one connection.
type client struct {
	run  *lab.Run
	p    Params
	url  string
	http *http.Transport
}

// region client

// newTransport is a client that speaks HTTP/2 and nothing else: by ALPN over
// TLS, by prior knowledge in the clear. The buffers are the windows it opens: that
// of the connection on top of the 64 KiB that every connection begins with.
func newTransport(h *lab.Host, p Params, roots *x509.CertPool) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return h.DialContext(ctx, network, serverLane+":443")
		},
		Protocols: new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     p.Window << 10,
			MaxReceiveBufferPerConnection: (p.Shared - 64) << 10,
			// One connection, and whoever finds no place on it waits.
			StrictMaxConcurrentRequests: true,
		},
		DisableCompression: true,
	}
	if roots == nil {
		t.Protocols.SetUnencryptedHTTP2(true)
		return t
	}
	t.Protocols.SetHTTP2(true)
	t.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: siteName}
	return t
}

// endregion

// visit goes through all there is to see.
func (c *client) visit(ctx context.Context) error {
	for range 2 { // the same twice: the second time the headers are known
		if _, err := c.get(ctx, "/hello", 0, -1); err != nil {
			return err
		}
	}
	var many []func(context.Context) error
	for range c.p.Requests {
		many = append(many, func(ctx context.Context) error {
			_, err := c.get(ctx, "/big", c.p.Busy, -1)
			return err
		})
	}
	if err := c.run.Together(ctx, many...); err != nil {
		return err
	}
	if err := c.upload(ctx); err != nil {
		return err
	}
	if _, err := c.get(ctx, "/endless", 0, 20<<10); err != nil { // enough of it
		return err
	}
	_, err := c.get(ctx, "/push", 0, -1)
	return err
}

// get gets a page: waits a while before it reads, and reads to the end or to
// where it has had enough.
func (c *client) get(ctx context.Context, path string, busy time.Duration, most int64) (n int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return 0, err
	}
	end := c.run.Begin(trace.HTTP, clientLane, "GET "+path)
	defer func() {
		if err != nil {
			end(err.Error())
		} else {
			end(fmt.Sprintf("%d bytes", n))
		}
	}()
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return 0, fmt.Errorf("GET %s: %w", path, err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		return 0, fmt.Errorf("GET %s: answered by %s", path, resp.Proto)
	}
	if err := c.run.Sleep(ctx, busy); err != nil {
		return 0, err
	}
	if most >= 0 {
		n, err = io.CopyN(io.Discard, resp.Body, most)
	} else {
		n, err = io.Copy(io.Discard, resp.Body)
	}
	if err != nil {
		return n, fmt.Errorf("GET %s: %w", path, err)
	}
	return n, nil
}

func (c *client) upload(ctx context.Context) error {
	body := bytes.NewReader(make([]byte, 100<<10))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/upload", body)
	if err != nil {
		return err
	}
	end := c.run.Begin(trace.HTTP, clientLane, "POST /upload")
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		end(err.Error())
		return fmt.Errorf("POST /upload: %w", err)
	}
	text, err := io.ReadAll(resp.Body)
	end(string(bytes.TrimSpace(text)))
	return errors.Join(err, resp.Body.Close())
}

// old asks by HTTP/1.1 on the same port.
func (c *client) old(ctx context.Context, h *lab.Host, roots *x509.CertPool) (proto string, err error) {
	t := newTransport(h, c.p, roots)
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.DisableKeepAlives = true
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/hello", nil)
	if err != nil {
		return "", err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return "", fmt.Errorf("GET by HTTP/1.1: %w", err)
	}
	return resp.Proto, resp.Body.Close()
}
