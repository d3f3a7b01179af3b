package dissect

import (
	"fmt"
	"strings"
)

// tcp is a header with its options, RFC 9293 section 3.1.
func tcp(c *cutter, below network, payload []byte) {
	header := c.d.data[c.bit/8 : c.end/8]
	from := c.number("from port", 16, plain)
	to := c.number("to port", 16, plain)
	c.number("sequence number", 32, func(v uint64) (string, string) { return plainNote(v, "of the first byte it carries") })
	c.number("acknowledgement", 32, func(v uint64) (string, string) { return plainNote(v, "the next byte that is expected") })
	c.number("header length", 4, times(4))
	c.number("reserved", 4, plain)
	var on []string
	for _, f := range []struct{ name, meaning string }{
		{"CWR", "I have slowed down"}, {"ECE", "congestion was met on the way"}, {"URG", "something urgent"},
		{"ACK", "the acknowledgement counts"}, {"PSH", "hand it over now"}, {"RST", "there is no connection"},
		{"SYN", "let us begin"}, {"FIN", "I have no more to send"},
	} {
		if c.number(f.name, 1, flag(f.meaning)) == 1 {
			on = append(on, f.name)
		}
	}
	c.number("window", 16, func(v uint64) (string, string) {
		return plainNote(v, "may be on the way at a time, times 2 to the scale agreed on")
	})
	c.number("checksum", 16, func(v uint64) (string, string) {
		return fmt.Sprintf("0x%04x", v), transportSum(below, 6, header, payload)
	})
	c.number("urgent pointer", 16, plain)
	for c.ok() {
		tcpOption(c)
	}
	c.layer.Summary = fmt.Sprintf("%d → %d, %s, %d bytes of payload", from, to, or(strings.Join(on, " "), "no flags"), len(payload))
}

func plainNote(v uint64, note string) (string, string) {
	s, _ := plain(v)
	return s, note
}

var tcpOptions = map[uint64]string{
	0: "end of options", 1: "nothing, to fill up", 2: "maximum segment size", 3: "window scale",
	4: "selective acknowledgement permitted", 5: "selective acknowledgement", 8: "timestamps", 30: "multipath", 34: "fast open",
}

func tcpOption(c *cutter) {
	kind := c.number("option", 8, named(tcpOptions))
	switch kind {
	case 0:
		c.bytes("padding", c.left(), hexed)
		return
	case 1:
		return
	}
	n := int(c.number("option length", 8, times(1))) - 2
	switch {
	case kind == 2 && n == 2:
		c.number("maximum segment size", 16, counted("bytes of payload in a segment"))
	case kind == 3 && n == 1:
		c.number("window scale", 8, func(v uint64) (string, string) {
			return plainNote(v, fmt.Sprintf("windows are times %d", uint64(1)<<min(v, 14)))
		})
	case kind == 5 && n%8 == 0:
		for range n / 8 {
			c.number("arrived from", 32, plain)
			c.number("arrived up to", 32, plain)
		}
	case kind == 8 && n == 8:
		c.number("sender's clock", 32, plain)
		c.number("echo of the other's clock", 32, plain)
	default:
		c.bytes("option data", n, hexed)
	}
}

// udp is a header, RFC 768.
func udp(c *cutter, below network, payload []byte) {
	header := c.d.data[c.bit/8 : c.end/8]
	from := c.number("from port", 16, plain)
	to := c.number("to port", 16, plain)
	n := c.number("length", 16, times(1))
	c.number("checksum", 16, func(v uint64) (string, string) {
		if v == 0 {
			return "0x0000", "not used"
		}
		return fmt.Sprintf("0x%04x", v), transportSum(below, 17, header, payload)
	})
	c.layer.Summary = fmt.Sprintf("%d → %d, %d bytes of payload", from, to, max(int(n)-8, 0))
}
