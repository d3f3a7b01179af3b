package peer

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"

	"peerlab/signaling/envelope"
	"peerlab/trace"
)

// ladder records how a connection to one remote peer comes up, step by step:
// signals, candidates, candidate pairs, ICE, DTLS, SCTP, the first byte. All
// methods do nothing without a log.
type ladder struct {
	log          *trace.Log
	self, remote string // lanes
	met          time.Time

	mu        sync.Mutex
	ends      map[trace.Layer]func(string) // spans that are open
	pairState map[string]string
	bytes     bool // the first have come
}

func newLadder(log *trace.Log, self, remote envelope.Peer) *ladder {
	r := &ladder{
		log: log, self: self.Name, remote: remote.Name, met: time.Now(),
		ends: map[trace.Layer]func(string){}, pairState: map[string]string{},
	}
	if r.self == r.remote {
		r.remote += " #" + strconv.Itoa(remote.Order)
	}
	return r
}

func (r *ladder) sent(m *envelope.Signal)     { r.signal(r.self, r.remote, m) }
func (r *ladder) received(m *envelope.Signal) { r.signal(r.remote, r.self, m) }

func (r *ladder) signal(from, to string, m *envelope.Signal) {
	if r.log == nil {
		return
	}
	e := trace.Event{
		Kind: trace.Message, Layer: trace.App, From: from, To: to,
		Attrs: map[string]string{"session": strconv.Itoa(int(m.Session))},
	}
	switch {
	case m.Description != nil:
		e.Name = m.Description.Type
		e.Attrs["sdp"] = withoutPassword(m.Description.SDP)
	case m.Candidate != nil:
		e.Layer, e.Name, e.Text = trace.ICE, "candidate", m.Candidate.Candidate
		if e.Text == "" {
			e.Name = "end of candidates"
		}
		describeCandidate(m.Candidate.Candidate, e.Attrs)
	default:
		e.Name = "want " + string(m.Want)
	}
	r.log.Add(e)
}

// withoutPassword takes the ICE password out: a record may be shown around.
func withoutPassword(sdp string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=ice-pwd:") {
			line = "a=ice-pwd:…\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// describeCandidate picks the fields of a candidate line (RFC 8839, section
// 5.1) that a person looks for.
func describeCandidate(line string, attrs map[string]string) {
	f := strings.Fields(line)
	if len(f) < 8 || f[6] != "typ" {
		return
	}
	attrs["protocol"], attrs["address"], attrs["port"], attrs["type"] = f[2], f[4], f[5], f[7]
}

func (r *ladder) state(key, value string) { r.stateIn(trace.App, key, value) }

func (r *ladder) stateIn(layer trace.Layer, key, value string) {
	r.log.Add(trace.Event{Kind: trace.State, Layer: layer, From: r.self, To: r.remote, Name: key, Text: value})
}

func (r *ladder) note(text string) {
	r.log.Add(trace.Event{Kind: trace.Note, Layer: trace.App, From: r.self, To: r.remote, Text: text})
}

// begin starts the record of a session.
func (r *ladder) begin(session int32) {
	r.stateIn(trace.App, "session", strconv.Itoa(int(session)))
	r.mu.Lock()
	defer r.mu.Unlock()
	for layer, end := range r.ends {
		end("given up")
		delete(r.ends, layer)
	}
	for name := range r.pairState {
		r.stateIn(trace.ICE, name, "")
	}
	clear(r.pairState)
	r.bytes = false
}

func (r *ladder) ice(state webrtc.ICEConnectionState) {
	r.stateIn(trace.ICE, "ice", state.String())
	switch state {
	case webrtc.ICEConnectionStateChecking:
		r.span(trace.ICE, "connectivity checks")
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateFailed:
		r.end(trace.ICE, state.String())
	}
}

// dtls also begins the span of SCTP, which follows without a word from Pion.
func (r *ladder) dtls(state webrtc.DTLSTransportState) {
	r.stateIn(trace.DTLS, "dtls", state.String())
	switch state {
	case webrtc.DTLSTransportStateConnecting:
		r.span(trace.DTLS, "handshake")
	case webrtc.DTLSTransportStateConnected:
		r.end(trace.DTLS, "connected")
		r.span(trace.SCTP, "association and channels")
		r.stateIn(trace.SCTP, "sctp", "connecting")
	case webrtc.DTLSTransportStateFailed:
		r.end(trace.DTLS, "failed")
	}
}

func (r *ladder) channelOpen(label string) {
	r.stateIn(trace.SCTP, "channel "+label, "open")
}

// opened says that all channels are open, and how long that took.
func (r *ladder) opened() {
	r.stateIn(trace.SCTP, "sctp", "connected")
	r.end(trace.SCTP, "open")
	r.log.Add(trace.Event{
		Kind: trace.Fact, Layer: trace.App, From: r.self, To: r.remote,
		Name: "from meeting to open channels", Value: float64(time.Since(r.met).Microseconds()) / 1000, Unit: "ms",
	})
}

func (r *ladder) span(layer trace.Layer, name string) {
	if r.log == nil {
		return
	}
	r.end(layer, "again")
	end := r.log.Begin(layer, r.self, name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[layer] = end
}

func (r *ladder) end(layer trace.Layer, how string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if end := r.ends[layer]; end != nil {
		end(how)
		delete(r.ends, layer)
	}
}

// pairs records the candidate pairs whose state has changed.
func (r *ladder) pairs(pc *webrtc.PeerConnection) {
	if r.log == nil {
		return
	}
	report := pc.GetStats()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range report {
		pair, ok := s.(webrtc.ICECandidatePairStats)
		if !ok {
			continue
		}
		name := fmt.Sprintf("pair %s → %s", candidateName(report, pair.LocalCandidateID), candidateName(report, pair.RemoteCandidateID))
		state := string(pair.State)
		if pair.Nominated {
			state += ", nominated"
		}
		if r.pairState[name] != state {
			r.pairState[name] = state
			r.stateIn(trace.ICE, name, state)
		}
	}
}

func candidateName(report webrtc.StatsReport, id string) string {
	c, ok := report[id].(webrtc.ICECandidateStats)
	if !ok {
		return "?"
	}
	return fmt.Sprintf("%s %s:%d", c.CandidateType, c.IP, c.Port)
}

// firstBytes returns c, or c wrapped to record the first message of a session.
func (r *ladder) firstBytes(c channel, label string) channel {
	if r.log == nil {
		return c
	}
	return &firstBytes{channel: c, seen: func(n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.bytes {
			return
		}
		r.bytes = true
		r.log.Add(trace.Event{
			Kind: trace.Message, Layer: trace.SCTP, From: r.remote, To: r.self,
			Name: "first message", Text: "on channel " + label, Value: float64(n), Unit: "B",
		})
	}}
}

type firstBytes struct {
	channel
	seen func(int)
	once sync.Once
}

func (c *firstBytes) Receive(buf []byte) (int, bool, error) {
	n, text, err := c.channel.Receive(buf)
	if err == nil {
		c.once.Do(func() { c.seen(n) })
	}
	return n, text, err
}
