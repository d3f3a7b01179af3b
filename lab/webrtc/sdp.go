package webrtc

import (
	"fmt"
	"slices"
	"strings"
)

// meanings explain the lines of a description of data channels by how they
// begin. What depends on the rest of the line has a function of its own below.
var meanings = []struct{ begin, says string }{
	{"v=", "The version of SDP. There is one."},
	{"o=", "Who made it: a session number, and a version that grows with every new offer. The address says nothing."},
	{"s=", "A name for the session. Nobody gives it one."},
	{"t=", "When it begins and ends: now, and never. SDP was made for announcing broadcasts."},
	{"a=group:BUNDLE", "All sections share one connection, and with it one port, one handshake and one set of candidates."},
	{"a=msid-semantic", "How media streams would be named. There are none here."},
	{"a=extmap-allow-mixed", "A permission for headers of media packets. Of no use to data channels."},
	{"m=application", "The one section: data channels, in SCTP, in DTLS, over UDP. Port 9 is a placeholder; the ports are those of the candidates."},
	{"c=", "Where to send to, in older days. 0.0.0.0 means: see the candidates."},
	{"a=fingerprint:", "The hash of the certificate that will turn up in the DTLS handshake. This line makes the connection authentic: whoever can change it on the way can sit in the middle, so the signaling has to be trusted."},
	{"a=setup:actpass", "Either role in the DTLS handshake would do. Offers say that."},
	{"a=setup:active", "I begin the DTLS handshake: I am its client."},
	{"a=setup:passive", "I wait for the DTLS handshake: I am its server."},
	{"a=mid:", "The name of this section, for BUNDLE and for candidates."},
	{"a=sendrecv", "Both directions."},
	{"a=sctp-port:", "The SCTP port inside of DTLS. Not a port that a firewall sees."},
	{"a=max-message-size:", "The largest message that is taken, in bytes."},
	{"a=ice-ufrag:", "A name for this agent, new with every ICE restart. Each check carries both names."},
	{"a=ice-pwd:", "The key that checks are signed with: only who has seen this description can answer one."},
	{"a=ice-options:", "trickle: more candidates may follow."},
	{"a=end-of-candidates", "No more candidates will follow."},
}

// region explain

// explain says in a sentence what a line of SDP is for.
func explain(line string) string {
	if candidate, ok := strings.CutPrefix(line, "a=candidate:"); ok {
		return explainCandidate(strings.Fields(candidate))
	}
	for _, m := range meanings {
		if strings.HasPrefix(line, m.begin) {
			return m.says
		}
	}
	return "Not explained here."
}

// explainCandidate reads foundation, component, transport, priority, address,
// port, "typ", type and what follows, RFC 8839 section 5.1.
func explainCandidate(f []string) string {
	if len(f) < 8 || f[6] != "typ" {
		return "An address to try, in a form that is not known here."
	}
	where := fmt.Sprintf("%s port %s", f[4], f[5])
	if f[1] != "1" {
		return fmt.Sprintf("%s once more, for a second component. That was RTCP's; nothing uses it.", where)
	}
	says := map[string]string{
		"host":  "An address of the machine itself: %s. Tried first, as its priority tells.",
		"srflx": "How a STUN server saw us: %s is the NAT's outside, lent to us.",
		"prflx": "How the other peer saw us: %s.",
		"relay": "An address of a relay that passes on to us: %s. Tried last, as its priority tells.",
	}[f[7]]
	if says == "" {
		return fmt.Sprintf("An address of an unknown kind: %s.", where)
	}
	text := fmt.Sprintf(says, where)
	if i := slices.Index(f, "raddr"); i >= 0 && i+3 < len(f) && f[7] == "srflx" && f[i+1] != "0.0.0.0" {
		text += fmt.Sprintf(" Inside it is %s port %s.", f[i+1], f[i+3])
	}
	return text
}

// endregion

// linesOf splits a description.
func linesOf(sdp string) []string {
	return strings.FieldsFunc(sdp, func(r rune) bool { return r == '\r' || r == '\n' })
}
