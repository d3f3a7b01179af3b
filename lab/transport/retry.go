package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// maxPause is the longest pause before another attempt. A server that asks for
// more is not asked again.
const maxPause = 2 * time.Second

// region retry

// retry sends a request again that came to nothing, if it may be sent again.
type retry struct {
	next     http.RoundTripper
	attempts int
	pause    time.Duration // before the second attempt; doubled from there on
}

// RoundTrip is http.RoundTripper's.
func (r *retry) RoundTrip(req *http.Request) (*http.Response, error) {
	attempt := req
	for try := 1; ; try++ {
		resp, err := r.next.RoundTrip(attempt)
		attempts(req, try)
		pause, worth := r.another(req, resp, err, try)
		if !worth {
			return resp, err
		}
		discard(resp) // its connection can be used for the next attempt
		if err := sleep(req.Context(), pause); err != nil {
			return nil, fmt.Errorf("before attempt %d: %w", try+1, err)
		}
		if attempt, err = again(req); err != nil {
			return nil, fmt.Errorf("attempt %d: %w", try+1, err)
		}
	}
}

// again is the request with a body that has not been read.
func again(req *http.Request) (*http.Request, error) {
	attempt := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("the body once more: %w", err)
		}
		attempt.Body = body
	}
	return attempt, nil
}

// mayRepeat tells whether a request may be sent twice: it does no more harm
// then (RFC 9110 section 9.2.2), or it has a key by which the server knows it again;
// and its body can be had twice.
func mayRepeat(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header.Get("Idempotency-Key") != ""
}

// another tells whether there is to be another attempt, and when.
func (r *retry) another(req *http.Request, resp *http.Response, err error, try int) (pause time.Duration, worth bool) {
	switch {
	case err == nil && !temporary(resp.StatusCode):
		return 0, false
	case try >= r.attempts, req.Context().Err() != nil, errors.Is(err, errOpen):
		return 0, false // an open breaker would refuse that as well
	case !mayRepeat(req):
		remark(req, "may not be repeated")
		return 0, false
	}
	most := min(r.pause<<(try-1), maxPause)
	pause = most/2 + rand.N(most/2+1) // by chance, so that clients do not come back all at once
	if err == nil {
		pause = max(pause, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	}
	return pause, pause <= maxPause
}

// endregion

// temporary tells of a status whether another attempt may have a better one.
func temporary(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads a Retry-After field: seconds, or a date (RFC 9110 section
// 10.2.3). 0 is for what says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// attempts tells how many there were, if there was more than one.
func attempts(req *http.Request, n int) {
	if n > 1 {
		remark(req, "%d attempts", n)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
