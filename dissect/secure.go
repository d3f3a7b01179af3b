package dissect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

var contents = map[uint64]string{20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data"}
var handshakes = map[uint64]string{1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 8: "EncryptedExtensions", 11: "Certificate", 12: "ServerKeyExchange",
	3: "HelloVerifyRequest", 13: "CertificateRequest", 14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished", 24: "KeyUpdate"}
var versions = map[uint64]string{0x0300: "SSL 3", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3", 0xfeff: "DTLS 1.0", 0xfefd: "DTLS 1.2", 0xfefc: "DTLS 1.3"}
var suites = map[uint64]string{0x1301: "TLS_AES_128_GCM_SHA256", 0x1302: "TLS_AES_256_GCM_SHA384", 0x1303: "TLS_CHACHA20_POLY1305_SHA256",
	0xc02b: "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02f: "ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc00a: "ECDHE_ECDSA_WITH_AES_256_CBC_SHA"}
var extensions = map[uint64]string{0: "server name", 5: "certificate status", 10: "groups", 11: "point formats", 13: "signature algorithms", 14: "use SRTP", 16: "protocols (ALPN)", 18: "certificate timestamps",
	23: "extended master secret", 35: "session ticket", 41: "pre-shared key", 43: "supported versions", 44: "cookie", 45: "key exchange modes", 51: "key share", 0xff01: "renegotiation", 0xfe0d: "encrypted ClientHello"}

func version(v uint64) (string, string) { return fmt.Sprintf("0x%04x", v), versions[v] }

// looksTLS tells the beginning of a record, RFC 8446 section 5.1.
func looksTLS(b []byte) bool {
	return len(b) >= 5 && b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4 && binary.BigEndian.Uint16(b[3:]) <= 1<<14+2048
}

// tls reads the records that begin in a segment. Where one goes on from an
// earlier segment it can't be told from anything else, and is not.
func (d *dissection) tls(at, end int) {
	for at < end {
		b := d.data[at:end]
		if !looksTLS(b) {
			d.rest(at, end-at)
			return
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		stop := min(at+5+n, end)
		d.layer("TLS record", "tls", at, stop, func(c *cutter) {
			kind := c.number("content", 8, named(contents))
			c.number("version", 16, version)
			c.number("length", 16, times(1))
			c.layer.Summary = fmt.Sprintf("%s, %d bytes", contents[kind], n)
			record(c, kind, at+5+n-stop)
		})
		at = stop
	}
}

// record reads what is inside a record; missing bytes of it come in the next segment.
func record(c *cutter, kind uint64, missing int) {
	open := kind == 22 && c.left() >= 4 && handshakes[uint64(c.d.data[c.bit/8])] != ""
	if open && int(c.d.data[c.bit/8+1])<<16|int(c.d.data[c.bit/8+2])<<8|int(c.d.data[c.bit/8+3]) > 1<<16 {
		open = false // encrypted: a length that makes no sense
	}
	switch {
	case open:
		what := handshakes[c.number("message", 8, named(handshakes))]
		c.number("message length", 24, times(1))
		c.layer.Summary = what
		if what == "ClientHello" || what == "ServerHello" {
			hello(c, what == "ClientHello", false)
		}
		if missing == 0 {
			return
		}
		c.layer.Summary += ", goes on in the next segment"
		c.short = "" // not for a fault of its own
	case kind == 21 && c.left() == 2:
		c.number("level", 8, named(map[uint64]string{1: "warning", 2: "fatal"}))
		c.number("alert", 8, named(map[uint64]string{0: "close notify", 40: "handshake failure", 42: "bad certificate", 48: "unknown CA", 70: "protocol version", 112: "unrecognised name", 120: "no application protocol"}))
	}
	if c.left() > 0 {
		c.bytes("content", c.left(), func(b []byte) (string, string) {
			value, _ := hexed(b)
			note := "encrypted"
			if kind == 20 || open {
				note = ""
			}
			if missing > 0 {
				note = strings.TrimPrefix(note+fmt.Sprintf(", %d bytes more in the next segment", missing), ", ")
			}
			return value, note
		})
	}
}

// hello is a ClientHello or ServerHello, RFC 8446 section 4.1: what everybody
// on the way can read.
func hello(c *cutter, client, dtls bool) {
	c.number("version, as of old", 16, version)
	c.bytes("random", 32, hexed)
	c.bytes("session id", int(c.number("session id length", 8, times(1))), hexed)
	if client {
		if dtls {
			c.bytes("cookie", int(c.number("cookie length", 8, times(1))), hexed)
		}
		n := c.number("cipher suites length", 16, times(1))
		for range n / 2 {
			c.number("cipher suite", 16, suite)
		}
		c.bytes("compression", int(c.number("compression length", 8, times(1))), hexed)
	} else {
		c.number("cipher suite", 16, suite)
		c.number("compression", 8, plain)
	}
	if c.left() < 2 {
		return
	}
	n := int(c.number("extensions length", 16, times(1)))
	for end := c.bit + n*8; c.ok() && c.bit < end; {
		kind := c.number("extension", 16, named(extensions))
		size := int(c.number("extension length", 16, times(1)))
		c.bytes(or(extensions[kind], "extension data"), size, func(b []byte) (string, string) { return extension(c, kind, b) })
	}
}

func suite(v uint64) (string, string) { return fmt.Sprintf("0x%04x", v), suites[v] }

// extension shows those that a person may know; the server's name and the
// protocols go into the summary.
func extension(c *cutter, kind uint64, b []byte) (string, string) {
	switch {
	case kind == 0 && len(b) > 5 && int(binary.BigEndian.Uint16(b[3:])) == len(b)-5:
		name := printable(string(b[5:]))
		c.layer.Summary += " for " + name
		return name, "in plain sight"
	case kind == 16 && len(b) > 2:
		var names []string
		for rest := b[2:]; len(rest) > 0 && int(rest[0]) < len(rest); rest = rest[1+int(rest[0]):] {
			names = append(names, printable(string(rest[1:1+int(rest[0])])))
		}
		c.layer.Summary += ", " + strings.Join(names, " or ")
		return strings.Join(names, ", "), ""
	case kind == 43 && len(b) == 2:
		return version(uint64(binary.BigEndian.Uint16(b)))
	case kind == 43 && len(b)%2 == 1:
		var all []string
		for rest := b[1:]; len(rest) > 0; rest = rest[2:] {
			v := uint64(binary.BigEndian.Uint16(rest))
			all = append(all, or(versions[v], fmt.Sprintf("0x%04x", v)))
		}
		return strings.Join(all, ", "), ""
	}
	return hexed(b)
}

// looksDTLS tells the beginning of a record over UDP, RFC 6347 section 4.1.
func looksDTLS(b []byte) bool {
	return len(b) >= 13 && b[0] >= 20 && b[0] <= 23 && b[1] == 0xfe && b[2] >= 0xfc && int(binary.BigEndian.Uint16(b[11:])) <= len(b)-13
}

func (d *dissection) dtls(at, end int) {
	for at < end {
		if !looksDTLS(d.data[at:end]) {
			d.rest(at, end-at)
			return
		}
		n := int(binary.BigEndian.Uint16(d.data[at+11:]))
		d.layer("DTLS record", "dtls", at, at+13+n, func(c *cutter) {
			kind := c.number("content", 8, named(contents))
			c.number("version", 16, version)
			epoch := c.number("epoch", 16, counted("changes of keys so far"))
			c.number("sequence number", 48, plain)
			c.number("length", 16, times(1))
			c.layer.Summary = fmt.Sprintf("%s, %d bytes", contents[kind], n)
			if epoch > 0 || kind != 22 || c.left() < 12 {
				c.bytes("content", c.left(), func(b []byte) (string, string) {
					value, _ := hexed(b)
					if epoch == 0 {
						return value, ""
					}
					return value, "encrypted"
				})
				return
			}
			what := c.number("message", 8, named(handshakes))
			size := c.number("message length", 24, times(1))
			c.number("message number", 16, plain)
			from := c.number("fragment offset", 24, times(1))
			part := c.number("fragment length", 24, times(1))
			c.layer.Summary = or(handshakes[what], contents[kind])
			if (what == 1 || what == 2) && from == 0 && part == size {
				hello(c, what == 1, true)
			}
			c.bytes("content", max(c.left(), 0), hexed)
		})
		at += 13 + n
	}
}

const cookie = 0x2112a442

// looksSTUN tells a message by its cookie, RFC 8489 section 5.
func looksSTUN(b []byte) bool {
	return len(b) >= 20 && b[0]>>6 == 0 && binary.BigEndian.Uint32(b[4:]) == cookie && int(binary.BigEndian.Uint16(b[2:])) <= len(b)-20
}

var stunMethods = map[uint64]string{1: "binding", 3: "allocate", 4: "refresh", 6: "send", 7: "data", 8: "create permission", 9: "channel bind"}
var stunClasses = []string{"request", "indication", "answer", "error"}
var stunAttributes = map[uint64]string{0x01: "mapped address", 0x06: "user name", 0x08: "message integrity", 0x09: "error", 0x0c: "channel number", 0x0d: "lifetime",
	0x12: "peer address", 0x13: "data", 0x14: "realm", 0x15: "nonce", 0x16: "relayed address", 0x19: "transport", 0x20: "mapped address", 0x24: "priority", 0x25: "use this pair",
	0x8022: "software", 0x8028: "fingerprint", 0x8029: "controlled", 0x802a: "controlling", 0x802b: "response origin", 0x802c: "other address"}

// stun is a message with its attributes, RFC 8489 section 5 and 14.
func stun(c *cutter) {
	begin := c.bit / 8
	c.number("zero", 2, plain)
	c.number("type", 14, func(v uint64) (string, string) {
		method, class := v&0xf|v>>1&0x70|v>>2&0xf80, v>>4&1|v>>7&2
		c.layer.Summary = or(stunMethods[method], fmt.Sprintf("method %d", method)) + " " + stunClasses[class]
		return fmt.Sprintf("0x%04x", v), c.layer.Summary
	})
	n := int(c.number("length", 16, times(1)))
	c.number("magic cookie", 32, inHex(8))
	c.bytes("transaction id", 12, hexed)
	for end := c.bit + n*8; c.ok() && c.bit < end; {
		kind := c.number("attribute", 16, func(v uint64) (string, string) { return fmt.Sprintf("0x%04x", v), stunAttributes[v] })
		size := int(c.number("attribute length", 16, times(1)))
		c.bytes(or(stunAttributes[kind], "value"), size, func(b []byte) (string, string) {
			switch kind {
			case 0x12, 0x16, 0x20:
				if a, ok := xorAddress(b, c.d.data[begin+4:begin+20]); ok {
					return a.String(), "written XOR the cookie, so that no router “repairs” it"
				}
			case 0x06, 0x14, 0x15, 0x8022:
				return text(b)
			}
			return hexed(b)
		})
		if pad := (4 - size%4) % 4; pad > 0 && c.ok() {
			c.bytes("padding", pad, hexed)
		}
	}
}

// xorAddress reads an address that is XORed with the cookie and the transaction id.
func xorAddress(b, key []byte) (netip.AddrPort, bool) {
	if len(b) != 8 && len(b) != 20 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(b[2:]) ^ cookie>>16
	ip := make([]byte, len(b)-4)
	for i := range ip {
		ip[i] = b[4+i] ^ key[i]
	}
	a, ok := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a, port), ok
}
