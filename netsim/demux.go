package netsim

import "strings"

// dialogue is what the decoder remembers of a UDP flow to read its packets: a
// datagram of DTLS or SCTP alone does not tell enough. Index 0 is the direction
// from the lower end, as in flow.
type dialogue struct {
	turn bool // a relay's client speaks with it, so ChannelData is to be expected
	dtls dtlsState
	sctp sctpState
	quic bool // its connection was seen to begin
}

// reading is a UDP payload on its way through the decoders.
type reading struct {
	*Packet
	said *dialogue
	dir  int
	keys *Keys // nil: nothing can be opened
	// carried tells that it was in something else, so that nothing is looked for in it.
	carried bool
}

// describePayload names what a UDP payload is, if it is one of the protocols that
// WebRTC puts on one port. They are told apart by their first byte, RFC 7983
// section 7, and by more of their header, as anything may begin with these bytes. QUIC is where RFC 9443 puts it.
// It returns false, and nothing has changed, for everything else.
func (r reading) describePayload(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch first := b[0]; {
	case first <= 3:
		return r.describeSTUN(b)
	case first >= 20 && first <= 63:
		return r.describeDTLS(b)
	case first >= 64 && first <= 79 && r.said.turn:
		return r.describeChannelData(b)
	case first >= 64 && first <= 127, first >= 192: // RFC 9443
		return r.describeQUIC(b)
	}
	return false
}

// inner is the summary of what a relay is given to carry, with the attributes of
// that beside the relay's own; empty for what is not known.
func (r reading) inner(b []byte) string {
	if r.carried {
		return ""
	}
	carried := r
	carried.Packet, carried.carried = &Packet{Attrs: r.Attrs}, true
	if !carried.describePayload(b) {
		return ""
	}
	r.Retransmit = r.Retransmit || carried.Retransmit
	return withNote(carried.Summary, carried.Note)
}

func withNote(summary, note string) string {
	if note == "" {
		return summary
	}
	return strings.Join([]string{summary, note}, " · ")
}
