package http2

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"

	h2 "golang.org/x/net/http2"

	"peerlab/lab"
	"peerlab/netsim"
	"peerlab/tlsrecord"
	"peerlab/trace"
)

// observer sees what passes through the connections of one server.
type observer struct {
	run  *lab.Run
	keys netsim.Keys // that the server has written down

	mu    sync.Mutex
	tally tally
	shown int
	conns int
}

// maxShown is how many frames are drawn; the others are counted.
const maxShown = 500

// listener hands out connections that are observed.
type listener struct {
	net.Listener
	*observer
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	who := l.run.HostOf(c.RemoteAddr())
	if who == "" {
		who = lab.Outside
	}
	return &observed{Conn: c, link: l.connection(who)}, nil
}

// observed is a connection of which both directions are read along.
type observed struct {
	net.Conn
	link *link
}

func (o *observed) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	o.link.passed(true, b[:n])
	return n, err
}

func (o *observed) Write(b []byte) (int, error) {
	o.link.passed(false, b) // before it, so that no answer is seen first
	return o.Conn.Write(b)
}

func (o *observed) Close() error {
	o.link.over()
	return o.Conn.Close()
}

// link is one connection as the observer follows it.
type link struct {
	*observer
	number int
	client string // lane

	mu      sync.Mutex
	kind    string // "", "tls", "clear", "other": by its first byte
	session *tlsrecord.Session
	pending [2]bytes.Buffer // TLS: bytes of a record that is not all there; [1] is the client's
	readers [2]*reader
	flow    [2]*windows // towards the server; [1]: towards the client
	wait    stopwatch   // while the server may not send
	streams map[uint32]string
}

func (o *observer) connection(client string) *link {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conns++
	l := &link{observer: o, number: o.conns, client: client, flow: [2]*windows{newWindows(), newWindows()}, streams: map[uint32]string{}}
	l.session = tlsrecord.NewSession(o.keys.Log)
	l.readers[0] = newReader("", func(f frame) { l.frame(false, f) })
	l.readers[1] = newReader(h2.ClientPreface, func(f frame) { l.frame(true, f) })
	return l
}

func side(fromClient bool) int {
	if fromClient {
		return 1
	}
	return 0
}

// passed takes bytes of one direction.
func (l *link) passed(fromClient bool, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(b) == 0 {
		return
	}
	if l.kind == "" {
		l.kind = "clear"
		if b[0] == tlsrecord.Handshake {
			l.kind = "tls"
		}
	}
	switch l.kind {
	case "tls":
		l.sealed(fromClient, b)
	case "clear":
		l.clear(fromClient, b)
	}
}

// sealed opens the records of TLS with the server's own keys.
func (l *link) sealed(fromClient bool, b []byte) {
	in := &l.pending[side(fromClient)]
	in.Write(b)
	for l.kind == "tls" {
		r, size, err := tlsrecord.Split(in.Bytes())
		if err != nil {
			l.kind = "other"
			return
		}
		if size == 0 {
			return
		}
		c := l.session.Open(fromClient, r)
		switch {
		case c.Hello != nil:
			l.hello(*c.Hello)
		case c.Protocol != "":
			l.message(false, trace.TLS, "EncryptedExtensions", "ALPN chose "+c.Protocol, nil)
		case c.Opened && c.Type == tlsrecord.ApplicationData:
			l.clear(fromClient, c.Plain)
		}
		in.Next(size)
	}
}

// clear reads frames. What is no HTTP/2 is seen by its first bytes.
func (l *link) clear(fromClient bool, b []byte) {
	if l.kind == "other" {
		return
	}
	if err := l.readers[side(fromClient)].write(b); errors.Is(err, errPreface) {
		l.kind = "other"
		words := append(bytes.Fields(b[:min(len(b), 60)]), nil, nil) // net/http reads no more than it needs to know
		l.message(true, trace.HTTP, fmt.Sprintf("%s %s", words[0], words[1]), "by another protocol than HTTP/2: no frames", nil)
		l.observer.mu.Lock()
		l.tally.others++
		l.observer.mu.Unlock()
	}
}

// over is called when the connection closes.
func (l *link) over() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(true)
}

// message records something on the lanes, as long as there are not too many.
func (l *link) message(fromClient bool, layer trace.Layer, name, text string, attrs map[string]string) bool {
	l.observer.mu.Lock()
	l.shown++
	n := l.shown
	l.observer.mu.Unlock()
	if n > maxShown {
		if n == maxShown+1 {
			l.run.Note("From here on frames are counted, and no longer drawn.")
		}
		return false
	}
	from, to := serverLane, l.client
	if fromClient {
		from, to = to, from
	}
	l.run.Add(trace.Event{Kind: trace.Message, Layer: layer, From: from, To: to, Name: name, Text: text, Attrs: attrs})
	return true
}
