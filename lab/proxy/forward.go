package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// forward is the forward proxy.
type forward struct {
	run   *lab.Run
	gate  *gate
	plain *httputil.ReverseProxy
	idle  time.Duration

	let, refused, tunnels atomic.Int64
}

// maxThrough is how many bytes one request or tunnel may move each way.
const maxThrough = 16 << 20

// newForward makes a proxy that goes where g lets it.
func newForward(r *lab.Run, g *gate, idle time.Duration) *forward {
	f := &forward{run: r, gate: g, idle: idle}
	f.plain = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.User = nil // a name and a password are not for the wire
			r.Out.Header.Add("Via", "1.1 "+pseudonym)
			r.Out.Header.Del("Upgrade") // who wants another protocol asks by CONNECT
			r.Out.Header.Del("Connection")
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return g.connect(ctx, address)
			},
			DisableCompression: true, MaxIdleConns: 16, IdleConnTimeout: 5 * time.Second,
			ResponseHeaderTimeout: 15 * time.Second, MaxResponseHeaderBytes: maxHeader,
		},
		ModifyResponse: func(resp *http.Response) error {
			f.let.Add(1)
			resp.Body = &capped{ReadCloser: resp.Body, left: maxThrough}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { f.refuse(w, err) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	return f
}

// region forward

// ServeHTTP takes the two forms of request that only a proxy gets (RFC 9112
// section 3.2): CONNECT host:port, and GET with a whole URL.
func (f *forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case r.Method == http.MethodConnect:
		f.connect(w, r)
	case r.URL.Scheme == "http" && r.URL.Host != "":
		f.plain.ServeHTTP(w, r)
	case r.URL.IsAbs():
		http.Error(w, fmt.Sprintf("for %q ask by CONNECT", clip(r.URL.Scheme)), http.StatusBadRequest)
	default:
		http.Error(w, "this is a forward proxy: use it with curl -x", http.StatusBadRequest)
	}
}

// connect opens a tunnel. The target is reached first, so that a refusal can
// still be an HTTP answer; after the 200 there is no HTTP any more.
func (f *forward) connect(w http.ResponseWriter, r *http.Request) {
	server, err := f.gate.connect(r.Context(), r.Host)
	if err != nil {
		f.refuse(w, err)
		return
	}
	defer server.Close()
	client, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "CONNECT needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	defer client.Close()
	client.SetDeadline(time.Time{}) // the server's deadlines were for HTTP
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	end := func(string) {}
	if f.tunnels.Add(1) <= maxShown {
		end = f.run.Begin(trace.TCP, "proxy", "tunnel to "+r.Host)
	}
	t := &tunnel{idle: f.idle, limit: maxThrough}
	up, down := t.join(r.Context(), client, server, in, func(g func()) {
		f.run.Go(func(context.Context) error { g(); return nil })
	})
	end(fmt.Sprintf("%d bytes to it, %d bytes from it", up, down))
}

// refuse tells why not. A refusal is 403; what could not be reached is 502 or,
// in time, 504.
func (f *forward) refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	var slow net.Error
	if no := new(refusal); errors.As(err, &no) {
		status = http.StatusForbidden
		if f.refused.Add(1) <= maxShown {
			f.run.Note("The forward proxy %v.", no)
		}
		err = no
	} else if errors.As(err, &slow) && slow.Timeout() {
		status = http.StatusGatewayTimeout
	}
	http.Error(w, err.Error(), status)
}

// endregion

// capped is a body that fails beyond so many bytes.
type capped struct {
	io.ReadCloser
	left int64
}

var errTooLong = errors.New("the answer is longer than this proxy passes on")

func (c *capped) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLong
	}
	n, err := c.ReadCloser.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	return n, err
}

// forwarding is the forward proxy with a client and a target.
type forwarding struct {
	*forward
	client *lab.Host
	origin *upstream
	watch  *watch
}

// openForward starts the target and the proxy.
func openForward(ctx context.Context, r *lab.Run, p Params) (*forwarding, error) {
	s := &forwarding{watch: &watch{run: r, lane: "proxy"}}
	host, err := r.Host("proxy")
	if err != nil {
		return nil, err
	}
	if s.client, err = r.Host("client"); err != nil {
		return nil, err
	}
	l, err := host.Listen("tcp", ":3128")
	if err != nil {
		return nil, err
	}
	r.State(trace.App, "client", "asks", "proxy:3128")
	r.State(trace.App, "proxy", "listens on", l.Addr().String())
	home, err := r.Host("origin")
	if err != nil {
		return nil, err
	}
	s.origin = &upstream{run: r, host: home, ctx: ctx, drop: &dropped{}}
	if err := s.origin.revive(); err != nil {
		return nil, err
	}
	s.forward = newForward(r, &gate{
		own:     []string{s.origin.address(), s.origin.l.Addr().String()},
		outside: r.Network() == lab.Loopback, dial: host.DialContext,
	}, p.Idle)
	r.Live("proxy", l.Addr().String())
	serve(r, newServer(ctx, r, s.watch.handler(s.forward)), &door{Listener: l, run: r, from: map[string]int{}})
	return s, nil
}

// facts tells what was counted, also when the run was stopped.
func (s *forwarding) facts() {
	s.run.Fact("requests refused", float64(s.refused.Load()), "requests")
	s.run.Fact("requests in absolute form", float64(s.let.Load()), "requests")
	s.run.Fact("tunnels opened", float64(s.tunnels.Load()), "tunnels")
	s.run.Fact("requests from outside", float64(s.watch.seen()), "requests")
}
