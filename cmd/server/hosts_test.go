package main

import (
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

func TestHostListAnswersOnlyToOurNames(t *testing.T) {
	l := newHostList("box.example", publicURL{&url.URL{Host: "peer.example.org:443"}}, []string{"Lab.Example."})
	for host, want := range map[string]bool{
		"localhost:8080":        true,
		"LOCALHOST":             true,
		"127.0.0.1:8080":        true,
		"[::1]:8080":            true,
		"192.0.2.7":             true,
		"box.example":           true,
		"box:8080":              true,
		"box.local:8080":        true,
		"peer.example.org":      true,
		"lab.example:80":        true,
		"a.localhost":           true,
		"evil.example":          false,
		"localhost.evil.test":   false,
		"":                      false,
		"127.0.0.1.nip.example": false,
	} {
		if got := l.allows(host); got != want {
			t.Errorf("allows(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestClientAddrBelievesOnlyTrustedProxies(t *testing.T) {
	l := proxyList{{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"203.0.113.9:1000", "198.51.100.1", "203.0.113.9"},
		{"10.0.0.1:1000", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1000", "6.6.6.6, 198.51.100.1, 10.2.2.2", "198.51.100.1"},
		{"10.0.0.1:1000", "", "10.0.0.1"},
		{"10.0.0.1:1000", "nonsense", "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1000", "198.51.100.1", "198.51.100.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := l.clientAddr(r).String(); got != c.want {
			t.Errorf("from %s via %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestSocketsAreForOurOwnPages(t *testing.T) {
	public := publicURL{&url.URL{Scheme: "https", Host: "peer.example"}}
	for origin, want := range map[string]bool{
		"":                         true,
		"http://box.example:8080":  true,
		"https://peer.example":     true,
		"http://peer.example":      false,
		"http://box.example":       false,
		"https://evil.example":     false,
		"null":                     false,
		"http://box.example:8080@": false,
	} {
		r := httptest.NewRequest("GET", "http://box.example:8080/rooms/x/ws", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if got := sameOrigin(r, public); got != want {
			t.Errorf("Origin %q: %v, want %v", origin, got, want)
		}
	}
}
