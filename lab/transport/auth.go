package transport

import (
	"context"
	"net"
	"net/http"
	"net/url"
)

// userKey is where a request's context says on whose behalf it is.
type userKey struct{}

// as makes requests on behalf of a user.
func as(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

func userOf(req *http.Request) string {
	user, _ := req.Context().Value(userKey{}).(string)
	return user
}

// region auth

// auth adds the token of the user that a request is on behalf of, for one
// origin only: it stands below the redirects of http.Client and is asked for
// every hop, wherever that leads.
type auth struct {
	next   http.RoundTripper
	origin string                   // scheme, host and port
	token  func(user string) string // empty: none
}

// RoundTrip is http.RoundTripper's.
func (a *auth) RoundTrip(req *http.Request) (*http.Response, error) {
	token := a.token(userOf(req))
	switch {
	case origin(req.URL) != a.origin:
		remark(req, "no token: %s is not its host", req.URL.Host)
	case token != "" && req.Header.Get("Authorization") == "":
		req = req.Clone(req.Context()) // the caller's own stays as it was
		req.Header.Set("Authorization", "Bearer "+token)
		remark(req, "token of %s", userOf(req))
	}
	return a.next.RoundTrip(req)
}

// origin is whom a URL leads to.
func origin(u *url.URL) string {
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "" && u.Scheme == "https":
		port = "443"
	}
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port)
}

// endregion
