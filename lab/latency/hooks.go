package latency

import (
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

// phase is a part of a request, and the name of its bar.
type phase string

// The phases, in the order they come in.
const (
	dns      phase = "DNS"
	connect  phase = "connect"
	tlsPhase phase = "TLS"
	wait     phase = "wait"
	transfer phase = "transfer"
)

// timeline is what one request is seen to do, as bars on a lane of its own.
type timeline struct {
	run  *lab.Run
	lane string

	mu    sync.Mutex
	over  bool // later calls are about a connection this request did without
	began time.Time
	open  map[string]*bar // by phase, and for connect by address too
	end   func(string)    // of the whole request
	took  map[phase]time.Duration
	times
}

// times are the results.
type times struct {
	conn      int // number of the connection
	reused    bool
	idle      time.Duration
	firstByte time.Duration // since the beginning; 0: there was none
	total     time.Duration
	late      bool // a connection was begun that it did without
}

type bar struct {
	phase phase
	began time.Time
	end   func(string)
}

func newTimeline(r *lab.Run, lane string) *timeline {
	return &timeline{
		run: r, lane: lane, began: time.Now(), open: map[string]*bar{}, took: map[phase]time.Duration{},
		end: r.Begin(trace.HTTP, lane, "request"),
	}
}

// region hooks

// hooks are what net/http calls while it works on the request. They come from
// several goroutines, at the same time, and some come after the request is
// over: a connection that was begun for it is finished for the next one.
// So everything they touch is behind one lock, and finish shuts it.
func (t *timeline) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart: func(i httptrace.DNSStartInfo) { t.begin(dns, "", trace.DNS) },
		DNSDone: func(i httptrace.DNSDoneInfo) {
			t.done(dns, "", outcome(i.Err, addresses(i.Addrs)))
		},
		// A name can have several addresses, and two of them be tried at the
		// same time (RFC 8305): the address tells which attempt this is about.
		ConnectStart: func(network, addr string) {
			if strings.HasPrefix(network, "tcp") { // and not the question to a name server
				t.begin(connect, addr, trace.TCP)
			}
		},
		ConnectDone: func(network, addr string, err error) {
			t.done(connect, addr, outcome(err, addr))
		},
		TLSHandshakeStart: func() { t.begin(tlsPhase, "", trace.TLS) },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			t.done(tlsPhase, "", outcome(err, strings.TrimSpace(tls.VersionName(s.Version)+" "+s.NegotiatedProtocol)))
		},
		GotConn:              t.gotConn,
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.wrote() },
		GotFirstResponseByte: t.gotFirstByte,
	}
}

// endregion

func outcome(err error, text string) string {
	if err != nil {
		return reason(err)
	}
	return text
}

func addresses(all []net.IPAddr) string {
	var text []string
	for _, a := range all[:min(len(all), 4)] {
		text = append(text, a.String())
	}
	return strings.Join(text, ", ")
}

// begin opens a bar, unless the request is over.
func (t *timeline) begin(p phase, key string, layer trace.Layer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.beginLocked(p, key, layer)
}

func (t *timeline) beginLocked(p phase, key string, layer trace.Layer) {
	id := string(p) + key
	if t.over || t.open[id] != nil {
		return
	}
	t.open[id] = &bar{phase: p, began: time.Now(), end: t.run.Begin(layer, t.lane, string(p))}
}

// done closes a bar. What began first of several of a phase counts until the
// last of them ends.
func (t *timeline) done(p phase, key, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doneLocked(p, key, text)
}

func (t *timeline) doneLocked(p phase, key, text string) {
	id := string(p) + key
	b := t.open[id]
	if b == nil {
		return
	}
	delete(t.open, id)
	b.end(text)
	t.took[p] = max(t.took[p], time.Since(b.began))
}

func (t *timeline) gotConn(i httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.conn, t.reused, t.idle = number(i.Conn), i.Reused, i.IdleTime
	if !t.reused {
		return
	}
	// Another connection has become free before the one begun for this request
	// was ready. That one's bars end here; it goes on in the background.
	for id, b := range t.open {
		t.late = true
		delete(t.open, id)
		delete(t.took, b.phase)
		b.end("not needed: another connection became free")
	}
}

// wrote begins the wait, unless the answer was faster than the news that the
// request has left.
func (t *timeline) wrote() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.firstByte == 0 {
		t.beginLocked(wait, "", trace.HTTP)
	}
}

func (t *timeline) gotFirstByte() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.firstByte != 0 {
		return
	}
	t.firstByte = time.Since(t.began)
	t.doneLocked(wait, "", "")
	t.beginLocked(transfer, "", trace.HTTP)
}

// finish closes everything; what is called later finds it shut.
func (t *timeline) finish(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.total = time.Since(t.began)
	for id, b := range t.open {
		delete(t.open, id)
		b.end("")
		t.took[b.phase] = max(t.took[b.phase], time.Since(b.began))
	}
	t.end(text)
}

// result returns what was measured, once it has finished.
func (t *timeline) result() (times, map[phase]time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.times, t.took // not changed any more
}

// number finds which of the run's connections c is, under the TLS on it.
func number(c net.Conn) int {
	for c != nil {
		if n, ok := c.(*numbered); ok {
			return n.number
		}
		below, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return 0
		}
		c = below.NetConn()
	}
	return 0
}
