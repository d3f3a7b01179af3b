package fasthttp

import (
	"errors"
	"net/http"
	"testing"
)

// answering is a RoundTripper that tells of requests and answers when it is let.
type answering struct{ came, let chan struct{} }

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	a.came <- struct{}{}
	<-a.let
	return &http.Response{}, nil
}

func TestACrowdTurnsAwayWhoIsTooMany(t *testing.T) {
	inner := answering{make(chan struct{}), make(chan struct{})}
	c := crowd{inner, make(chan struct{}, 1)}
	first := make(chan error)
	go func() {
		_, err := c.RoundTrip(nil)
		first <- err
	}()
	<-inner.came
	if _, err := c.RoundTrip(nil); !errors.Is(err, errCrowded) {
		t.Errorf("the second of one at a time: %v", err)
	}
	inner.let <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	go func() { <-inner.came; inner.let <- struct{}{} }()
	if _, err := c.RoundTrip(nil); err != nil {
		t.Errorf("the third, after the first: %v", err)
	}
}
