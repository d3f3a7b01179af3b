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
	"slices"
	"strings"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// ours is the header by which the upstreams know that a request came through
// the proxy, and what is in it.
const (
	ours     = "X-Auth"
	ourValue = "checked-by-the-proxy"
	// pseudonym names the proxies in Via, RFC 9110 section 7.6.3.
	pseudonym = "peerlab"
)

// region director

// director is the reverse proxy of most examples: Director changes a request
// that is on its way already. What the client said about itself stays in it,
// and what the client declared to be for one hop only is taken out afterwards,
// the proxy's own header included.
func director(pick func() string, t http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Director: func(r *http.Request) {
			r.URL.Scheme, r.URL.Host = "http", pick()
			r.Header.Set(ours, ourValue)
		},
		Transport: t,
	}
}

// endregion

// region rewrite

// rewrite makes a new request from the one that came. It begins without the
// hop-by-hop headers and without what the client said about itself, so what is
// set here is what arrives.
func rewrite(pick func() string, t http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", pick()
			r.Out.Host = "" // the upstream's own name
			r.SetXForwarded()
			r.Out.Header.Set(ours, ourValue)
			r.Out.Header.Add("Via", "1.1 "+pseudonym)
			onlyWebSocket(r.Out.Header)
		},
		Transport: t,
	}
}

// onlyWebSocket lets one upgrade through and no other. ReverseProxy hands on
// whatever a client asks for. An upstream that agrees to h2c speaks HTTP/2
// with the client from then on, and none of it comes by this proxy's rules.
func onlyWebSocket(h http.Header) {
	if !strings.EqualFold(h.Get("Upgrade"), "websocket") {
		h.Del("Upgrade")
		h.Del("Connection")
	}
}

// endregion

// The two ways.
const (
	viaDirector = "director"
	viaRewrite  = "rewrite"
)

// reverse is one reverse proxy with what lies behind it and a client before it.
type reverse struct {
	name    string
	run     *lab.Run
	client  *lab.Host
	ups     []*upstream
	drop    *dropped
	pool    *pool
	dialer  *dialer
	balance *balancer // of rewrite; nil in director
	watch   *watch
	counts  tally
}

// setting is what a reverse proxy is made of besides its upstreams.
type setting struct {
	dialer *dialer
	pool   *pool
	// idle connections to each upstream are kept; 0 is what net/http does.
	idle int
	rest time.Duration
}

// newReverse makes the proxy of that name. This is all there is of it: the
// rest of the lab is before and behind.
func newReverse(name string, upstreams []string, s setting) (*httputil.ReverseProxy, *balancer) {
	t := &http.Transport{
		DialContext: s.dialer.DialContext, DisableCompression: true,
		MaxIdleConnsPerHost: s.idle, IdleConnTimeout: 15 * time.Second,
		ResponseHeaderTimeout: 15 * time.Second, MaxResponseHeaderBytes: maxHeader,
	}
	b := &balancer{upstreams: upstreams, next: t, rest: s.rest, back: map[string]time.Time{}}
	var p *httputil.ReverseProxy
	if name == viaDirector {
		p, b = director(b.pick, t), nil
	} else {
		first := func() string { return upstreams[0] } // the balancer has the last word
		p = rewrite(first, b)
	}
	p.BufferPool = s.pool
	p.ErrorHandler = badGateway
	p.ErrorLog = log.New(io.Discard, "", 0) // what happens is in the record
	return p, b
}

// badGateway tells the client that it is not its fault.
func badGateway(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusBadGateway
	var slow net.Error
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		status = http.StatusRequestEntityTooLarge
	} else if errors.As(err, &slow) && slow.Timeout() {
		status = http.StatusGatewayTimeout
	}
	http.Error(w, "no answer from upstream: "+err.Error(), status)
}

// openReverse starts the upstreams and the proxy before them.
func openReverse(ctx context.Context, r *lab.Run, name string, p Params) (*reverse, error) {
	s := &reverse{
		name: name, run: r, drop: &dropped{}, pool: newPool(0), watch: &watch{run: r, lane: "proxy"},
		counts: tally{run: r},
	}
	host, err := r.Host("proxy")
	if err != nil {
		return nil, err
	}
	if s.client, err = r.Host("client"); err != nil {
		return nil, err
	}
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return nil, err
	}
	r.State(trace.App, "client", "asks", "http://proxy:80") // lanes stand in the order they are first heard of
	r.State(trace.App, "proxy", "listens on", l.Addr().String())
	if s.ups, err = openUpstreams(ctx, r, p.Upstreams, s.drop); err != nil {
		return nil, err
	}
	s.dialer = &dialer{dial: host.DialContext}
	with := setting{dialer: s.dialer, rest: p.Rest}
	if name == viaRewrite {
		with.idle = p.Concurrency
		if p.Pool {
			s.pool = newPool(p.Concurrency)
		}
	}
	with.pool = s.pool
	var addresses []string
	for _, u := range s.ups {
		addresses = append(addresses, u.address())
	}
	proxy, balance := newReverse(name, addresses, with)
	s.balance = balance
	r.Live("url", "http://"+l.Addr().String())
	serve(r, newServer(ctx, r, s.watch.handler(proxy)), &door{Listener: l, run: r, from: map[string]int{}})
	return s, nil
}

func openUpstreams(ctx context.Context, r *lab.Run, n int, d *dropped) ([]*upstream, error) {
	var all []*upstream
	for i := range n {
		u, err := newUpstream(ctx, r, i+1, d)
		if err != nil {
			return nil, fmt.Errorf("upstream %d: %w", i+1, err)
		}
		all = append(all, u)
	}
	return all, nil
}

// facts tells what was counted, also when the run was stopped.
func (s *reverse) facts() {
	s.run.Fact("connections opened to upstreams", float64(s.dialer.dials.Load()), "connections")
	s.run.Fact("copy buffers made", float64(s.pool.made.Load()), "buffers")
	s.run.Fact("bodies copied", float64(s.pool.lent.Load()), "bodies")
	s.run.Fact("requests from outside", float64(s.watch.seen()), "requests")
	retries := 0.0
	if s.balance != nil {
		retries = float64(s.balance.retries.Load())
	}
	s.run.Fact("retries", retries, "requests")
	s.counts.facts()
}

// hopByHop counts those of names that are in h.
func hopByHop(h http.Header, names []string) (n int) {
	for name := range h {
		if slices.Contains(names, name) {
			n++
		}
	}
	return n
}
