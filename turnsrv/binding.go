package turnsrv

import (
	"encoding/binary"
	"net/netip"

	"github.com/pion/stun"
)

// change is what a CHANGE-REQUEST asks for (RFC 5780 section 7.2).
type change struct{ address, port bool }

func changeOf(p []byte) change {
	const addressBit, portBit = 4, 2
	v := attribute(p, stun.AttrChangeRequest)
	if len(v) != 4 {
		return change{}
	}
	return change{address: v[3]&addressBit != 0, port: v[3]&portBit != 0}
}

// responsePort is where a RESPONSE-PORT wants the answer (RFC 5780 section 7.5).
func responsePort(p []byte) (port uint16, asked bool) {
	v := attribute(p, stun.AttrResponsePort)
	if len(v) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint16(v), true
}

// isBinding tells a Binding request among inspected messages.
func isBinding(p []byte) bool {
	return !isChannelData(p) && messageType(p) == stun.BindingRequest
}

// maxUnknown bounds how many attributes a 420 names, so that it stays short.
const maxUnknown = 8

// unknown lists the attributes of an inspected request that have to be
// understood and are not (RFC 8489 section 6.3.1). Credentials are ignored: none
// are asked for.
func (r *Responder) unknown(p []byte, asked change) []stun.AttrType {
	var list []stun.AttrType
	for at := stunHeader; at+attributeHeader <= len(p) && len(list) < maxUnknown; {
		kind := stun.AttrType(binary.BigEndian.Uint16(p[at:]))
		switch kind {
		case stun.AttrUsername, stun.AttrRealm, stun.AttrNonce, stun.AttrMessageIntegrity, stun.AttrMessageIntegritySHA256, stun.AttrResponsePort:
		case stun.AttrChangeRequest:
			if asked.address && !r.two {
				list = append(list, kind)
			}
		default:
			if kind < 0x8000 {
				list = append(list, kind)
			}
		}
		at += attributeHeader + padded(int(binary.BigEndian.Uint16(p[at+2:])))
	}
	return list
}

// binding is a Binding request to be answered.
type binding struct {
	request []byte
	client  netip.AddrPort
}

// grant is the success response from one of our addresses, which names the other.
func (b binding) grant(origin, other netip.AddrPort) []byte {
	client := &stun.XORMappedAddress{IP: b.client.Addr().AsSlice(), Port: int(b.client.Port())}
	attrs := []stun.Setter{client, (*stun.MappedAddress)(client)}
	if origin.IsValid() && other.IsValid() {
		attrs = append(attrs,
			&stun.ResponseOrigin{IP: origin.Addr().AsSlice(), Port: int(origin.Port())},
			&stun.OtherAddress{IP: other.Addr().AsSlice(), Port: int(other.Port())})
	}
	return b.build(stun.BindingSuccess, attrs...)
}

// refuse is the error response for attributes that are not understood.
func (b binding) refuse(unknown []stun.AttrType) []byte {
	return b.build(stun.BindingError, stun.CodeUnknownAttribute, stun.UnknownAttributes(unknown))
}

// forbid is the error response for an answer wanted where nobody has asked from.
func (b binding) forbid() []byte {
	return b.build(stun.BindingError, stun.ErrorCodeAttribute{Code: stun.CodeForbidden, Reason: []byte("that port has not asked here")})
}

// build makes a response; one with a fingerprint if the request has one.
func (b binding) build(kind stun.MessageType, attrs ...stun.Setter) []byte {
	m := new(stun.Message)
	copy(m.TransactionID[:], b.request[8:stunHeader])
	attrs = append([]stun.Setter{m, kind}, attrs...)
	if attribute(b.request, stun.AttrFingerprint) != nil {
		attrs = append(attrs, stun.Fingerprint)
	}
	built, err := stun.Build(attrs...)
	if err != nil {
		return nil
	}
	return built.Raw
}
