package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fields of a message, a line each.
func header(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func request(method, body string, lines ...string) *http.Request {
	req := httptest.NewRequest(method, "http://api/x", nil)
	if body != "" {
		req, _ = http.NewRequest(method, "http://api/x", strings.NewReader(body))
	}
	req.Header = header(lines...)
	return req
}

// answers is a transport that answers with what is left of a list, and notes
// what it was sent.
type answers struct {
	mu     sync.Mutex
	status []int
	header http.Header
	sent   []string // bodies
	heads  []http.Header
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body := ""
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		req.Body.Close()
		body = string(b)
	}
	a.sent, a.heads = append(a.sent, body), append(a.heads, req.Header.Clone())
	status := a.status[min(len(a.sent), len(a.status))-1]
	if status == 0 {
		return nil, errors.New("no connection")
	}
	return &http.Response{StatusCode: status, Header: a.header.Clone(), Body: io.NopCloser(strings.NewReader("text")), Request: req}, nil
}

func TestRetryRepeatsWhatMayBeRepeated(t *testing.T) {
	noGetBody := request("PUT", "body")
	noGetBody.GetBody = nil
	for name, c := range map[string]struct {
		req    *http.Request
		status []int
		after  string
		want   int
	}{
		"a GET until it works":      {request("GET", ""), []int{503, 0, 200}, "", 3},
		"four attempts, no more":    {request("GET", ""), []int{503}, "", 4},
		"what is the client's own":  {request("GET", ""), []int{404}, "", 1},
		"a bug of the server":       {request("GET", ""), []int{500}, "", 1},
		"a POST":                    {request("POST", "body"), []int{503}, "", 1},
		"a POST with a key":         {request("POST", "body", "Idempotency-Key: 1"), []int{503, 200}, "", 2},
		"a PUT":                     {request("PUT", "body"), []int{503, 200}, "", 2},
		"a body that is gone":       {noGetBody, []int{503}, "", 1},
		"a server that wants a day": {request("GET", ""), []int{503}, "86400", 1},
		"a server that wants 1 s":   {request("GET", ""), []int{503, 200}, "1", 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &answers{status: c.status, header: header("Retry-After: " + c.after)}
				r := &retry{next: next, attempts: 4, pause: 100 * time.Millisecond}
				began := time.Now()
				resp, err := r.RoundTrip(c.req)
				if len(next.sent) != c.want {
					t.Errorf("sent %d times, want %d", len(next.sent), c.want)
				}
				for _, body := range next.sent[1:] {
					if body != next.sent[0] {
						t.Errorf("a body of %q, then of %q", next.sent[0], body)
					}
				}
				if c.after == "1" && time.Since(began) < time.Second {
					t.Errorf("the second attempt after %s", time.Since(began))
				}
				if err == nil {
					resp.Body.Close()
				}
			})
		})
	}
}

func TestABreakerOpensTriesAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &answers{status: []int{500}}
		b := &breaker{next: next, threshold: 2, cooldown: time.Second, changed: func(string, int) {}, state: closed}
		ask := func(ctx context.Context) error {
			resp, err := b.RoundTrip(request("GET", "").WithContext(ctx))
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		expect := func(state string, sent int) {
			t.Helper()
			if b.state != state || len(next.sent) != sent {
				t.Errorf("%s after %d requests, want %s after %d", b.state, len(next.sent), state, sent)
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		next.status = []int{0}
		for range 5 {
			ask(gone) // callers who went away
		}
		expect(closed, 5)
		next.status = []int{500}
		ask(t.Context())
		ask(t.Context())
		expect(open, 7)
		if err := ask(t.Context()); !errors.Is(err, errOpen) {
			t.Errorf("an open breaker says %v", err)
		}
		time.Sleep(time.Second)
		ask(t.Context()) // the try fails
		expect(open, 8)
		ask(t.Context())
		expect(open, 8)
		time.Sleep(time.Second)
		next.status = []int{0}
		ask(gone) // nor does this try say anything
		expect(halfOpen, 9)
		next.status = []int{200}
		ask(t.Context())
		expect(closed, 10)
	})
}

func TestAnOpenBreakerClosesTheBody(t *testing.T) {
	b := &breaker{state: open, until: time.Now().Add(time.Hour)}
	req := request("POST", "")
	body := &closing{}
	req.Body = body
	if _, err := b.RoundTrip(req); !errors.Is(err, errOpen) || !body.closed {
		t.Errorf("%v, closed: %t", err, body.closed)
	}
}

type closing struct {
	strings.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestTheRulesOfTheCache(t *testing.T) {
	for name, c := range map[string]struct {
		req, resp []string
		status    int
		keep      bool
	}{
		"a lifetime":               {nil, []string{"Cache-Control: max-age=60"}, 200, true},
		"a date":                   {nil, []string{"Expires: Thu, 01 Jan 2026 01:00:00 GMT", "Date: Thu, 01 Jan 2026 00:00:00 GMT"}, 200, true},
		"a date that was":          {nil, []string{"Expires: 0", "Date: Thu, 01 Jan 2026 00:00:00 GMT"}, 200, false},
		"nothing":                  {nil, nil, 200, false},
		"a tag":                    {nil, []string{`Etag: "1"`}, 200, true},
		"not found":                {nil, []string{"Cache-Control: max-age=60"}, 404, false},
		"no-store":                 {nil, []string{"Cache-Control: max-age=60, No-Store"}, 200, false},
		"no-store, asked":          {[]string{"Cache-Control: no-store"}, []string{"Cache-Control: max-age=60"}, 200, false},
		"private":                  {nil, []string{`Cache-Control: private="x, y", max-age=60`}, 200, false},
		"private in quotes only":   {nil, []string{`Cache-Control: ext="a, private, b", max-age=60`}, 200, true},
		"two fields":               {nil, []string{"Cache-Control: max-age=60", "Cache-Control: no-store"}, 200, false},
		"for one user":             {[]string{"Authorization: x"}, []string{"Cache-Control: max-age=60"}, 200, false},
		"for one user, and public": {[]string{"Authorization: x"}, []string{"Cache-Control: max-age=60, public"}, 200, true},
		"for one user, s-maxage":   {[]string{"Authorization: x"}, []string{"Cache-Control: s-maxage=60"}, 200, true},
		"Vary: *":                  {nil, []string{"Cache-Control: max-age=60", "Vary: Accept, *"}, 200, false},
		"s-maxage comes first":     {nil, []string{"Cache-Control: max-age=60, s-maxage=0"}, 200, false},
	} {
		why := mayStore(request("GET", "", c.req...), &http.Response{StatusCode: c.status, Header: header(c.resp...)})
		if (why == "") != c.keep {
			t.Errorf("%s: kept %t: %s", name, why == "", why)
		}
	}
}

func TestTheCacheAnswersChecksAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &answers{status: []int{200}, header: header("Cache-Control: public, max-age=10", "Vary: Accept", `Etag: "1"`, "Age: 4")}
		c := &cache{next: next, store: &store{show: func(string, string) {}}}
		ask := func(sent int, age string, req *http.Request) {
			t.Helper()
			resp, err := c.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if len(next.sent) != sent || string(body) != "text" || resp.Header.Get("Age") != age {
				t.Errorf("%d sent, %q, age %s; want %d and age %s", len(next.sent), body, resp.Header.Get("Age"), sent, age)
			}
		}
		ask(1, "4", request("GET", "", "Accept: a"))
		ask(2, "4", request("GET", "", "Accept: b"))
		ask(2, "4", request("GET", "", "Accept: a", "Authorization: x"))
		time.Sleep(5 * time.Second)
		ask(2, "9", request("GET", "", "Accept: a"))
		time.Sleep(time.Second) // 10 s old, with the 4 that it had: stale
		next.status = []int{304}
		ask(3, "4", request("GET", "", "Accept: a"))
		if got := next.heads[2].Get("If-None-Match"); got != `"1"` {
			t.Errorf("checked by %q", got)
		}
		ask(3, "4", request("GET", "", "Accept: a"))
		next.status = []int{200}
		ask(4, "4", request("GET", "", "Accept: a", "Cache-Control: no-cache"))
		ask(5, "4", request("PUT", "new"))
		ask(6, "4", request("GET", "", "Accept: a"))
		ask(7, "4", request("GET", "", "Accept: a", "Range: bytes=0-1"))
	})
}

func TestTheCacheHasBounds(t *testing.T) {
	c := &copied{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", maxKept+1))), whole: func([]byte) { t.Error("kept") }}
	if n, err := io.Copy(io.Discard, c); n != maxKept+1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	st := &store{show: func(string, string) {}}
	for i := range maxStored + 5 {
		st.put(&stored{url: fmt.Sprint(i)})
	}
	if len(st.all) != maxStored {
		t.Errorf("%d kept", len(st.all))
	}
}

// TestTheLayersMayBeUsedByMany has one request sent by many goroutines at once,
// for the race detector to judge what the layers do with it.
func TestTheLayersMayBeUsedByMany(t *testing.T) {
	next := &answers{status: []int{200}, header: header("Cache-Control: public, max-age=60")}
	all := chain(next, []layer{
		func(n http.RoundTripper) http.RoundTripper { return &retry{n, 2, time.Millisecond} },
		func(n http.RoundTripper) http.RoundTripper {
			return &auth{n, "http://api:80", func(string) string { return "t" }}
		},
		func(n http.RoundTripper) http.RoundTripper {
			return &cache{n, &store{show: func(string, string) {}}}
		},
		func(n http.RoundTripper) http.RoundTripper {
			return &breaker{next: n, threshold: 2, changed: func(string, int) {}, state: closed}
		},
	})
	req := request("GET", "")
	req.Body = nil
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			resp, err := all.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	wg.Wait()
	if len(req.Header) != 0 {
		t.Errorf("the request has become %v", req.Header)
	}
}

func FuzzWhatAServerSaysToACache(f *testing.F) {
	f.Add("max-age=60, private=\"a,b\"", "Accept, *", "Thu, 01 Jan 2026 00:00:00 GMT", "12")
	f.Add("s-maxage=99999999999999999999,,=,\"\\", ",", "-1", "-")
	f.Fuzz(func(t *testing.T, control, vary, date, number string) {
		h := http.Header{"Cache-Control": {control}, "Vary": {vary}, "Expires": {date}, "Date": {number}}
		if d := lifetime(h); d < 0 {
			t.Errorf("a lifetime of %s", d)
		}
		if d := deltaSeconds(number); d < 0 {
			t.Errorf("%q is %s", number, d)
		}
		if d := retryAfter(number, time.Unix(0, 0)); d < 0 {
			t.Errorf("try again in %s", d)
		}
		mayStore(request("GET", "", "Authorization: x"), &http.Response{StatusCode: 200, Header: h})
		sameFields(fields(h), request("GET", ""))
	})
}
