package transport

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

// region naive-auth

// naiveAuth adds the token to the request that it was given, which is the
// caller's, and does not ask where it goes.
type naiveAuth struct {
	next  http.RoundTripper
	token func(user string) string
}

// RoundTrip is http.RoundTripper's.
func (a *naiveAuth) RoundTrip(req *http.Request) (*http.Response, error) {
	if token := a.token(userOf(req)); token != "" {
		req.Header.Add("Authorization", "Bearer "+token)
		remark(req, "token of %s", userOf(req))
	}
	return a.next.RoundTrip(req)
}

// endregion

// region naive-retry

// naiveRetry sends the same request until it works. The first attempt has read
// the body; nobody closes the answers it does not want; and it repeats an order
// as readily as a look at the news.
type naiveRetry struct {
	next     http.RoundTripper
	attempts int
}

// RoundTrip is http.RoundTripper's.
func (r *naiveRetry) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	for try := range r.attempts {
		attempts(req, try+1)
		resp, err = r.next.RoundTrip(req)
		if err == nil && resp.StatusCode < 500 {
			break
		}
	}
	return resp, err
}

// endregion

// region naive-cache

// naiveCache keeps what says how long it is fresh, by its URL and nothing else.
type naiveCache struct {
	next http.RoundTripper
	show func(what, how string)

	mu   sync.Mutex
	kept map[string]naivelyKept
}

type naivelyKept struct {
	response http.Response
	body     []byte
	until    time.Time
}

// RoundTrip is http.RoundTripper's.
func (c *naiveCache) RoundTrip(req *http.Request) (*http.Response, error) {
	key := req.URL.String()
	c.mu.Lock()
	k, ok := c.kept[key]
	c.mu.Unlock()
	if ok && req.Method == http.MethodGet && time.Now().Before(k.until) {
		remark(req, "hit")
		resp := k.response
		resp.Body = io.NopCloser(bytes.NewReader(k.body))
		return &resp, nil
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || req.Method != http.MethodGet {
		return resp, err
	}
	fresh := lifetime(resp.Header)
	if fresh == 0 {
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	c.kept[key] = naivelyKept{*resp, body, time.Now().Add(fresh)}
	c.mu.Unlock()
	c.show(label(req), kept(body, fresh))
	remark(req, "stored")
	return resp, nil
}

// endregion
