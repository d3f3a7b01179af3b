package turnsrv

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/pion/stun"
)

// Sizes of what travels between client and server, in bytes.
const (
	// maxMessage is the longest message or ChannelData taken from a client, over
	// UDP and TCP, and the longest datagram taken from a peer. WebRTC stays
	// below 1200; this leaves a whole Ethernet frame and the TURN headers.
	maxMessage      = 1600
	stunHeader      = 20
	channelHeader   = 4
	attributeHeader = 4

	magicCookie = 0x2112A442
)

// fault says what is wrong with a message that is dropped unanswered. The empty
// fault is none.
type fault string

// The faults, as they are counted.
const (
	faultTooLong     fault = "too-long"
	faultNotTURN     fault = "not-turn"       // neither STUN nor ChannelData; RTP, DTLS, a port scan
	faultLength      fault = "length"         // header and datagram disagree
	faultCookie      fault = "magic-cookie"   // not STUN by RFC 5389 or later
	faultType        fault = "type"           // a method or class no server receives
	faultAttribute   fault = "attribute"      // an attribute of impossible length, or beyond the end
	faultIntegrity   fault = "integrity-tail" // attributes nobody vouches for after MESSAGE-INTEGRITY
	faultFingerprint fault = "fingerprint"    // wrong CRC
	faultKeepalive   fault = "keepalive"      // a Binding indication: nothing wrong, and nothing to do
	faultRate        fault = "rate-limited"
	faultStranger    fault = "no-allocation" // ChannelData from a client that has none
)

// inspect checks that p is one whole STUN message, or ChannelData, that a TURN
// server handles, with no attribute Pion would trip over. It allocates nothing.
//
// Pion's stun v0.6.1 reads the family of an XOR-PEER-ADDRESS before it looks
// whether there is one, so that a zero-length attribute ends the process. The
// length of every attribute the server reads is therefore checked here.
func inspect(p []byte) fault {
	switch {
	case len(p) > maxMessage:
		return faultTooLong
	case len(p) < channelHeader:
		return faultNotTURN
	}
	switch p[0] >> 6 {
	case 0:
		return inspectSTUN(p)
	case 1:
		return inspectChannelData(p)
	default:
		return faultNotTURN
	}
}

// inspectChannelData follows RFC 8656 section 12.4: over UDP padding is allowed
// but not needed.
func inspectChannelData(p []byte) fault {
	length := channelHeader + int(binary.BigEndian.Uint16(p[2:]))
	if length > len(p) || len(p) > padded(length) {
		return faultLength
	}
	return ""
}

func inspectSTUN(p []byte) fault {
	if len(p) < stunHeader {
		return faultNotTURN
	}
	if binary.BigEndian.Uint32(p[4:]) != magicCookie {
		return faultCookie
	}
	length := int(binary.BigEndian.Uint16(p[2:]))
	if length%4 != 0 || stunHeader+length != len(p) {
		return faultLength
	}
	switch messageType(p) {
	case stun.NewType(stun.MethodBinding, stun.ClassRequest),
		stun.NewType(stun.MethodAllocate, stun.ClassRequest),
		stun.NewType(stun.MethodRefresh, stun.ClassRequest),
		stun.NewType(stun.MethodCreatePermission, stun.ClassRequest),
		stun.NewType(stun.MethodChannelBind, stun.ClassRequest),
		stun.NewType(stun.MethodSend, stun.ClassIndication):
	case stun.NewType(stun.MethodBinding, stun.ClassIndication):
		return faultKeepalive
	default:
		return faultType
	}
	return inspectAttributes(p)
}

func inspectAttributes(p []byte) fault {
	signed := false
	for at := stunHeader; at < len(p); {
		if len(p)-at < attributeHeader {
			return faultAttribute
		}
		kind := stun.AttrType(binary.BigEndian.Uint16(p[at:]))
		length := int(binary.BigEndian.Uint16(p[at+2:]))
		value := at + attributeHeader
		if padded(length) > len(p)-value || !lengthFits(kind, p[value:value+length]) {
			return faultAttribute
		}
		next := value + padded(length)
		switch kind {
		case stun.AttrFingerprint:
			// It comes last, and covers the message up to itself: RFC 8489 section 14.7.
			if next != len(p) || binary.BigEndian.Uint32(p[value:]) != crc32.ChecksumIEEE(p[:at])^0x5354554e {
				return faultFingerprint
			}
		case stun.AttrMessageIntegritySHA256:
		default:
			// Section 14.5: what follows the integrity must be ignored. Pion doesn't.
			if signed {
				return faultIntegrity
			}
		}
		signed = signed || kind == stun.AttrMessageIntegrity
		at = next
	}
	return ""
}

// lengthFits checks the length of an attribute's value for those the server
// looks into.
func lengthFits(kind stun.AttrType, value []byte) bool {
	switch kind {
	case stun.AttrXORPeerAddress:
		return len(value) == 8 && value[1] == 1 || len(value) == 20 && value[1] == 2
	case stun.AttrMessageIntegrity:
		return len(value) == 20
	case stun.AttrReservationToken:
		return len(value) == 8
	case stun.AttrLifetime, stun.AttrChannelNumber, stun.AttrRequestedTransport,
		stun.AttrRequestedAddressFamily, stun.AttrFingerprint, stun.AttrChangeRequest, stun.AttrResponsePort:
		return len(value) == 4
	case stun.AttrEvenPort:
		return len(value) == 1
	case stun.AttrDontFragment:
		return len(value) == 0
	case stun.AttrUsername:
		return len(value) <= 508
	case stun.AttrRealm, stun.AttrNonce:
		return len(value) <= 763
	default:
		return true
	}
}

// attribute returns the value of the first attribute of that kind in an
// inspected message, or nil.
func attribute(p []byte, kind stun.AttrType) []byte {
	for at := stunHeader; at+attributeHeader <= len(p); {
		length := int(binary.BigEndian.Uint16(p[at+2:]))
		value := at + attributeHeader
		if value+length > len(p) {
			return nil
		}
		if stun.AttrType(binary.BigEndian.Uint16(p[at:])) == kind {
			return p[value : value+length : value+length]
		}
		at = value + padded(length)
	}
	return nil
}

func messageType(p []byte) (t stun.MessageType) {
	t.ReadValue(binary.BigEndian.Uint16(p))
	return t
}

func isChannelData(p []byte) bool { return len(p) >= channelHeader && p[0]>>6 == 1 }

// padded rounds n up to the next multiple of four.
func padded(n int) int { return (n + 3) &^ 3 }
