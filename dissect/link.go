package dissect

import (
	"fmt"
	"net"
	"net/netip"
)

func mac(b []byte) (string, string) {
	note := ""
	switch {
	case string(b) == "\xff\xff\xff\xff\xff\xff":
		note = "everybody"
	case b[0]&1 == 1:
		note = "a group"
	case string(b) == "\x00\x00\x00\x00\x00\x00":
		note = "none: the loopback has no addresses"
	}
	return net.HardwareAddr(b).String(), note
}

func address(b []byte) (string, string) {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return hexed(b)
	}
	return a.String(), ""
}

var etherTypes = map[uint64]string{0x0800: "IPv4", 0x0806: "ARP", 0x86dd: "IPv6", 0x8100: "VLAN", 0x88cc: "LLDP"}

func etherType(v uint64) (string, string) {
	if v < 0x0600 {
		return fmt.Sprintf("0x%04x", v), "a length: an old kind of frame"
	}
	return fmt.Sprintf("0x%04x", v), etherTypes[v]
}

// ethernet is a frame's header, IEEE 802.3.
func ethernet(c *cutter) {
	c.bytes("to", 6, mac)
	c.bytes("from", 6, mac)
	v := c.number("type", 16, etherType)
	c.layer.Summary = "a frame that carries " + or(etherTypes[v], fmt.Sprintf("type 0x%04x", v))
}

var directions = map[uint64]string{0: "to us", 1: "to everybody", 2: "to a group", 3: "to somebody else", 4: "sent by us"}
var devices = map[uint64]string{1: "Ethernet", 772: "loopback"}

// cooked2 is its second version, which says which device as well.
func cooked2(c *cutter) {
	c.number("type", 16, etherType)
	c.number("reserved", 16, plain)
	c.number("device", 32, plain)
	c.number("kind of device", 16, named(devices))
	c.number("direction", 8, named(directions))
	n := c.number("address length", 8, plain)
	c.bytes("address", int(min(n, 8)), hexed)
	c.bytes("padding", 8-int(min(n, 8)), hexed)
	c.layer.Summary = "no header of a link, but one that Linux made up"
}

// cooked is what Linux gives instead of a link's own header ("any" device).
func cooked(c *cutter) {
	c.number("direction", 16, named(directions))
	c.number("kind of device", 16, named(devices))
	n := c.number("address length", 16, plain)
	c.bytes("address", int(min(n, 8)), hexed)
	c.bytes("padding", 8-int(min(n, 8)), hexed)
	c.number("type", 16, etherType)
	c.layer.Summary = "no header of a link, but one that Linux made up"
}

// arp asks who has an address, RFC 826.
func arp(c *cutter) {
	c.number("hardware", 16, named(map[uint64]string{1: "Ethernet"}))
	c.number("protocol", 16, etherType)
	hw := c.number("hardware length", 8, times(1))
	pr := c.number("protocol length", 8, times(1))
	op := c.number("operation", 16, named(map[uint64]string{1: "request", 2: "reply"}))
	c.bytes("sender's hardware", int(hw), hexed)
	from := c.bytes("sender's address", int(pr), address)
	c.bytes("target's hardware", int(hw), hexed)
	to := c.bytes("target's address", int(pr), address)
	a, _ := address(from)
	b, _ := address(to)
	c.layer.Summary = "who has " + b + "? tell " + a
	if op == 2 {
		c.layer.Summary = a + " is here"
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
