package netsim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// The versions of QUIC that are read: 1 (RFC 9000) and 2 (RFC 9369), which
// numbers the types of its packets one further.
const (
	quicVersion1 = 1
	quicVersion2 = 0x6b3343cf

	quicMaxConnectionID = 20
)

// The types of packets with a long header, RFC 9000 section 17.2.
const (
	quicInitial = iota
	quicZeroRTT
	quicHandshake
	quicRetry
)

var quicTypes = [4]string{"Initial", "0-RTT", "Handshake", "Retry"}

// describeQUIC names the packets in a datagram of QUIC: several of a handshake
// may share one. All but their headers is encrypted. The short header of what
// follows a handshake says next to nothing, so it counts only on a flow where a
// long one was seen.
func (r reading) describeQUIC(b []byte) bool {
	var names []string
	for rest := b; len(rest) > 0; {
		first := rest[0]
		if first&0x80 == 0 {
			if first&0x40 != 0 && (r.said.quic || len(names) > 0) {
				names = append(names, "1-RTT")
			}
			break
		}
		name, size, ids, ok := longHeader(rest)
		if !ok {
			break // padding, or not QUIC at all
		}
		if r.Attrs != nil {
			r.Attrs["dcid"], r.Attrs["scid"] = hex.EncodeToString(ids[0]), hex.EncodeToString(ids[1])
		}
		names = append(names, name)
		rest = rest[size:]
	}
	if len(names) == 0 {
		return false
	}
	r.said.quic = true
	r.Layer, r.Summary = "quic", fmt.Sprintf("QUIC %s (%d B)", strings.Join(names, " + "), len(b))
	return true
}

// longHeader reads one packet with a long header, and tells how many bytes it
// takes and the connection ids of the receiver and the sender.
func longHeader(b []byte) (name string, size int, ids [2][]byte, ok bool) {
	if len(b) < 7 {
		return "", 0, ids, false
	}
	version := binary.BigEndian.Uint32(b[1:])
	at := 5
	for i := range ids {
		if at >= len(b) || int(b[at]) > quicMaxConnectionID || at+1+int(b[at]) > len(b) {
			return "", 0, ids, false
		}
		end := at + 1 + int(b[at])
		ids[i], at = b[at+1:end], end
	}
	kind := b[0] >> 4 & 3
	switch {
	case version == 0:
		return "version negotiation", len(b), ids, true
	case b[0]&0x40 == 0:
		return "", 0, ids, false
	case version == quicVersion2:
		kind = (kind + 3) % 4
	case version != quicVersion1:
		return "", 0, ids, false
	}
	name = quicTypes[kind]
	if kind == quicRetry {
		return name, len(b), ids, true
	}
	rest := b[at:]
	if kind == quicInitial {
		token, after, ok := quicVarint(rest)
		if !ok || token > uint64(len(after)) {
			return "", 0, ids, false
		}
		rest = after[token:]
	}
	length, rest, ok := quicVarint(rest)
	if !ok || length > uint64(len(rest)) {
		return "", 0, ids, false
	}
	return name, len(b) - len(rest) + int(length), ids, true
}

// quicVarint reads a variable-length integer, RFC 9000 section 16.
func quicVarint(b []byte) (value uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	n := 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, nil, false
	}
	value = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		value = value<<8 | uint64(c)
	}
	return value, b[n:], true
}
