package envelope

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	// ErrTooLarge is a message above MaxSize.
	ErrTooLarge = errors.New("the message is larger than 64 KiB")
	// ErrNotJSON is a frame that is not one JSON text in UTF-8.
	ErrNotJSON = errors.New("the message is not JSON")
	// ErrUnknownType is a message whose type this version does not know. A
	// client skips such a message, a server refuses it.
	ErrUnknownType = errors.New("unknown message type")
	// ErrVersion is a join or welcome of another version of the protocol.
	ErrVersion = errors.New("this is version 1 of the protocol")
)

// FieldError says which field of a message broke which rule.
type FieldError struct {
	Type    string // of the message; empty if that is what is wrong
	Field   string // as in the JSON, with dots: candidate.sdpMid
	Problem string // "is missing", "is longer than 256 bytes"
}

func (e *FieldError) Error() string {
	if e.Type == "" {
		return e.Field + " " + e.Problem
	}
	return e.Type + ": " + e.Field + " " + e.Problem
}

// frame is what is read of a message before its type is known, and those
// fields whose absence would otherwise pass for a valid zero.
type frame struct {
	Type      *string         `json:"type"`
	Version   json.RawMessage `json:"v"`
	Candidate json.RawMessage `json:"candidate"`
	Resumed   json.RawMessage `json:"resumed"`
	Fatal     json.RawMessage `json:"fatal"`
}

// Decode reads the JSON of one frame and returns a valid message, or an error
// that names what is wrong: one of the sentinels above or a *FieldError.
// Fields it does not know are ignored, so that a later version may add some.
func Decode(data []byte) (Message, error) {
	if len(data) > MaxSize {
		return nil, ErrTooLarge
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrNotJSON)
	}
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, jsonError("", err)
	}
	if f.Type == nil {
		return nil, &FieldError{Field: "type", Problem: "is missing"}
	}
	m := blank(*f.Type)
	if m == nil {
		return nil, fmt.Errorf("%w %.40q", ErrUnknownType, *f.Type)
	}
	// Before anything else, because another version may have other fields.
	if err := f.checkVersion(m); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, jsonError(*f.Type, err)
	}
	if err := f.checkPresence(m); err != nil {
		return nil, err
	}
	if err := Validate(m); err != nil {
		return nil, err
	}
	return m, nil
}

func blank(messageType string) Message {
	for _, m := range []Message{
		new(Signal), new(Join), new(Bye), new(Welcome), new(PeerJoined),
		new(PeerState), new(PeerLeft), new(ShareNAT), new(ICEServers), new(Error),
	} {
		if m.messageType() == messageType {
			return m
		}
	}
	return nil
}

func (f *frame) checkVersion(m Message) error {
	switch m.(type) {
	case *Join, *Welcome:
	default:
		return nil
	}
	if !given(f.Version) {
		return &FieldError{m.messageType(), "v", "is missing"}
	}
	var v int
	if json.Unmarshal(f.Version, &v) != nil {
		return &FieldError{m.messageType(), "v", "is not a whole number"}
	}
	if v != Version {
		return fmt.Errorf("%w: %s.v is %d", ErrVersion, m.messageType(), v)
	}
	return nil
}

// checkPresence finds the fields that may be empty but not absent.
func (f *frame) checkPresence(m Message) error {
	missing := ""
	switch m := m.(type) {
	case *Welcome:
		if !given(f.Resumed) {
			missing = "resumed"
		}
	case *Error:
		if !given(f.Fatal) {
			missing = "fatal"
		}
	case *Signal:
		// Else an object of something else would say "no more candidates".
		var inner struct{ Candidate json.RawMessage }
		if m.Candidate == nil {
			return nil
		}
		if err := json.Unmarshal(f.Candidate, &inner); err != nil {
			return jsonError("signal", err)
		}
		if !given(inner.Candidate) {
			missing = "candidate.candidate"
		}
	}
	if missing == "" {
		return nil
	}
	return &FieldError{m.messageType(), missing, "is missing"}
}

func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// jsonError rewords an error of encoding/json in terms of the protocol.
func jsonError(messageType string, err error) error {
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return fmt.Errorf("%w: %w", ErrNotJSON, err)
	}
	field := mismatch.Field
	if field == "" {
		field = "the message"
	}
	// Value may quote a number of any length.
	return &FieldError{messageType, field, fmt.Sprintf("has the wrong type (%.40s)", mismatch.Value)}
}
