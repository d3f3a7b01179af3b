package netsim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A STUN message: its header, RFC 8489 section 5, and the attributes of STUN,
// TURN (RFC 8656 section 18), ICE (RFC 8445 section 16.1) and NAT behaviour
// discovery (RFC 5780 section 7) that are worth showing.
const (
	stunHeader = 20
	stunCookie = 0x2112a442

	stunBinding     = 1
	stunAllocate    = 3
	stunSend        = 6
	stunDataMethod  = 7
	stunChannelBind = 9

	stunRequest    = 0
	stunIndication = 1
	stunSuccess    = 2
	stunError      = 3
)

var stunMethods = map[uint16]string{
	stunBinding: "Binding", stunAllocate: "Allocate", 4: "Refresh", stunSend: "Send", stunDataMethod: "Data",
	8: "CreatePermission", stunChannelBind: "ChannelBind", 10: "Connect", 11: "ConnectionBind", 12: "ConnectionAttempt",
}

var stunClasses = [4]string{"request", "indication", "success", "error"}

// describeSTUN names a STUN message: its method and class, and what stands out.
func (r reading) describeSTUN(b []byte) bool {
	if len(b) < stunHeader || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return false
	}
	kind, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
	if length%4 != 0 || length > len(b)-stunHeader {
		return false
	}
	// The two bits of the class stand between those of the method.
	method := kind&0xf | kind>>1&0x70 | kind>>2&0xf80
	class := kind>>4&1 | kind>>7&2
	name, known := stunMethods[method]
	if !known {
		name = fmt.Sprintf("STUN method 0x%03x", method)
	}
	r.Layer = "ice"
	if known && method != stunBinding {
		r.Layer, r.said.turn = "turn", true
	}
	r.Attrs["transaction"] = hex.EncodeToString(b[8:stunHeader])
	m := stunMessage{reading: r, id: [12]byte(b[8:stunHeader])}
	m.attributes(b[stunHeader : stunHeader+length])
	r.Summary = name + " " + stunClasses[class]
	switch {
	case class == stunError && m.error != "":
		r.Summary += " " + m.error
	case class == stunRequest && method == stunBinding && m.nominates:
		r.Summary += ", nominates"
	case class == stunSuccess && m.mapped != "" && m.relayed == "":
		r.Summary += " " + m.mapped
	case m.relayed != "":
		r.Summary += " " + m.relayed
	}
	if m.carried != "" {
		r.Summary += ": " + m.carried
	}
	return true
}

// stunMessage is one whose attributes are being read.
type stunMessage struct {
	reading
	id                              [12]byte
	nominates                       bool
	error, mapped, relayed, carried string
}

// attributes goes through them; what is cut short ends it.
func (m *stunMessage) attributes(b []byte) {
	for len(b) >= 4 {
		kind, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; length > len(b) {
			return
		}
		m.attribute(kind, b[:length])
		b = b[min(len(b), (length+3)&^3):]
	}
}

func (m *stunMessage) attribute(kind uint16, v []byte) {
	switch kind {
	case 0x0001:
		m.address("mapped", v, false)
	case 0x0003:
		if len(v) == 4 {
			m.Attrs["answer from"] = changeRequest(v[3])
		}
	case 0x0006:
		m.Attrs["username"] = preview(v)
	case 0x0009:
		if len(v) >= 4 {
			m.error = strings.TrimSpace(fmt.Sprintf("%d %s", int(v[2]&7)*100+int(v[3]), preview(v[4:])))
			m.Attrs["error"] = m.error
		}
	case 0x000c:
		if len(v) >= 2 {
			m.Attrs["channel"] = fmt.Sprintf("0x%04x", binary.BigEndian.Uint16(v))
		}
	case 0x000d:
		if len(v) == 4 {
			m.Attrs["lifetime"] = strconv.FormatUint(uint64(binary.BigEndian.Uint32(v)), 10) + " s"
		}
	case 0x0012:
		m.address("peer", v, true)
	case 0x0013:
		m.Attrs["carries"] = strconv.Itoa(len(v)) + " B"
		m.carried = m.inner(v)
	case 0x0014:
		m.Attrs["realm"] = preview(v)
	case 0x0016:
		m.relayed = m.address("relayed", v, true)
	case 0x0020:
		m.mapped = m.address("mapped", v, true)
	case 0x0024:
		if len(v) == 4 {
			m.Attrs["priority"] = strconv.FormatUint(uint64(binary.BigEndian.Uint32(v)), 10)
		}
	case 0x0025:
		m.nominates = true
		m.Attrs["use-candidate"] = "yes"
	case 0x8022:
		m.Attrs["software"] = preview(v)
	case 0x8029:
		m.Attrs["role"] = "controlled"
	case 0x802a:
		m.Attrs["role"] = "controlling"
	case 0x802b:
		m.address("answered from", v, false)
	case 0x802c:
		m.address("other address", v, false)
	}
}

// changeRequest says what a CHANGE-REQUEST asks for, RFC 5780 section 7.2.
func changeRequest(flags byte) string {
	switch flags & 6 {
	case 6:
		return "another address and port"
	case 4:
		return "another address"
	case 2:
		return "another port"
	}
	return "the same address and port"
}

// address reads one that is plain, or hidden from NATs by XOR (RFC 8489 section
// 14.2), and keeps it as an attribute.
func (m *stunMessage) address(name string, v []byte, xor bool) string {
	if len(v) != 8 && len(v) != 20 {
		return ""
	}
	port, ip := binary.BigEndian.Uint16(v[2:]), append([]byte(nil), v[4:]...)
	if xor {
		port ^= stunCookie >> 16
		mask := append(binary.BigEndian.AppendUint32(nil, stunCookie), m.id[:]...)
		for i := range ip {
			ip[i] ^= mask[i]
		}
	}
	a, _ := netip.AddrFromSlice(ip) // of 4 or 16 bytes
	text := netip.AddrPortFrom(a, port).String()
	m.Attrs[name] = text
	return text
}

// describeChannelData names what a TURN client and its server wrap in the
// shortest way, RFC 8656 section 12.4.
func (r reading) describeChannelData(b []byte) bool {
	if len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) > len(b)-4 {
		return false
	}
	channel, carried := binary.BigEndian.Uint16(b), b[4:4+int(binary.BigEndian.Uint16(b[2:]))]
	r.Layer = "turn"
	r.Attrs["channel"] = fmt.Sprintf("0x%04x", channel)
	r.Attrs["carries"] = strconv.Itoa(len(carried)) + " B"
	r.Summary = fmt.Sprintf("ChannelData 0x%04x (%d B)", channel, len(carried))
	if inside := r.inner(carried); inside != "" {
		r.Summary = fmt.Sprintf("ChannelData 0x%04x: %s", channel, inside)
	}
	return true
}
