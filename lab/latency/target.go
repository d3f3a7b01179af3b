package latency

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"peerlab/guard"
	"peerlab/lab"
	"peerlab/trace"
)

// target is whom a variant asks, and how it gets there.
type target struct {
	url       *url.URL
	own       *own // nil: somebody else's
	client    *lab.Host
	dialer    *dialer
	transport *http.Transport
}

// errNeedsTLS is why a variant is left out.
var errNeedsTLS = errors.New("left out, as HTTP/2 is chosen in the TLS handshake and this URL has none")

// newTarget prepares one variant.
func newTarget(p Params, r *lab.Run, protocol string) (*target, error) {
	client, err := r.Host("client")
	if err != nil {
		return nil, err
	}
	t := &target{client: client, dialer: &dialer{run: r, client: client}}
	t.transport = &http.Transport{
		DialContext: t.dialer.DialContext, Protocols: protocols(protocol), DisableCompression: true,
		MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 20 * time.Second,
	}
	if p.URL != "" {
		if t.url, err = url.Parse(p.URL); err != nil {
			return nil, err
		}
		if protocol == h2 && t.url.Scheme == "http" {
			return nil, errNeedsTLS
		}
		r.State(trace.HTTP, "client", "asks", t.url.String())
		t.transport.MaxResponseHeaderBytes = 64 << 10
		return t, nil
	}
	if t.own, err = newOwn(p, r); err != nil {
		return nil, err
	}
	t.dialer.names = names(client)
	t.transport.TLSClientConfig = &tls.Config{RootCAs: t.own.roots, KeyLogWriter: r.KeyLog()}
	t.url, err = url.Parse(t.own.url)
	return t, err
}

// Why a URL is refused.
var (
	errScheme  = errors.New("its scheme is neither https nor http")
	errHost    = errors.New("it names no host")
	errUser    = errors.New("it has a user name in it")
	errPort    = errors.New("its port is none of 80, 443, 8080 and 8443")
	errLocal   = errors.New("it names this machine")
	errAddress = errors.New("its address is not public")
)

// checkURL refuses what can be refused by its looks, for the first URL and for
// those that redirects lead to. Where a name leads to is judged by the outside
// dialer, for every connection.
func checkURL(u *url.URL) error {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return errScheme
	case host == "":
		return errHost
	case u.User != nil:
		return errUser
	case u.Port() != "" && !slices.Contains([]string{"80", "443", "8080", "8443"}, u.Port()):
		return errPort
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return errLocal
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if class, ok := guard.Public.Allow(a); !ok {
			return fmt.Errorf("%w: %s is a %s one", errAddress, host, class)
		}
	}
	return nil
}

// reason says in a few words, for the visitor, why a request came to nothing.
func reason(err error) string {
	if refused, ok := errors.AsType[*guard.Refused](err); ok {
		return refused.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok { // whose server was asked is ours to know
		return fmt.Sprintf("looking up %q: %s", dns.Name, dns.Err)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err.Error()
	}
	return err.Error()
}
