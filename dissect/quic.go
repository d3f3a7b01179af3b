package dissect

import (
	"encoding/binary"
	"fmt"
)

// Versions of QUIC whose headers are read: 1 (RFC 9000) and 2 (RFC 9369). The
// packet that names others has 0.
const (
	quicNegotiation = 0
	quicVersion1    = 1
	quicVersion2    = 0x6b3343cf
)

var quicVersions = map[uint64]string{quicNegotiation: "version negotiation", quicVersion1: "QUIC 1", quicVersion2: "QUIC 2"}
var quicTypes = []string{"Initial", "0-RTT", "Handshake", "Retry"}

// looksQUIC tells a packet by its long header, RFC 9000 section 17.2. A short one
// says next to nothing: it is believed at the usual port.
func looksQUIC(b []byte, usual bool) bool {
	if len(b) < 7 || b[0]&0x80 == 0 {
		return usual && len(b) > 20 && b[0]&0xc0 == 0x40
	}
	_, known := quicVersions[uint64(binary.BigEndian.Uint32(b[1:]))]
	to := int(b[5])
	return known && to <= 20 && 6+to < len(b) && b[6+to] <= 20 && 7+to+int(b[6+to]) <= len(b)
}

// quic reads the packets of a datagram: several of a handshake may share one.
func (d *dissection) quic(at, end int) {
	for at < end {
		b := d.data[at:end]
		switch {
		case looksQUIC(b, false):
			at = d.quicLong(at, end)
		case b[0]&0xc0 == 0x40:
			d.layer("QUIC", "quic", at, end, quicShort)
			return
		default:
			d.rest(at, len(b)) // often zeros, for the first datagrams to have 1200 bytes
			return
		}
	}
}

// quicLong reads a packet with a long header and tells where the next one begins.
func (d *dissection) quicLong(at, end int) (next int) {
	next = end
	d.layer("QUIC", "quic", at, end, func(c *cutter) {
		c.number("long header", 1, flag("of a handshake"))
		c.number("fixed", 1, plain)
		version := uint64(binary.BigEndian.Uint32(d.data[at+1:]))
		kind := ""
		c.number("type", 2, func(v uint64) (string, string) {
			if version == quicVersion2 {
				v = (v + 3) % 4
			}
			if kind = quicTypes[v]; version == quicNegotiation {
				kind = quicVersions[version]
			}
			return plainNote(v, kind)
		})
		c.layer.Summary = kind
		c.number("protected", 4, func(v uint64) (string, string) {
			return plainNote(v, "among others how long the packet number is: hidden, XOR a mask made of what is encrypted")
		})
		c.number("version", 32, func(v uint64) (string, string) { return fmt.Sprintf("0x%08x", v), quicVersions[v] })
		for _, of := range []string{"receiver's", "sender's"} {
			n := int(c.number(of+" connection id length", 8, times(1)))
			c.bytes(of+" connection id", n, hexed)
		}
		switch kind {
		case quicVersions[quicNegotiation]:
			for c.ok() {
				c.number("version offered", 32, func(v uint64) (string, string) { return fmt.Sprintf("0x%08x", v), quicVersions[v] })
			}
			return
		case "Retry":
			c.bytes("token", c.left()-16, hexed)
			c.bytes("integrity tag", 16, hexed)
			return
		case "Initial":
			c.bytes("token", int(min(c.varint("token length"), uint64(c.left()+1))), hexed)
		}
		n := c.varint("length")
		if n > uint64(c.left()) {
			c.short = "content"
			return
		}
		c.bytes("packet number and content", int(n), func(b []byte) (string, string) {
			value, note := sealed(b)
			if kind == "Initial" {
				note = "encrypted, with a key that anybody can make from the connection id"
			}
			return value, note
		})
		if c.short == "" {
			next = c.bit / 8
			c.layer.Len = next - at
		}
		c.layer.Summary = fmt.Sprintf("%s, %d bytes", kind, n)
	})
	return next
}

// quicShort is a packet after the handshake, RFC 9000 section 17.3.
func quicShort(c *cutter) {
	n := c.left()
	c.number("long header", 1, plain)
	c.number("fixed", 1, plain)
	c.number("spin", 1, func(v uint64) (string, string) {
		return plainNote(v, "turns over once a round trip, for whoever measures on the way")
	})
	c.number("protected", 5, func(v uint64) (string, string) {
		return plainNote(v, "two bits that are zero, the key's phase, how long the packet number is: hidden")
	})
	c.bytes("connection id, packet number and content", c.left(), sealed)
	c.layer.Summary = fmt.Sprintf("1-RTT, %d bytes", n)
}

func sealed(b []byte) (string, string) {
	value, _ := hexed(b)
	return value, "encrypted"
}

// varint cuts off a number that says in its first two bits how long it is, RFC 9000 section 16.
func (c *cutter) varint(name string) (v uint64) {
	bits := 8
	if c.left() > 0 {
		bits <<= c.d.data[c.bit/8] >> 6
	}
	c.number(name, bits, func(all uint64) (string, string) {
		v = all &^ (3 << (bits - 2))
		return plain(v)
	})
	return v
}
