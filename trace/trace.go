// Package trace is the record of what happened: events on one clock, kept in
// a bounded log that any number of readers follow while it grows, and saved
// as one JSON document.
//
//	Add ──▶ Log (append only, bounded) ──▶ Read(ctx, from) … any number
//	                                  └──▶ Run ─ JSON ─▶ Decode
//
// It draws nothing, sends nothing and knows no protocol: what an event means
// on the screen is told by its Kind.
package trace

import (
	"encoding/json"
	"time"
)

// Kind is what an event is and therefore how it is drawn. There are six.
type Kind string

const (
	// Message went From → To: a packet, a frame, a request. It may be lost.
	Message Kind = "message"
	// Span is an operation on the lane From. It is recorded twice with the
	// same Span number: the first event begins it, the second ends it, and
	// the Text of the second tells how it ended.
	Span Kind = "span"
	// Sample says that the series Name of the lane From has this Value now.
	Sample Kind = "sample"
	// State says that on the lane From the key Name is Text now; an empty
	// Text means that it is gone.
	State Kind = "state"
	// Note is one sentence (Text) for a person.
	Note Kind = "note"
	// Fact is a measured result: Name, Value and Unit.
	Fact Kind = "fact"
)

// Layer is the part of the network an event belongs to.
type Layer string

// The layers, from what a person sees down to the wire, and the four
// protocols that a peer connection is made of.
const (
	App  Layer = "app"
	HTTP Layer = "http"
	TLS  Layer = "tls"
	QUIC Layer = "quic"
	TCP  Layer = "tcp"
	UDP  Layer = "udp"
	IP   Layer = "ip"
	DNS  Layer = "dns"
	ICE  Layer = "ice"
	DTLS Layer = "dtls"
	SCTP Layer = "sctp"
	TURN Layer = "turn"
)

// Attributes that change how an event is drawn.
const (
	// VerdictAttr on a Note makes it what the record comes to: "good", "warn" or "bad".
	VerdictAttr = "verdict"
	// GridAttr on a State makes it a cell of a table, row From and column Name.
	GridAttr = "grid"
	// LineAttr on a State makes it a line (Name) of a document (From), with what it
	// means (Text).
	LineAttr = "line"
	// AgainstAttr on a Sample names the quantity that its series is drawn against
	// instead of time; XAttr is how much of that, a decimal number, and XUnitAttr its unit.
	AgainstAttr = "against"
	XAttr       = "x"
	XUnitAttr   = "x-unit"
)

// Event is one thing that happened. Which fields are used depends on Kind.
type Event struct {
	// Seq numbers the events of a log from 1 without gaps. The log sets it.
	Seq uint64
	// At is the monotonic time since the log started. The log sets it.
	At    time.Duration
	Kind  Kind
	Layer Layer
	// From and To are lanes: names of hosts, peers, parts. What happens on
	// one lane alone uses From.
	From, To string
	Name     string
	Text     string
	// Lost tells that a message never arrived.
	Lost bool
	// Took is how long a message was on its way, if that is known when it is
	// recorded; At is when it left.
	Took time.Duration
	// Span joins the beginning and the end of a span; 0 is none.
	Span  uint64
	Value float64
	// Unit of Value: "ms", "B/s", "packets".
	Unit string
	// Attrs are further details, for a person who asks. The log keeps the
	// map: do not change it afterwards.
	Attrs map[string]string
}

// eventJSON is the form of an Event in JSON. Value is there whenever the kind
// has one, zero included.
type eventJSON struct {
	Seq   uint64            `json:"seq"`
	At    time.Duration     `json:"at_ns"`
	Kind  Kind              `json:"kind"`
	Layer Layer             `json:"layer,omitempty"`
	From  string            `json:"from,omitempty"`
	To    string            `json:"to,omitempty"`
	Name  string            `json:"name,omitempty"`
	Text  string            `json:"text,omitempty"`
	Lost  bool              `json:"lost,omitempty"`
	Took  time.Duration     `json:"took_ns,omitempty"`
	Span  uint64            `json:"span,omitempty"`
	Value *float64          `json:"value,omitempty"`
	Unit  string            `json:"unit,omitempty"`
	Attrs map[string]string `json:"attrs,omitempty"`
}

// MarshalJSON writes the event with its time in nanoseconds as "at_ns".
func (e Event) MarshalJSON() ([]byte, error) {
	j := eventJSON{
		Seq: e.Seq, At: e.At, Kind: e.Kind, Layer: e.Layer, From: e.From, To: e.To, Name: e.Name,
		Text: e.Text, Lost: e.Lost, Took: e.Took, Span: e.Span, Unit: e.Unit, Attrs: e.Attrs,
	}
	if e.Kind == Sample || e.Kind == Fact || e.Value != 0 {
		j.Value = &e.Value
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote. It does not judge the event;
// Decode does.
func (e *Event) UnmarshalJSON(b []byte) error {
	var j eventJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*e = Event{
		Seq: j.Seq, At: j.At, Kind: j.Kind, Layer: j.Layer, From: j.From, To: j.To, Name: j.Name,
		Text: j.Text, Lost: j.Lost, Took: j.Took, Span: j.Span, Unit: j.Unit, Attrs: j.Attrs,
	}
	if j.Value != nil {
		e.Value = *j.Value
	}
	return nil
}
