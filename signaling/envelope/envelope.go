// Package envelope is the vocabulary of the signaling protocol: the messages
// that a peer and the server exchange about a room, their JSON, and the rules
// that make one valid. It knows no sockets and no rooms. PROTOCOL.md, one
// folder up, is the same in words.
package envelope

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const (
	// Version of the protocol, the v of join and welcome.
	Version = 1
	// MaxSize is the largest message in bytes, in either direction.
	MaxSize = 64 << 10
)

// Kind tells what a peer can do in a negotiation.
type Kind string

const (
	// Browser peers follow perfect negotiation and can roll an offer back.
	Browser Kind = "browser"
	// Go peers cannot roll back; in a pair with one only the offerer offers.
	Go Kind = "go"
)

// Peer is one member of a room as the others see it.
type Peer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Order grows with each arrival in the room.
	Order int `json:"order"`
	// NAT is what the peer has told of the NAT before it; zero until it does.
	NAT NAT `json:"nat,omitzero"`
}

// Offers tells whether p makes the first offer to q.
func (p Peer) Offers(q Peer) bool {
	if (p.Kind == Browser) != (q.Kind == Browser) {
		return p.Kind == Browser
	}
	return p.Order > q.Order
}

// ICEServer is a STUN or TURN server in the form RTCPeerConnection takes.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Description is an SDP offer or answer.
type Description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

// Candidate is a trickled ICE candidate; an empty Candidate string ends them.
type Candidate struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid,omitempty"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex,omitempty"`
	UsernameFragment *string `json:"usernameFragment,omitempty"`
}

// NAT is what a peer has measured of the NAT between itself and the server, for
// UDP, in the words of RFC 4787 sections 4.1 and 5. It holds no addresses.
type NAT struct {
	// Mapping is endpoint-independent, address-dependent or
	// address-and-port-dependent; not-port-dependent if it is one of the first
	// two; none if nothing translates; udp-blocked if no UDP comes back; unknown
	// if that is all there is to say.
	Mapping string `json:"mapping"`
	// Filtering is one of the first four, or empty, which is not known.
	Filtering string `json:"filtering,omitempty"`
}

// Want is what the answering side asks of the offerer.
type Want string

const (
	WantICERestart Want = "ice-restart"
	WantNewSession Want = "new-session"
)

// Message is one of the types below.
type Message interface {
	messageType() string
	check() (field, problem string)
}

// Join is a client's first message.
type Join struct {
	Version int    `json:"v"`
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	Resume  string `json:"resume,omitempty"`
}

// Welcome answers Join. Times are in seconds.
type Welcome struct {
	Version      int         `json:"v"`
	Room         string      `json:"room"`
	Self         Peer        `json:"self"`
	Peers        []Peer      `json:"peers"`
	ICEServers   []ICEServer `json:"iceServers"`
	ICETTL       int         `json:"iceTTL"`
	Resume       string      `json:"resume"`
	Resumed      bool        `json:"resumed"`
	ResumeWindow int         `json:"resumeWindow"`
	MaxPeers     int         `json:"maxPeers"`
	// NATServers are the URLs of two ports of one STUN server, by which a NAT's
	// behaviour shows. A server that has none does not take ShareNAT.
	NATServers []string `json:"natServers,omitzero"`
}

// PeerJoined tells of a new peer.
type PeerJoined struct {
	Peer Peer `json:"peer"`
}

// PeerState tells that a peer lost its socket ("away") or is back ("here"), or
// what it has found out about its NAT; with a zero NAT, nothing new of that.
type PeerState struct {
	ID    string `json:"id"`
	State string `json:"state"`
	NAT   NAT    `json:"nat,omitzero"`
}

// PeerLeft tells that a peer is gone: "bye", "timeout" or "dropped".
type PeerLeft struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Signal carries exactly one of Description, Candidate and Want from one peer
// to another. A client fills To; the server replaces it by From, and numbers
// in N what it sends to one peer, from 1: after a resume a signal may come
// again, with the number it had.
type Signal struct {
	To          string       `json:"to,omitempty"`
	From        string       `json:"from,omitempty"`
	N           int64        `json:"n,omitempty"`
	Session     int32        `json:"session"`
	Description *Description `json:"description,omitempty"`
	Candidate   *Candidate   `json:"candidate,omitempty"`
	Want        Want         `json:"want,omitempty"`
}

// ShareNAT tells the room what the sender has measured of its NAT. The others
// hear of it by PeerState, those who come later by Welcome.
type ShareNAT struct {
	NAT NAT `json:"nat"`
}

// ICEServers brings renewed relay credentials, valid for ICETTL seconds.
type ICEServers struct {
	ICEServers []ICEServer `json:"iceServers"`
	ICETTL     int         `json:"iceTTL"`
}

// Error says what was wrong; after a fatal one the server closes the socket.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fatal   bool   `json:"fatal"`
}

// Error makes an *Error from the server usable as a Go error by a client.
func (e *Error) Error() string { return e.Message + " (" + e.Code + ")" }

// The codes of Error.
const (
	CodeBadMessage  = "bad-message"
	CodeTooLarge    = "too-large"
	CodeBadVersion  = "bad-version"
	CodeTimeout     = "timeout"
	CodeNoRoom      = "no-room"
	CodeRoomFull    = "room-full"
	CodeRateLimited = "rate-limited"
	CodeTooSlow     = "too-slow"
	CodeUnknownPeer = "unknown-peer"
)

// Bye ends a membership: from a client that leaves, or from the server with
// the Reason "shutdown" or "replaced".
type Bye struct {
	Reason string `json:"reason,omitempty"`
}

func (*Join) messageType() string       { return "join" }
func (*Welcome) messageType() string    { return "welcome" }
func (*PeerJoined) messageType() string { return "peer-joined" }
func (*PeerState) messageType() string  { return "peer-state" }
func (*PeerLeft) messageType() string   { return "peer-left" }
func (*Signal) messageType() string     { return "signal" }
func (*ShareNAT) messageType() string   { return "nat" }
func (*ICEServers) messageType() string { return "ice-servers" }
func (*Error) messageType() string      { return "error" }
func (*Bye) messageType() string        { return "bye" }

// Encode returns m as the JSON of one frame, or ErrTooLarge. It does not
// check m otherwise; see Validate.
func Encode(m Message) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(`{"type":"` + m.messageType() + `"`)
	head := out.Len()
	enc := json.NewEncoder(&out)
	// Without this a character of an SDP could grow to six, and a message that
	// came in below MaxSize would not fit on its way out.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.messageType(), err)
	}
	data := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	// m's own opening brace becomes the comma behind the type.
	if string(data[head:]) == "{}" {
		data = append(data[:head], '}')
	} else {
		data[head] = ','
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("encode %s: %w", m.messageType(), ErrTooLarge)
	}
	return data, nil
}
