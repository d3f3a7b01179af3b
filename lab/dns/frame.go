package dnslab

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/miekg/dns"
)

// region frame

// readMessage reads one message from a stream (RFC 1035 section 4.2.2).
func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	m := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r, m); err != nil {
		return nil, fmt.Errorf("a message of %d bytes: %w", len(m), err)
	}
	return m, nil
}

// writeMessage sends length and message by one write, and so in one segment if
// there is room.
func writeMessage(w io.Writer, m []byte) error {
	if len(m) > dns.MaxMsgSize {
		return fmt.Errorf("a message of %d bytes is too long for its length field", len(m))
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
	return err
}

// endregion
