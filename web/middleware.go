package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// maxBody is above any form of this site; uploads go between peers, not here.
const maxBody = 8 << 10

// handler is an http.HandlerFunc that may fail; its error becomes the answer,
// so it must not have written one.
type handler func(http.ResponseWriter, *http.Request) error

func (s *site) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *site) middleware(next http.Handler) http.Handler {
	next = s.boundBody(s.sameOrigin(next))
	next = s.knownHost(next)
	next = headers(next)
	next = s.recover(next)
	return s.log(next)
}

// unmatched lets the mux decide on 404 and 405, and gives both a page.
func (s *site) unmatched(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		verdict := &probe{header: http.Header{}}
		answer.ServeHTTP(verdict, r)
		if verdict.status != http.StatusMethodNotAllowed {
			s.fail(w, r, errNotFound)
			return
		}
		allow := verdict.header.Get("Allow")
		w.Header().Set("Allow", allow)
		s.fail(w, r, errMethod(allow))
	})
}

// probe takes an answer without sending it.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// log writes the route, not the path: a room's id is its password.
func (s *site) log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started, rec := time.Now(), &recorder{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		s.Logger.Debug("request", "method", r.Method, "route", r.Pattern, "status", rec.status,
			"took", time.Since(started), "client", s.ClientAddr(r))
	})
}

// recorder remembers the status. Unwrap and Hijack let a WebSocket through.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.status = http.StatusSwitchingProtocols
	return http.NewResponseController(r.ResponseWriter).Hijack()
}

// recover turns a panic in a handler into a page for its visitor and a stack
// in the log; the others' requests go on.
func (s *site) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			what := recover()
			if what == nil {
				return
			}
			if err, ok := what.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(what)
			}
			s.Logger.Error("handler panicked", "route", r.Pattern, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler) // half an answer is out; cut it visibly
			}
			s.fail(w, r, errOurs)
		}()
		next.ServeHTTP(w, r)
	})
}

// plainHost is what a host may look like before it is put into a policy.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.\-:\[\]]{1,255}$`)

// headers says what a page may do: run our scripts, talk to us, nothing else.
// Room links are secrets, so no page is stored and no referrer goes to others.
// To ourselves one may go: with none at all a form's Origin is "null", and over
// plain http nothing else tells that it is ours.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connect := "'self'"
		if plainHost.MatchString(r.Host) {
			// Some browsers do not count ws: to the same host as 'self'.
			connect += " ws://" + r.Host + " wss://" + r.Host
		}
		h := w.Header()
		h.Set("Content-Security-Policy", strings.Join([]string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
			"connect-src " + connect, "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
		}, "; "))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		if trustworthy(r) {
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// boundBody lets nobody send more than a form, and with it the file that the
// lab of the form takes.
func (s *site) boundBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		if u := s.uploadAt(r); u != nil {
			limit += int64(u.Max) + maxBody
		}
		all := r.Body
		r.Body = http.MaxBytesReader(w, all, limit)
		next.ServeHTTP(w, r)
		if r.ContentLength != 0 {
			swallow(w, all)
		}
	})
}

// How much of a body that nobody wanted is read, and for how long.
const (
	maxSwallowed = 8 << 20
	swallowFor   = 2 * time.Second
)

// swallow reads the rest of a body that was refused, within bounds. A connection
// that is closed under a sender is reset, and then the sender never sees why.
func swallow(w http.ResponseWriter, body io.Reader) {
	if http.NewResponseController(w).SetReadDeadline(time.Now().Add(swallowFor)) != nil {
		return // it could last for ever
	}
	io.CopyN(io.Discard, body, maxSwallowed) // an error is that of who sends it
}

// trustworthy tells whether a browser takes our origin for a secure one. On any
// other it ignores the opener policy, with an error in the console of each page.
func trustworthy(r *http.Request) bool {
	return r.TLS != nil || loopbackHost(r.Host) || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// knownHost refuses names that are not ours, so that a page elsewhere cannot
// point its own name at this server and read it (DNS rebinding).
func (s *site) knownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A health check asks by whatever address it knows and learns nothing.
		if r.URL.Path != "/healthz" && !s.AllowedHosts(r.Host) {
			s.fail(w, r, errHost)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *site) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(s.handle(func(http.ResponseWriter, *http.Request) error { return errCrossOrigin }))
	return guard.Handler(next)
}

// local tells whether the visitor sits at this very machine. All signs must
// agree, because a reverse proxy on the same machine makes everybody look local.
func (s *site) local(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	return s.ClientAddr(r).Unmap().IsLoopback() && loopbackHost(r.Host)
}

// loopbackHost tells whether a Host header names only the machine itself.
func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}
