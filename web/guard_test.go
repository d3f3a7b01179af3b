package web_test

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"peerlab/signaling"
	"peerlab/web"
)

var queryEscape = url.QueryEscape

var hubErrors = []struct {
	err    error
	status int
	title  string
}{
	{signaling.ErrRateLimited, 429, "One room at a time"},
	{signaling.ErrTooManyRooms, 503, "Every room is taken"},
	{errors.New("the disk is on fire"), 500, "That was our mistake"},
}

func TestHeaders(t *testing.T) {
	f := start(t)
	for _, path := range []string{"/", "/status", "/rooms/" + openRoom, "/nothing", "/api/status", "/metrics"} {
		h := f.get(path).Header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "same-origin",
			"Cache-Control":          "no-store",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
		policy := h.Get("Content-Security-Policy")
		host := strings.TrimPrefix(f.URL, "http://")
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "ws://" + host} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: policy lacks %q: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: unsafe policy: %s", path, policy)
		}
		if h.Get("Permissions-Policy") == "" {
			t.Errorf("%s: no Permissions-Policy", path)
		}
	}
}

// Where a browser would ignore the opener policy it complains about it instead.
func TestOpenerPolicyOnSecureOriginsOnly(t *testing.T) {
	f := start(t)
	for _, c := range []struct {
		header []string
		want   string
	}{
		{[]string{"Host", "localhost:8080"}, "same-origin"},
		{[]string{"Host", "192.168.1.7:8080"}, ""},
		{[]string{"Host", "192.168.1.7:8080", "X-Forwarded-Proto", "https"}, "same-origin"},
	} {
		if got := f.get("/status", c.header...).Header.Get("Cross-Origin-Opener-Policy"); got != c.want {
			t.Errorf("%v: opener policy %q, want %q", c.header, got, c.want)
		}
	}
}

// A Host with characters that mean something in a policy must not get into it.
func TestHostCannotWriteThePolicy(t *testing.T) {
	f := start(t)
	got := f.get("/", "Host", "a;script-src*")
	if policy := got.Header.Get("Content-Security-Policy"); strings.Contains(policy, "script-src*") {
		t.Errorf("policy: %s", policy)
	}
}

func TestUnknownHostIsRefused(t *testing.T) {
	f := start(t)
	f.get("/", "Host", "evil.example").want(t, 421, "This server has another name")
	f.get("/api/status", "Host", "evil.example").want(t, 421, `"error"`)
	f.ask("POST", "/rooms", "", "Host", "evil.example").want(t, 421)
	f.get("/healthz", "Host", "evil.example").want(t, 200)
}

func TestOtherSitesCannotPost(t *testing.T) {
	f := start(t)
	for _, path := range []string{"/rooms", "/join", "/nat/map", "/nat/check", "/rooms/" + openRoom + "/invite"} {
		f.ask("POST", path, "on=true", "Sec-Fetch-Site", "cross-site").want(t, 403, "sent by another site")
		f.ask("POST", path, "on=true", "Origin", "http://evil.example").want(t, 403)
	}
	f.ask("POST", "/rooms", "", "Sec-Fetch-Site", "same-origin", "Origin", f.URL).want(t, 303)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.invited)+len(f.mapped)+f.checked > 0 {
		t.Error("something was done for another site")
	}
}

func TestNetworkChangesAreForThisMachineOnly(t *testing.T) {
	from := func(addr string) func(*web.Config) {
		return func(c *web.Config) {
			c.ClientAddr = func(*http.Request) netip.Addr { return netip.MustParseAddr(addr) }
		}
	}
	for _, c := range []struct {
		name    string
		client  string
		headers []string
		allowed bool
	}{
		{"here", "127.0.0.1", nil, true},
		{"here, IPv6", "::1", []string{"Host", "localhost"}, true},
		{"here, mapped", "::ffff:127.0.0.1", []string{"Host", "[::1]:8080"}, true},
		{"the LAN", "192.168.1.9", nil, false},
		{"a proxy on this machine that keeps Host", "127.0.0.1", []string{"Host", "peerlab.example"}, false},
		{"a proxy on this machine that says so", "127.0.0.1", []string{"X-Forwarded-For", "203.0.113.9"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := start(t, from(c.client))
			status := 403
			if c.allowed {
				status = 303
			}
			f.ask("POST", "/nat/map", "on=true", c.headers...).want(t, status)
			f.ask("POST", "/nat/check", "", c.headers...).want(t, status)
			if page := f.get("/", c.headers...); page.has("/nat/map") != c.allowed || page.has("/nat/check") != c.allowed {
				t.Errorf("buttons shown: %v", !c.allowed)
			}
		})
	}
}

func TestStatic(t *testing.T) {
	f := start(t)
	page := f.get("/").body
	at := strings.Index(page, "/static/")
	base := page[at : at+len("/static/")+16]
	for path, mime := range map[string]string{
		"/css/tokens.css":      "text/css; charset=utf-8",
		"/js/page/display.js":  "text/javascript; charset=utf-8",
		"/js/net/signaling.js": "text/javascript; charset=utf-8",
		"/icon.svg":            "image/svg+xml",
	} {
		got := f.get(base + path)
		got.want(t, 200)
		if got.Header.Get("Content-Type") != mime || got.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %s, %s", path, got.Header.Get("Content-Type"), got.Header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/static/0123456789abcdef/css/tokens.css", base + "/css", base + "/css/none.css", base + "/static.go", base + "/..%2f..%2fgo.mod"} {
		got := f.get(path)
		if got.StatusCode != 404 || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %s", path, got.StatusCode, got.Header.Get("Cache-Control"))
		}
	}
}
