package transport

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// errOpen is the answer of an open breaker.
var errOpen = errors.New("the breaker is open")

// The states of a breaker.
const (
	closed   = "closed"
	open     = "open"
	halfOpen = "half-open"
)

// region breaker

// breaker stops asking a server that fails: after some failures in a row it
// refuses at once, and when it has cooled down lets one request try.
type breaker struct {
	next      http.RoundTripper
	threshold int
	cooldown  time.Duration
	changed   func(state string, failures int) // called with mu held

	mu       sync.Mutex
	state    string
	failures int // in a row
	until    time.Time
	probing  bool
}

// RoundTrip is http.RoundTripper's.
func (b *breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	probe, ok := b.admit(time.Now())
	if !ok {
		closeBody(req) // a RoundTripper does so, whatever happens
		remark(req, "open: refused")
		return nil, errOpen
	}
	resp, err := b.next.RoundTrip(req)
	switch {
	case err != nil && errors.Is(req.Context().Err(), context.Canceled):
		b.judge(probe, unknown) // the caller went away: that is not the server's fault
	case err != nil || resp.StatusCode >= 500:
		b.judge(probe, bad)
	default:
		b.judge(probe, good)
	}
	return resp, err
}

// admit tells whether a request may pass, and whether it is the one that tries.
func (b *breaker) admit(now time.Time) (probe, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state == closed:
		return false, true
	case b.state == open && now.Before(b.until), b.probing:
		return false, false
	}
	b.probing = true
	b.become(halfOpen)
	return true, true
}

// judge takes in how a request ended. What began before the breaker opened
// says nothing new.
func (b *breaker) judge(probe bool, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	} else if b.state != closed {
		return
	}
	switch o {
	case good:
		b.failures = 0
		b.become(closed)
	case bad:
		b.failures++
		if probe || b.failures >= b.threshold {
			b.until = time.Now().Add(b.cooldown)
			b.become(open)
			return
		}
		b.become(closed)
	}
}

// endregion

// outcome is what the end of a request says of the server.
type outcome int

const (
	unknown outcome = iota
	good
	bad
)

func (b *breaker) become(state string) {
	b.state = state
	b.changed(state, b.failures)
}
