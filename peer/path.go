package peer

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v3"
)

// Path is the way the packets of a link take: the candidate pair that ICE has
// selected.
type Path struct {
	// Connected is false when there is none; the rest is zero then.
	Connected bool
	// Relayed tells whether a TURN server is in between.
	Relayed bool
	// Local and Remote are the types of the two candidates: host, srflx,
	// prflx or relay.
	Local, Remote string
	// LocalAddress and RemoteAddress are their addresses with ports.
	LocalAddress, RemoteAddress string
	// Protocol is udp or tcp; where we use a relay, that on the way to it.
	Protocol string
	// RTT is what the last check of the path took.
	RTT time.Duration
}

// Path returns the path of the link now.
func (l *Link) Path() Path {
	s := l.now()
	if s == nil {
		return Path{}
	}
	ice := s.pc.SCTP().Transport().ICETransport()
	pair, err := ice.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return Path{}
	}
	p := Path{
		Connected: true,
		Local:     pair.Local.Typ.String(), Remote: pair.Remote.Typ.String(),
		LocalAddress: address(pair.Local), RemoteAddress: address(pair.Remote),
		Protocol: pair.Local.Protocol.String(),
	}
	relay := webrtc.ICECandidateTypeRelay
	p.Relayed = pair.Local.Typ == relay || pair.Remote.Typ == relay
	stats, ok := ice.GetSelectedCandidatePairStats()
	if !ok {
		return p
	}
	p.RTT = time.Duration(stats.CurrentRoundTripTime * float64(time.Second))
	if local, ok := s.pc.GetStats()[stats.LocalCandidateID].(webrtc.ICECandidateStats); ok && local.RelayProtocol != "" {
		p.Protocol = local.RelayProtocol
	}
	return p
}

func address(c *webrtc.ICECandidate) string { return fmt.Sprintf("%s:%d", c.Address, c.Port) }

// String says it in words.
func (p Path) String() string {
	if !p.Connected {
		return "There is no path at the moment."
	}
	how := "directly, from " + where(p.Local, "our") + " to " + where(p.Remote, "your")
	if p.Relayed {
		how = "through a relay: " + where(p.Local, "our") + " and " + where(p.Remote, "your")
	}
	words := fmt.Sprintf("Packets go %s, over %s", how, p.Protocol)
	if p.RTT > 0 {
		words += fmt.Sprintf(", %.1f ms there and back", float64(p.RTT.Microseconds())/1000)
	}
	return words + "."
}

// where explains the type of a candidate.
func where(candidate, whose string) string {
	switch candidate {
	case "host":
		return whose + " own address"
	case "srflx":
		return whose + " public address as STUN saw it"
	case "prflx":
		return whose + " address as its first check showed it"
	case "relay":
		return whose + " address on the relay"
	}
	return whose + " address"
}
