package transport

import (
	"net/http"
	"time"
)

// region cache

// cache is a shared one: its client asks on behalf of several users. It keeps
// what RFC 9111 lets it keep, answers with it while that is fresh, and has it
// checked by the server when it is not.
type cache struct {
	next  http.RoundTripper
	store *store
}

// RoundTrip is http.RoundTripper's.
func (c *cache) RoundTrip(req *http.Request) (*http.Response, error) {
	if !concerns(req) {
		resp, err := c.next.RoundTrip(req)
		if err == nil && changes(req.Method) && resp.StatusCode < 400 {
			c.store.forget(req.URL.String()) // it may be another one now
		}
		return resp, err
	}
	found := c.store.find(req)
	_, check := directives(req.Header)["no-cache"]
	if found != nil && !check && found.usable(time.Now()) {
		closeBody(req)
		remark(req, "hit")
		return found.response(req, time.Now()), nil
	}
	asked, sent := conditional(req, found), time.Now()
	resp, err := c.next.RoundTrip(asked)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNotModified && asked != req {
		discard(resp)
		found = found.renewed(resp.Header, sent, time.Now())
		c.store.put(found)
		remark(req, "stale, still good")
		return found.response(req, time.Now()), nil
	}
	if why := mayStore(req, resp); why != "" {
		remark(req, "not kept: %s", why)
		return resp, nil
	}
	remark(req, "stored")
	s := newStored(req, resp, sent, time.Now())
	resp.Body = &copied{ReadCloser: resp.Body, whole: func(body []byte) {
		s.body = body
		c.store.put(s)
	}}
	return resp, nil
}

// concerns tells whether the cache has a say: it knows GET, as long as the
// caller makes no conditions of its own.
func concerns(req *http.Request) bool {
	for _, own := range []string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if req.Header.Get(own) != "" {
			return false
		}
	}
	return req.Method == http.MethodGet
}

// changes tells whether a method may change what is at its URL (RFC 9111
// section 4.4).
func changes(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}

// conditional asks for a response only if it is another one than s; it is the
// request itself if s can't be named.
func conditional(req *http.Request, s *stored) *http.Request {
	if s == nil || s.header.Get("Etag") == "" {
		return req
	}
	asked := req.Clone(req.Context())
	asked.Header.Set("If-None-Match", s.header.Get("Etag"))
	return asked
}

// endregion
