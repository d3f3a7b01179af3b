package transport

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// region chain

// layer puts a RoundTripper around another one. It sees every request on the
// way in and every response on the way out, and may hand a request on, several
// times if need be, or answer it itself.
type layer func(next http.RoundTripper) http.RoundTripper

// chain puts the layers around the transport, the first one outermost.
func chain(transport http.RoundTripper, layers []layer) http.RoundTripper {
	for _, around := range slices.Backward(layers) {
		transport = around(transport)
	}
	return transport
}

// roundTrip lets a function be a RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip is http.RoundTripper's.
func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// endregion

// The layers there are.
const (
	logging  = "log"
	retrying = "retry"
	authing  = "auth"
	caching  = "cache"
	breaking = "breaker"
)

// parseOrder reads names of layers, the outermost first. Each may be there once;
// the log twice, to be seen at two places.
func parseOrder(text string) ([]string, error) {
	order := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	count := map[string]int{}
	for _, name := range order {
		count[name]++
		switch name {
		case retrying, authing, caching, breaking:
			if count[name] > 1 {
				return nil, fmt.Errorf("has %s twice", name)
			}
		case logging:
			if count[name] > 2 {
				return nil, fmt.Errorf("has %s three times", name)
			}
		default:
			return nil, fmt.Errorf("has a layer %q; there are log, retry, auth, cache and breaker", name)
		}
	}
	return order, nil
}

// closeBody is owed by whoever does not hand a request on: a RoundTripper closes
// the body in any case.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// discard gives a response up: read to its end, so that its connection can be
// used again, unless that takes longer than a new one.
func discard(resp *http.Response) {
	if resp != nil {
		io.CopyN(io.Discard, resp.Body, 16<<10)
		resp.Body.Close()
	}
}
