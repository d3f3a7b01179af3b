package http2

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	h2 "golang.org/x/net/http2"

	"peerlab/tlsrecord"
	"peerlab/trace"
)

const serverLane = "server"

// hello is what TLS tells in the clear; ALPN is in it.
func (l *link) hello(h tlsrecord.Hello) {
	if h.Client {
		l.message(true, trace.TLS, "ClientHello", "ALPN offers "+or(strings.Join(h.ALPN, ", "), "nothing"), map[string]string{"server name": h.Name})
		return
	}
	text := "TLS 1.3: what follows is opened with the server's own keys"
	if !h.TLS13 {
		text = "TLS 1.2: what follows stays closed"
	}
	l.message(false, trace.TLS, "ServerHello", text, nil)
}

// frame follows one frame.
func (l *link) frame(fromClient bool, f frame) {
	if f.broken {
		l.message(fromClient, trace.HTTP, "a frame that can't be read", f.detail, nil)
		return
	}
	l.count(fromClient, f)
	attrs := map[string]string{"length": fmt.Sprintf("%d + 9 B", f.Length), "connection": strconv.Itoa(l.number)}
	if f.StreamID != 0 {
		attrs["stream"] = strconv.FormatUint(uint64(f.StreamID), 10)
	}
	if flags := flagsText(f.FrameHeader); flags != "" {
		attrs["flags"] = flags
	}
	if f.block > 0 {
		attrs["header block"] = fmt.Sprintf("%d B for %d B", f.block, f.unpacked)
	}
	drawn := l.message(fromClient, trace.HTTP, title(f), f.detail, attrs)
	l.flows(fromClient, f, drawn)
	l.states(fromClient, f, drawn)
}

// title names a frame with its stream: "HEADERS 1 · GET /hello", "DATA 3 · 16384 bytes".
func title(f frame) string {
	name := f.Type.String()
	if f.StreamID != 0 {
		name += " " + strconv.FormatUint(uint64(f.StreamID), 10)
	}
	switch {
	case len(f.fields) > 0:
		for _, h := range f.fields {
			if h.Name == ":method" || h.Name == ":path" || h.Name == ":status" {
				name += " " + h.Value
			}
		}
	case f.Type == h2.FrameSettings && f.Flags.Has(h2.FlagSettingsAck):
		name += " ACK"
	case f.Type == h2.FrameData, f.Type == h2.FrameWindowUpdate, f.Type == h2.FrameRSTStream, f.Type == h2.FrameGoAway:
		name += " · " + f.detail
	}
	if f.Type == h2.FrameData && f.Flags.Has(h2.FlagDataEndStream) || f.Type == h2.FrameHeaders && f.Flags.Has(h2.FlagHeadersEndStream) {
		name += " · end"
	}
	return name
}

// flows follows the windows. What goes to the client is charted.
func (l *link) flows(fromClient bool, f frame, drawn bool) {
	toward, away := l.flow[side(fromClient)], l.flow[side(!fromClient)] // the sender of this frame
	switch f.Type {
	case h2.FrameSettings:
		toward.settings(f.settings)
	case h2.FrameHeaders:
		if f.StreamID != 0 {
			toward.begin(f.StreamID)
			away.begin(f.StreamID)
		}
	case h2.FrameWindowUpdate:
		toward.opened(f.StreamID, f.add)
	case h2.FrameData:
		l.beyond(fromClient, away.sent(f.StreamID, f.Length))
	}
	ended := (f.Type == h2.FrameData || f.Type == h2.FrameHeaders) && f.Flags.Has(h2.FlagDataEndStream) // one bit for both
	switch {
	case f.Type == h2.FrameRSTStream:
		delete(toward.streams, f.StreamID)
		delete(away.streams, f.StreamID)
	case ended:
		delete(away.streams, f.StreamID)
	}
	l.settle(false)
	chart := f.Type == h2.FrameData && !fromClient || f.Type == h2.FrameWindowUpdate && fromClient || f.Type == h2.FrameSettings && fromClient && len(f.settings) > 0
	if !drawn || !chart || l.client != clientLane {
		return
	}
	l.run.Sample(trace.HTTP, serverLane, "the connection may send", float64(l.flow[1].connection), "B")
	if left, any := l.flow[1].tightest(); any {
		l.run.Sample(trace.HTTP, serverLane, "the tightest stream may send", float64(left), "B")
	}
}

// beyond notes how far the server has gone beyond what its client was ready for.
func (l *link) beyond(fromClient bool, left int64) {
	l.observer.mu.Lock()
	defer l.observer.mu.Unlock()
	if !fromClient && l.client == clientLane {
		l.tally.beyond = max(l.tally.beyond, -left)
	}
}

// settle keeps the time while the server may not send what it has.
func (l *link) settle(over bool) {
	was := l.wait.total
	l.wait.set(!over && l.flow[1].closed(), time.Now())
	if more := l.wait.total - was; more > 0 && l.client == clientLane {
		l.observer.mu.Lock()
		l.tally.waited += more
		l.observer.mu.Unlock()
	}
}

// states shows the settings of both sides, and the streams of the lab's own client.
func (l *link) states(fromClient bool, f frame, drawn bool) {
	if !drawn {
		return
	}
	who := serverLane
	if fromClient {
		who = l.client
	}
	for _, s := range f.settings {
		l.run.State(trace.HTTP, who, s.ID.String(), strconv.FormatUint(uint64(s.Val), 10))
	}
	if f.StreamID == 0 || l.client != clientLane {
		return
	}
	state := l.streams[f.StreamID]
	ends := (f.Type == h2.FrameData || f.Type == h2.FrameHeaders) && f.Flags.Has(h2.FlagDataEndStream)
	switch {
	case f.Type == h2.FrameRSTStream:
		state = "closed by RST_STREAM, " + f.code.String()
	case f.Type == h2.FrameHeaders && fromClient && !ends:
		state = "open"
	case ends && fromClient:
		state = "half-closed: the client has said all"
	case ends:
		state = "closed"
	}
	if state == l.streams[f.StreamID] || len(l.streams) > maxStreams {
		return
	}
	l.streams[f.StreamID] = state
	l.run.State(trace.HTTP, serverLane, fmt.Sprintf("stream %d", f.StreamID), state)
}

// tally is what is counted of all connections of a server.
type tally struct {
	frames, data, overhead int
	pushes                 int
	others                 int
	waited                 time.Duration
	blocks                 []int // header blocks of the lab's own requests
	texts                  []int // and what they would be as text
	beyond                 int64 // bytes sent that no window was open for
	goAways                int   // of the server
}

func (l *link) count(fromClient bool, f frame) {
	l.observer.mu.Lock()
	defer l.observer.mu.Unlock()
	t := &l.tally
	t.frames++
	t.overhead += 9
	if f.Type == h2.FrameData {
		t.data += int(f.Length)
	} else {
		t.overhead += int(f.Length)
	}
	switch {
	case f.Type == h2.FramePushPromise:
		t.pushes++
	case f.Type == h2.FrameGoAway && !fromClient:
		t.goAways++
	case f.block > 0 && fromClient && l.client == clientLane && len(t.blocks) < 100:
		t.blocks = append(t.blocks, f.block)
		t.texts = append(t.texts, f.unpacked)
	}
}
