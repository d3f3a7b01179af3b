package envelope

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of single fields. Those in characters count Unicode code points.
const (
	MaxName      = 64       // characters of a peer's name
	MaxID        = 64       // bytes of a peer or room id
	MaxResume    = 128      // bytes of a resume token
	MaxSDP       = 48 << 10 // bytes of a description
	MaxCandidate = 2 << 10  // bytes of a candidate line
	maxShort     = 256      // bytes of sdpMid and usernameFragment
	maxText      = 1 << 10  // bytes of what a person reads, of a URL, of a credential
	maxPeers     = 1 << 10
	maxServers   = 64
	maxURLs      = 16
)

// Validate tells what is wrong with m by the rules of the protocol, as a
// *FieldError. Decode has done it already; a program that makes its own
// messages may want to know before it sends them.
func Validate(m Message) error {
	field, problem := m.check()
	if problem == "" {
		return nil
	}
	return &FieldError{m.messageType(), field, problem}
}

// The checks below return the first field that is wrong and its problem, or
// no problem.

func (m *Join) check() (field, problem string) {
	if m.Version != Version {
		return "v", "is not 1"
	}
	if p := nameProblem(m.Name); p != "" {
		return "name", p
	}
	if p := kindProblem(m.Kind); p != "" {
		return "kind", p
	}
	return "resume", optional(m.Resume, MaxResume)
}

func (m *Welcome) check() (field, problem string) {
	if m.Version != Version {
		return "v", "is not 1"
	}
	if p := idProblem(m.Room, MaxID); p != "" {
		return "room", p
	}
	if f, p := m.Self.check(); p != "" {
		return "self." + f, p
	}
	if m.Peers == nil {
		return "peers", "is missing"
	}
	if len(m.Peers) > maxPeers {
		return "peers", fmt.Sprintf("has more than %d entries", maxPeers)
	}
	for i, peer := range m.Peers {
		if f, p := peer.check(); p != "" {
			return fmt.Sprintf("peers[%d].%s", i, f), p
		}
	}
	if f, p := checkICE(m.ICEServers, m.ICETTL); p != "" {
		return f, p
	}
	if p := idProblem(m.Resume, MaxResume); p != "" {
		return "resume", p
	}
	if m.ResumeWindow < 0 {
		return "resumeWindow", "is negative"
	}
	if m.MaxPeers < 1 {
		return "maxPeers", "is missing or below 1"
	}
	if len(m.NATServers) > maxURLs {
		return "natServers", fmt.Sprintf("has more than %d entries", maxURLs)
	}
	for i, url := range m.NATServers {
		if p := longerThan(url, maxText); p != "" {
			return fmt.Sprintf("natServers[%d]", i), p
		}
	}
	return "", ""
}

func (m *PeerJoined) check() (field, problem string) {
	f, p := m.Peer.check()
	return "peer." + f, p
}

func (m *PeerState) check() (field, problem string) {
	if p := idProblem(m.ID, MaxID); p != "" {
		return "id", p
	}
	if p := oneOf(m.State, "away", "here"); p != "" {
		return "state", p
	}
	return m.NAT.checkOptional()
}

func (m *PeerLeft) check() (field, problem string) {
	if p := idProblem(m.ID, MaxID); p != "" {
		return "id", p
	}
	return "reason", oneOf(m.Reason, "bye", "timeout", "dropped")
}

func (m *Signal) check() (field, problem string) {
	switch {
	case m.To != "" && m.From != "":
		return "from", "is given together with to"
	case m.From != "":
		if p := idProblem(m.From, MaxID); p != "" {
			return "from", p
		}
	default:
		if p := idProblem(m.To, MaxID); p != "" {
			return "to", p
		}
	}
	if m.N < 0 {
		return "n", "is negative"
	}
	if m.Session < 1 {
		return "session", "is missing or below 1"
	}
	n := 0
	for _, there := range []bool{m.Description != nil, m.Candidate != nil, m.Want != ""} {
		if there {
			n++
		}
	}
	switch {
	case n == 0:
		return "description, candidate or want", "is missing"
	case n > 1:
		return "description, candidate and want", "exclude each other"
	case m.Description != nil:
		f, p := m.Description.check()
		return "description." + f, p
	case m.Candidate != nil:
		f, p := m.Candidate.check()
		return "candidate." + f, p
	}
	return "want", oneOf(string(m.Want), string(WantICERestart), string(WantNewSession))
}

func (m *ShareNAT) check() (field, problem string) {
	f, p := m.NAT.check()
	return "nat." + f, p
}

func (m *ICEServers) check() (field, problem string) { return checkICE(m.ICEServers, m.ICETTL) }

func (m *Error) check() (field, problem string) {
	// A later version may have more codes, so any word is one.
	if p := idProblem(m.Code, MaxID); p != "" {
		return "code", p
	}
	return "message", longerThan(m.Message, maxText)
}

func (m *Bye) check() (field, problem string) { return "reason", optional(m.Reason, MaxID) }

func (p Peer) check() (field, problem string) {
	if problem := idProblem(p.ID, MaxID); problem != "" {
		return "id", problem
	}
	if problem := nameProblem(p.Name); problem != "" {
		return "name", problem
	}
	if problem := kindProblem(p.Kind); problem != "" {
		return "kind", problem
	}
	if p.Order < 1 {
		return "order", "is missing or below 1"
	}
	return p.NAT.checkOptional()
}

func (n NAT) check() (field, problem string) {
	if p := dependenceOr(n.Mapping, "none", "udp-blocked", "unknown"); p != "" {
		return "mapping", p
	}
	if n.Filtering == "" {
		return "", ""
	}
	return "filtering", dependenceOr(n.Filtering)
}

// dependenceOr expects what a mapping or a filter may depend on (RFC 4787), or
// one of the others.
func dependenceOr(s string, others ...string) string {
	return oneOf(s, append([]string{"endpoint-independent", "address-dependent", "address-and-port-dependent", "not-port-dependent"}, others...)...)
}

func (n NAT) checkOptional() (field, problem string) {
	if n == (NAT{}) {
		return "", ""
	}
	f, p := n.check()
	return "nat." + f, p
}

func (d *Description) check() (field, problem string) {
	if p := oneOf(d.Type, "offer", "answer"); p != "" {
		return "type", p
	}
	if !strings.HasPrefix(d.SDP, "v=0") {
		return "sdp", "does not start with v=0"
	}
	return "sdp", longerThan(d.SDP, MaxSDP)
}

func (c *Candidate) check() (field, problem string) {
	if p := longerThan(c.Candidate, MaxCandidate); p != "" {
		return "candidate", p
	}
	if c.SDPMid != nil {
		if p := longerThan(*c.SDPMid, maxShort); p != "" {
			return "sdpMid", p
		}
	}
	if c.UsernameFragment != nil {
		return "usernameFragment", longerThan(*c.UsernameFragment, maxShort)
	}
	return "", ""
}

func checkICE(servers []ICEServer, ttl int) (field, problem string) {
	if servers == nil {
		return "iceServers", "is missing"
	}
	if len(servers) > maxServers {
		return "iceServers", fmt.Sprintf("has more than %d entries", maxServers)
	}
	for i, s := range servers {
		at := fmt.Sprintf("iceServers[%d].", i)
		if len(s.URLs) == 0 {
			return at + "urls", "is missing"
		}
		if len(s.URLs) > maxURLs {
			return at + "urls", fmt.Sprintf("has more than %d entries", maxURLs)
		}
		for _, u := range s.URLs {
			if p := longerThan(u, maxText); p != "" {
				return at + "urls", p
			}
		}
		if p := longerThan(s.Username, maxText); p != "" {
			return at + "username", p
		}
		if p := longerThan(s.Credential, maxText); p != "" {
			return at + "credential", p
		}
	}
	if ttl < 0 {
		return "iceTTL", "is negative"
	}
	return "", ""
}

func nameProblem(s string) string {
	switch {
	case s == "":
		return "is missing"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "contains a control character"
	case utf8.RuneCountInString(s) > MaxName:
		return fmt.Sprintf("is longer than %d characters", MaxName)
	}
	return ""
}

func kindProblem(k Kind) string { return oneOf(string(k), string(Browser), string(Go)) }

// idProblem checks what programs made for programs: ids, tokens, codes.
func idProblem(s string, limit int) string {
	if s == "" {
		return "is missing"
	}
	if p := longerThan(s, limit); p != "" {
		return p
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "has other characters than letters, digits, - and _"
		}
	}
	return ""
}

func optional(s string, limit int) string {
	if s == "" {
		return ""
	}
	return idProblem(s, limit)
}

func oneOf(s string, allowed ...string) string {
	if s == "" {
		return "is missing"
	}
	for _, a := range allowed {
		if s == a {
			return ""
		}
	}
	return "is not " + strings.Join(allowed, " or ")
}

func longerThan(s string, limit int) string {
	if len(s) > limit {
		return fmt.Sprintf("is longer than %d bytes", limit)
	}
	return ""
}
