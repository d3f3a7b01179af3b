package transport

import (
	"net/http"
	"time"

	"peerlab/lab"
)

// region log

// logger tells of every request that comes by: what came of it and how long it
// took until the header of the answer was there. It touches neither body, and
// headers it leaves out, since tokens are in them.
type logger struct {
	next http.RoundTripper
	log  func(format string, args ...any)
}

// RoundTrip is http.RoundTripper's.
func (l *logger) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := l.next.RoundTrip(req)
	took := lab.Milliseconds(time.Since(began))
	if err != nil {
		l.log("%s %s: %v, after %.1f ms", req.Method, req.URL.Redacted(), err, took)
		return nil, err
	}
	l.log("%s %s: %d after %.1f ms", req.Method, req.URL.Redacted(), resp.StatusCode, took)
	return resp, nil
}

// endregion
