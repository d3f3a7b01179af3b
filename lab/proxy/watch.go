package proxy

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"peerlab/lab"
	"peerlab/trace"
)

// laneKey is the key of a connection's lane in the context of its requests.
type laneKey struct{}

// laneOf names who is at the other end: a host of the run, or a visitor.
func laneOf(r *lab.Run, c net.Conn) string {
	if _, stranger := c.(*visitor); stranger {
		return lab.Outside
	}
	if name := r.HostOf(c.RemoteAddr()); name != "" {
		return name
	}
	return lab.Outside
}

// How many requests a watch records: of visitors, and of all. The record of a
// run has room for so much, and visitors shall not fill it.
const (
	maxShown = 100
	maxAll   = 700
)

// shownKey is set in the context of requests that are recorded.
type shownKey struct{}

// isShown tells whether a handler may add to the record.
func isShown(r *http.Request) bool {
	shown, _ := r.Context().Value(shownKey{}).(bool)
	return shown
}

// watch records the requests that come to a lane and their answers, with
// their headers. It stands before the handler and changes nothing.
type watch struct {
	run  *lab.Run
	lane string

	mu       sync.Mutex
	visitors int // requests from outside
	all      int // recorded
}

func (w *watch) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		from, _ := r.Context().Value(laneKey{}).(string)
		if !w.shows(from) || r.URL.Path == "/load" { // a burst is measured, not drawn
			next.ServeHTTP(rw, r)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), shownKey{}, true))
		target := r.URL.RequestURI()
		if r.Method == http.MethodConnect || r.URL.IsAbs() {
			target = requestTarget(r)
		}
		name := r.Method + " " + target
		w.run.Add(trace.Event{
			Kind: trace.Message, Layer: trace.HTTP, From: from, To: w.lane, Name: name, Text: gist(r.Header),
			Attrs: attrs(r.Header, "Host", r.Host),
		})
		end := w.run.Begin(trace.HTTP, w.lane, name)
		a := &answer{ResponseWriter: rw, request: r}
		a.tell = func(status int) {
			end(http.StatusText(status))
			w.run.Add(trace.Event{
				Kind: trace.Message, Layer: trace.HTTP, From: w.lane, To: from,
				Name:  fmt.Sprintf("%d %s", status, http.StatusText(status)),
				Text:  gist(rw.Header()),
				Attrs: attrs(rw.Header(), "", ""),
			})
		}
		defer end("no answer")
		next.ServeHTTP(a, r)
	})
}

// requestTarget is what the request line of a request to a forward proxy says,
// without a password that may be in it.
func requestTarget(r *http.Request) string {
	if r.Method == http.MethodConnect {
		return r.Host
	}
	u := *r.URL
	u.User = nil
	return u.String()
}

// shows tells whether a request from there is recorded.
func (w *watch) shows(from string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if from == lab.Outside {
		if w.visitors++; w.visitors > maxShown {
			return false
		}
	}
	w.all++
	return w.all <= maxAll
}

// seen counts the requests from outside.
func (w *watch) seen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.visitors
}

// answer is a ResponseWriter that tells when the header goes out.
type answer struct {
	http.ResponseWriter
	request *http.Request
	tell    func(status int)
	told    bool
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if status >= 200 && !a.told {
		a.told = true
		a.tell(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if !a.told {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// Hijack hands over the connection: the answer was yes.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil && !a.told {
		a.told = true
		if a.request.Method == http.MethodConnect {
			a.tell(http.StatusOK)
		} else {
			a.tell(http.StatusSwitchingProtocols)
		}
	}
	return c, rw, err
}

// telling are the headers worth a place in the drawing; the others are in the
// details.
var telling = []string{"Connection", "Upgrade", "X-Auth", "X-Forwarded-For", "Via", "X-Hop"}

// gist is the telling headers in one line.
func gist(h http.Header) string {
	var parts []string
	for _, name := range telling {
		if v := h.Values(name); len(v) > 0 {
			parts = append(parts, name+": "+strings.Join(v, ", "))
		}
	}
	return strings.Join(parts, " · ")
}

// attrs are the headers as details of an event, and one thing more. What is
// a secret by its name is not shown.
func attrs(h http.Header, key, value string) map[string]string {
	all := map[string]string{}
	if key != "" {
		all[key] = value
	}
	for name, v := range h {
		all[name] = strings.Join(v, ", ")
		if slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}, name) {
			all[name] = "(not shown)"
		}
	}
	return all
}

var _ http.Hijacker = (*answer)(nil)
