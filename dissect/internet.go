package dissect

import (
	"encoding/binary"
	"fmt"
)

var protocols = map[uint64]string{1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE", 50: "ESP", 58: "ICMPv6", 132: "SCTP"}

// ipv4 is a header, RFC 791 section 3.1.
func ipv4(c *cutter) {
	whole := c.d.data[c.bit/8 : c.end/8]
	c.number("version", 4, plain)
	c.number("header length", 4, times(4))
	c.number("service", 6, named(map[uint64]string{0: "like all others", 46: "expedited"}))
	c.number("congestion", 2, named(map[uint64]string{0: "no ECN", 1: "ECN understood", 2: "ECN understood", 3: "congestion met"}))
	n := c.number("total length", 16, times(1))
	c.number("identification", 16, inHex(4))
	c.number("reserved", 1, plain)
	c.number("don't fragment", 1, flag("a router that can't carry it whole sends an error"))
	more := c.number("more fragments", 1, flag("not the last piece"))
	part := c.number("fragment offset", 13, times(8))
	c.number("time to live", 8, counted("more routers"))
	proto := c.number("protocol", 8, named(protocols))
	c.number("checksum", 16, func(v uint64) (string, string) {
		if sum(0, whole) == 0xffff {
			return fmt.Sprintf("0x%04x", v), "right"
		}
		return fmt.Sprintf("0x%04x", v), "wrong"
	})
	from := c.bytes("from", 4, address)
	to := c.bytes("to", 4, address)
	for c.ok() {
		kind := c.number("option", 8, named(map[uint64]string{0: "end", 1: "nothing", 7: "record route", 68: "timestamp", 148: "router alert"}))
		if kind == 0 {
			c.bytes("padding", c.left(), hexed)
		} else if kind != 1 {
			size := c.number("option length", 8, times(1))
			c.bytes("option data", int(size)-2, hexed)
		}
	}
	a, _ := address(from)
	b, _ := address(to)
	c.layer.Summary = fmt.Sprintf("%s → %s, %s, %d bytes", a, b, or(protocols[proto], fmt.Sprintf("protocol %d", proto)), n)
	if part > 0 || more > 0 {
		c.layer.Summary += fmt.Sprintf(", fragment from byte %d", part*8)
	}
}

// ipv6 is a header, RFC 8200 section 3.
func ipv6(c *cutter) {
	c.number("version", 4, plain)
	c.number("service", 6, plain)
	c.number("congestion", 2, plain)
	c.number("flow label", 20, inHex(5))
	n := c.number("payload length", 16, times(1))
	next := c.number("next header", 8, named(protocols))
	c.number("hop limit", 8, counted("more routers"))
	from := c.bytes("from", 16, address)
	to := c.bytes("to", 16, address)
	if c.ok() {
		c.bytes("options", c.left(), hexed)
	}
	a, _ := address(from)
	b, _ := address(to)
	c.layer.Summary = fmt.Sprintf("%s → %s, %s, %d bytes", a, b, or(protocols[next], fmt.Sprintf("next header %d", next)), n)
}

// icmp is the beginning that all messages of both versions share, RFC 792 and 4443.
func icmp(c *cutter) {
	kinds := map[uint64]string{0: "echo reply", 3: "destination unreachable", 8: "echo request", 11: "time exceeded"}
	if c.layer.Name == "ICMPv6" {
		kinds = map[uint64]string{1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply",
			133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation", 136: "neighbour advertisement"}
	}
	kind := c.number("type", 8, named(kinds))
	code := c.number("code", 8, plain)
	c.number("checksum", 16, inHex(4))
	if c.ok() {
		c.bytes("rest of the header", c.left(), hexed)
	}
	c.layer.Summary = fmt.Sprintf("%s, code %d", or(kinds[kind], fmt.Sprintf("type %d", kind)), code)
}

// sum adds up 16-bit words as RFC 1071 does.
func sum(begin uint32, b []byte) uint16 {
	s := begin
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// transportSum judges the checksum of TCP or UDP, which covers addresses of
// the layer below as well.
func transportSum(below network, proto byte, header, payload []byte) string {
	if below.src == nil || len(header)%2 != 0 {
		return ""
	}
	n := uint32(len(header) + len(payload))
	s := uint32(sum(n>>16+n&0xffff+uint32(proto), below.src))
	s = uint32(sum(s, below.dst))
	s = uint32(sum(s, header))
	if sum(s, payload) == 0xffff {
		return "right"
	}
	return "does not fit: damaged, cut off, or left for the network card to fill in"
}
