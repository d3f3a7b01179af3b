package transport

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of a cache.
const (
	maxStored = 64       // responses; the oldest makes room
	maxKept   = 64 << 10 // bytes of one; a longer one passes and is not kept
)

// stored is a response that is kept, complete. It never changes.
type stored struct {
	url    string
	fields map[string]string // of the request it was the answer to, by its Vary
	header http.Header
	body   []byte
	at     time.Time     // when it came
	age    time.Duration // how old it was then
}

// newStored keeps all but the body. sent is when it was asked for, so that the
// time under way counts as age (RFC 9111 section 4.2.3).
func newStored(req *http.Request, resp *http.Response, sent, came time.Time) *stored {
	s := &stored{url: req.URL.String(), fields: fields(resp.Header), header: resp.Header.Clone(), at: came}
	for name := range s.fields {
		s.fields[name] = field(req.Header, name)
	}
	s.age = deltaSeconds(resp.Header.Get("Age")) + came.Sub(sent)
	return s
}

// usable tells whether it may be given out without asking.
func (s *stored) usable(now time.Time) bool {
	_, check := directives(s.header)["no-cache"]
	return !check && s.age+now.Sub(s.at) < lifetime(s.header)
}

// renewed is s after the server said that it is still good (RFC 9111 section 3.2).
func (s *stored) renewed(h http.Header, sent, came time.Time) *stored {
	r := *s
	r.header = s.header.Clone()
	for name, values := range h {
		if name != "Content-Length" && name != "Content-Encoding" && name != "Content-Range" {
			r.header[name] = slices.Clone(values)
		}
	}
	r.at, r.age = came, deltaSeconds(h.Get("Age"))+came.Sub(sent)
	return &r
}

// response is s as an answer to req.
func (s *stored) response(req *http.Request, now time.Time) *http.Response {
	h := s.header.Clone()
	h.Set("Age", strconv.Itoa(int((s.age + now.Sub(s.at)).Seconds())))
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(s.body)), ContentLength: int64(len(s.body)), Request: req,
	}
}

// copied is a body that is read by the caller, and kept on the way if it is
// read to its end and is not too long.
type copied struct {
	io.ReadCloser
	whole func(body []byte)

	kept bytes.Buffer
	over bool
}

// Read is io.Reader's.
func (c *copied) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.over = c.over || c.kept.Len()+n > maxKept; c.over {
		c.kept = bytes.Buffer{}
		return n, err
	}
	c.kept.Write(p[:n])
	if err == io.EOF {
		c.over = true
		c.whole(c.kept.Bytes())
	}
	return n, err
}

// store is what a cache has.
type store struct {
	show func(what, how string) // an empty how: it is gone

	mu  sync.Mutex
	all []*stored // the oldest first
}

// find is the latest response that fits a request, or nil.
func (st *store) find(req *http.Request) *stored {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, s := range slices.Backward(st.all) {
		if s.url == req.URL.String() && sameFields(s.fields, req) {
			return s
		}
	}
	return nil
}

// put keeps a response in the place of the one that it replaces.
func (st *store) put(s *stored) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.all = slices.DeleteFunc(st.all, func(old *stored) bool { return old.url == s.url && maps.Equal(old.fields, s.fields) })
	if len(st.all) == maxStored {
		st.show(st.all[0].label(), "")
		st.all = st.all[1:]
	}
	st.all = append(st.all, s)
	st.show(s.label(), kept(s.body, lifetime(s.header)))
}

// forget drops all that is kept of a URL.
func (st *store) forget(url string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.all = slices.DeleteFunc(st.all, func(s *stored) bool {
		if s.url == url {
			st.show(s.label(), "")
		}
		return s.url == url
	})
}

// label names what is kept: its URL and the fields that it depends on.
func (s *stored) label() string {
	text := short(s.url)
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		text += fmt.Sprintf(", %s: %s", name, s.fields[name])
	}
	return text
}

func label(req *http.Request) string { return short(req.URL.String()) }

func short(u string) string {
	if parsed, err := url.Parse(u); err == nil {
		return parsed.Host + parsed.Path
	}
	return strings.TrimPrefix(u, "http://")
}

func kept(body []byte, fresh time.Duration) string {
	return fmt.Sprintf("%.60q, fresh for %.0f s", bytes.TrimSpace(body), fresh.Seconds())
}
