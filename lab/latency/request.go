package latency

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"

	"peerlab/trace"
)

// maxBody is how much of an answer is read, in bytes, and timeout how long a
// request may take.
const (
	maxBody = 1_000_000
	timeout = 30 * time.Second
)

// result is what one request came to.
type result struct {
	times
	took   map[phase]time.Duration
	status int
	bytes  int64
	cut    bool     // there was more than maxBody
	next   *url.URL // where it redirects to
}

// errRedirect is wrapped by what is wrong with a redirect.
var errRedirect = errors.New("the redirect is not followed")

// request makes one request and shows it on a lane.
func (p *probe) request(ctx context.Context, lane string, to *url.URL) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	t := newTimeline(p.run, lane)
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, t.hooks()), http.MethodGet, to.String(), nil)
	if err != nil {
		t.finish(err.Error())
		return result{}, err
	}
	req.Header.Set("User-Agent", "peerlab-latency")
	p.run.Message(trace.HTTP, "client", "server", "GET "+to.EscapedPath(), lane)
	res, err := p.roundTrip(req)
	if err != nil {
		t.finish(reason(err))
		return result{}, err
	}
	text := fmt.Sprintf("%d, %d bytes", res.status, res.bytes)
	t.finish(text)
	res.times, res.took = t.result()
	p.connections(res)
	p.run.Add(trace.Event{
		Kind: trace.Message, Layer: trace.HTTP, From: "server", To: "client", Name: strconv.Itoa(res.status),
		Text: lane, Attrs: map[string]string{
			"connection": strconv.Itoa(res.conn), "reused": strconv.FormatBool(res.reused), "idle before": res.idle.String(),
			"length": strconv.FormatInt(res.bytes, 10),
		},
	})
	return res, nil
}

// roundTrip sends the request and reads the answer. Redirects are for the
// caller.
func (p *probe) roundTrip(req *http.Request) (result, error) {
	resp, err := p.target.transport.RoundTrip(req)
	if err != nil {
		return result{}, err
	}
	defer resp.Body.Close()
	res := result{status: resp.StatusCode}
	res.bytes, err = io.CopyN(io.Discard, resp.Body, maxBody)
	switch {
	case err == nil:
		var more [1]byte
		n, _ := resp.Body.Read(more[:])
		res.cut = n > 0
	case !errors.Is(err, io.EOF):
		return result{}, fmt.Errorf("the answer broke off after %d bytes: %w", res.bytes, err)
	}
	p.protocol(resp)
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		if res.next, err = req.URL.Parse(location); err != nil {
			return result{}, fmt.Errorf("%w: %w", errRedirect, err)
		}
		if err := checkURL(res.next); err != nil {
			return result{}, fmt.Errorf("%w: %s: %w", errRedirect, res.next.Redacted(), err)
		}
	}
	return res, nil
}

// protocol shows what was spoken.
func (p *probe) protocol(resp *http.Response) {
	text := resp.Proto
	if resp.TLS != nil {
		text += " over " + tls.VersionName(resp.TLS.Version)
	}
	p.run.State(trace.HTTP, "client", "speaks", text)
}
