package signaling

import (
	"errors"

	"peerlab/signaling/envelope"
)

var (
	// ErrTooManyRooms says that Config.MaxRooms exist.
	ErrTooManyRooms = errors.New("signaling: too many rooms")
	// ErrRateLimited says that an address created rooms too quickly.
	ErrRateLimited = errors.New("signaling: too many rooms from this address, wait a little")
	// ErrClosed is returned after Close, Shutdown, or the server's bye.
	ErrClosed = errors.New("signaling: closed")

	errFlood = errors.New("signaling: too much traffic from this socket")
	errLeft  = errors.New("signaling: the client said bye")
)

// fatal makes the error a member is told before its connection ends.
func fatal(code, message string) *envelope.Error {
	return &envelope.Error{Code: code, Message: message, Fatal: true}
}

func noRoom() *envelope.Error {
	return fatal(envelope.CodeNoRoom, "there is no such room")
}

// refusal turns an error of envelope.Decode into what the client is told.
func refusal(err error) *envelope.Error {
	code := envelope.CodeBadMessage
	switch {
	case errors.Is(err, envelope.ErrTooLarge):
		code = envelope.CodeTooLarge
	case errors.Is(err, envelope.ErrVersion):
		code = envelope.CodeBadVersion
	}
	return fatal(code, err.Error())
}
