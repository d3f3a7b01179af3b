package netsim

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A DTLS 1.2 record, RFC 6347 section 4.1, and a handshake message in it, 4.2.2.
const (
	dtlsHeader      = 13
	dtlsHandshake   = 22
	dtlsApplication = 23
	dtlsAlert       = 21
	handshakeHeader = 12

	clientHello = 1
	serverHello = 2
)

var dtlsContents = map[byte]string{
	20: "ChangeCipherSpec", dtlsAlert: "Alert", dtlsHandshake: "Handshake", dtlsApplication: "Application data", 24: "Heartbeat",
}

var handshakeNames = map[byte]string{
	0: "HelloRequest", clientHello: "ClientHello", serverHello: "ServerHello", 3: "HelloVerifyRequest", 4: "NewSessionTicket",
	11: "Certificate", 12: "ServerKeyExchange", 13: "CertificateRequest", 14: "ServerHelloDone",
	15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished",
}

var alertNames = map[byte]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 40: "handshake_failure", 42: "bad_certificate",
	47: "illegal_parameter", 48: "unknown_ca", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version", 80: "internal_error",
}

// dtlsState is what a handshake told in the clear, and how far it is.
type dtlsState struct {
	hellos
	session *session // nil while there is nothing to open records with
	sent    [2]struct {
		last       uint64 // epoch and number of the record seen last
		begun      bool
		message    uint16 // of the handshake, seen last,
		messageEnd uint32 // and up to where
	}
}

// hellos are what keys are derived from, besides the secret.
type hellos struct {
	client, server [32]byte
	suite          uint16
	clientDir      int // the direction of the client's records
}

// record is one of a datagram.
type record struct {
	kind  byte
	epoch uint16
	head  []byte // the 13 bytes
	body  []byte
}

// records splits a datagram; ok is false for what is not DTLS 1.0 or 1.2 in full.
func records(b []byte) (all []record, ok bool) {
	for len(b) > 0 {
		if len(b) < dtlsHeader || b[0] < 20 || b[0] > 25 || b[1] != 0xfe || b[2] != 0xfd && b[2] != 0xff {
			return nil, false
		}
		length := int(binary.BigEndian.Uint16(b[11:]))
		if length > len(b)-dtlsHeader {
			return nil, false
		}
		all = append(all, record{kind: b[0], epoch: binary.BigEndian.Uint16(b[3:]), head: b[:dtlsHeader], body: b[dtlsHeader : dtlsHeader+length]})
		b = b[dtlsHeader+length:]
	}
	return all, len(all) > 0
}

// describeDTLS names the records of a datagram, from outside or, where the keys
// are known, from inside.
func (r reading) describeDTLS(b []byte) bool {
	all, ok := records(b)
	if !ok {
		return false
	}
	r.Layer = "dtls"
	r.Attrs["records"] = strconv.Itoa(len(all))
	r.Attrs["epoch"] = strconv.Itoa(int(all[0].epoch))
	var names []string
	for _, rec := range all {
		name := r.describeRecord(rec)
		if n := len(names); n == 0 || names[n-1] != name {
			names = append(names, name)
		}
	}
	r.Summary = strings.Join(names, ", ")
	return true
}

// describeRecord names one. A record seen on one line and again on the next is
// the same; its number tells.
func (r reading) describeRecord(rec record) string {
	state := &r.said.dtls
	number := binary.BigEndian.Uint64(rec.head[3:])
	sent := &state.sent[r.dir]
	again := sent.begun && number == sent.last
	sent.begun, sent.last = true, number

	body, opened := rec.body, rec.epoch == 0
	if !opened {
		if state.session == nil {
			state.session = r.keys.session(&state.hellos)
		}
		if body, opened = state.session.open(r.dir == state.clientDir, rec); opened {
			r.Attrs["opened"] = "with the key log of this run"
		}
	}
	name, known := dtlsContents[rec.kind]
	switch {
	case !known:
		return fmt.Sprintf("DTLS content %d", rec.kind)
	case !opened && rec.kind == dtlsApplication:
		return fmt.Sprintf("%s (%d B)", name, len(rec.body))
	case !opened:
		return "encrypted " + strings.ToLower(name)
	case rec.kind == dtlsHandshake:
		return r.describeHandshake(body, again)
	case rec.kind == dtlsAlert && len(body) == 2:
		if alert := alertNames[body[1]]; alert != "" {
			return "Alert " + alert
		}
		return fmt.Sprintf("Alert %d", body[1])
	case rec.kind == dtlsApplication:
		if summary, ok := r.describeSCTP(body, again); ok {
			r.Layer = "sctp"
			return summary
		}
		return fmt.Sprintf("%s (%d B)", name, len(body))
	}
	return name
}

// describeHandshake names the messages of a record, or pieces of them.
func (r reading) describeHandshake(b []byte, again bool) string {
	var names []string
	for len(b) >= handshakeHeader {
		kind, number := b[0], binary.BigEndian.Uint16(b[4:])
		from, length := uint24(b[6:]), uint24(b[9:])
		body := b[handshakeHeader:]
		if int(length) > len(body) {
			break
		}
		b, body = body[length:], body[:length]
		name, known := handshakeNames[kind]
		if !known {
			name = fmt.Sprintf("handshake message %d", kind)
		}
		if from > 0 {
			name += " (more)"
		}
		names = append(names, name)
		sent := &r.said.dtls.sent[r.dir]
		switch {
		case again:
		case number < sent.message || number == sent.message && from < sent.messageEnd:
			r.Note, r.Retransmit = noteRetransmission, true
		default:
			sent.message, sent.messageEnd = number, from+length
		}
		if from == 0 {
			r.hello(kind, body)
		}
	}
	if names == nil {
		return "Handshake"
	}
	return strings.Join(names, ", ")
}

// hello remembers what the keys depend on. A client that asks again, with the
// cookie it got, does so with the same random bytes.
func (r reading) hello(kind byte, b []byte) {
	if len(b) < 35 {
		return
	}
	state := &r.said.dtls
	random, rest := [32]byte(b[2:34]), b[35:]
	switch session := int(b[34]); {
	case kind == clientHello && random != state.client: // a new association
		state.hellos, state.session = hellos{client: random, clientDir: r.dir}, nil
		r.said.sctp = sctpState{}
	case kind == serverHello && len(rest) >= session+2:
		state.server, state.suite = random, binary.BigEndian.Uint16(rest[session:])
		state.session = nil
		r.Attrs["cipher suite"] = suiteName(state.suite)
	}
}

func uint24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
