package dissect

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// application reads the payload of a transport by what it looks like, and the
// port where that says nothing. It tells whether it knew what it is.
func (d *dissection) application(at int, payload []byte, stream bool, src, dst uint16) bool {
	if len(payload) == 0 {
		return true
	}
	if real, ok := offset(d.data, payload); ok {
		at = real
	}
	end := at + len(payload)
	switch dns := src == 53 || dst == 53; {
	case stream && looksTLS(payload):
		d.tls(at, end)
	case stream && looksHTTP(payload):
		d.layer("HTTP/1", "http", at, end, http1)
	case stream && dns && len(payload) > 2:
		d.layer("DNS over TCP", "dns", at, at+2, func(c *cutter) {
			c.number("message length", 16, times(1))
			c.layer.Summary = "how long the message is"
		})
		d.layer("DNS", "dns", at+2, end, dnsMessage)
	case stream && looksHTTP2(payload):
		d.http2(at, end)
	case !stream && looksSTUN(payload):
		d.layer("STUN", "ice", at, end, stun)
	case !stream && looksDTLS(payload):
		d.dtls(at, end)
	case !stream && looksQUIC(payload, src == 443 || dst == 443):
		d.quic(at, end)
	case !stream && dns:
		d.layer("DNS", "dns", at, end, dnsMessage)
	case stream:
		d.rest(at, len(payload))
	default:
		return false
	}
	return true
}

var methods = []string{"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "PATCH ", "OPTIONS ", "CONNECT ", "TRACE ", "HTTP/1."}

func looksHTTP(b []byte) bool {
	for _, m := range methods {
		if bytes.HasPrefix(b, []byte(m)) {
			return true
		}
	}
	return false
}

// http1 is the head of a message and what of its body is in the packet, RFC 9112.
func http1(c *cutter) {
	line, ok := c.line()
	if !ok {
		c.bytes("begins with", c.left(), readable)
		c.layer.Summary = "the beginning of a message"
		return
	}
	c.layer.Summary = printable(string(line))
	a, rest, _ := bytes.Cut(line, []byte(" "))
	b, third, _ := bytes.Cut(rest, []byte(" "))
	names := []string{"method", "target", "version"}
	if bytes.HasPrefix(line, []byte("HTTP/1.")) {
		names = []string{"version", "status", "reason"}
	}
	for i, part := range [][]byte{a, b, third} {
		c.bytes(names[i], len(part), text)
		if i < 2 && len(part) > 0 && c.left() > 0 && c.d.data[c.bit/8] == ' ' {
			c.bit += 8
		}
	}
	for c.newline(); c.ok(); c.newline() {
		line, ok := c.line()
		if !ok {
			c.bytes("header, goes on in the next segment", c.left(), readable)
			return
		}
		if len(line) == 0 {
			c.newline()
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		c.bytes(printable(name), len(line), func([]byte) (string, string) { return printable(strings.TrimSpace(value)), "" })
	}
	if c.left() > 0 {
		c.bytes("body", c.left(), readable)
	}
}

// line is what stands before the next end of a line.
func (c *cutter) line() ([]byte, bool) {
	b := c.d.data[c.bit/8 : c.end/8]
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, false
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), true
}

// newline steps over the end of a line.
func (c *cutter) newline() {
	for _, want := range "\r\n" {
		if c.left() > 0 && c.d.data[c.bit/8] == byte(want) {
			c.bit += 8
		}
	}
}

var dnsTypes = map[uint64]string{1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 41: "OPT", 64: "SVCB", 65: "HTTPS", 255: "ANY"}
var dnsCodes = map[uint64]string{0: "no error", 1: "format error", 2: "server failure", 3: "no such name", 4: "not implemented", 5: "refused"}

// dnsMessage is a query or an answer, RFC 1035 section 4.
func dnsMessage(c *cutter) {
	begin := c.bit / 8
	c.number("id", 16, inHex(4))
	answer := c.number("answer", 1, flag("this is an answer"))
	c.number("kind", 4, named(map[uint64]string{0: "query", 5: "update"}))
	c.number("authoritative", 1, flag("the server is in charge of the name"))
	c.number("truncated", 1, flag("cut: ask again over TCP"))
	c.number("recursion desired", 1, flag("find it out for me"))
	c.number("recursion available", 1, flag("I do that"))
	c.number("reserved", 3, plain)
	code := c.number("code", 4, named(dnsCodes))
	questions := c.number("questions", 16, plain)
	counts := []uint64{c.number("answers", 16, plain), c.number("authorities", 16, plain), c.number("additional", 16, plain)}
	asked, kind := "", uint64(0)
	for range questions {
		if !c.ok() {
			return
		}
		asked = c.name("asked for", begin)
		kind = c.number("type", 16, named(dnsTypes))
		c.number("class", 16, named(map[uint64]string{1: "Internet"}))
	}
	c.layer.Summary = fmt.Sprintf("query: %s %s", dnsTypes[kind], asked)
	if answer == 1 {
		c.layer.Summary = fmt.Sprintf("answer: %s %s, %s, %d records", dnsTypes[kind], asked, or(dnsCodes[code], strconv.FormatUint(code, 10)), counts[0])
	}
	for i, section := range []string{"answer", "authority", "additional"} {
		for range counts[i] {
			if !c.ok() {
				return
			}
			c.record(section, begin)
		}
	}
}

func (c *cutter) record(section string, begin int) {
	c.name(section, begin)
	kind := c.number("type", 16, named(dnsTypes))
	c.number("class", 16, named(map[uint64]string{1: "Internet"}))
	c.number("time to live", 32, counted("seconds"))
	n := int(c.number("data length", 16, times(1)))
	switch kind {
	case 1, 28:
		c.bytes("address", n, address)
	case 2, 5, 12:
		end := c.bit + n*8
		c.name("name", begin)
		if c.bit < end {
			c.bytes("more", (end-c.bit)/8, hexed)
		}
	default:
		c.bytes("data", n, readable)
	}
}

// name cuts off a name, RFC 1035 section 4.1.4: labels, the rest of which may
// be a pointer to where it stands already.
func (c *cutter) name(field string, begin int) string {
	b := c.d.data[begin : c.end/8]
	at, size, jumps := c.bit/8-begin, 0, 0
	var labels []string
	for at < len(b) && len(labels) < 128 {
		n := int(b[at])
		switch {
		case n == 0:
			if size == 0 {
				size = at + 1 - (c.bit/8 - begin)
			}
			name := printable(strings.Join(labels, ".")) + "."
			note := ""
			if jumps > 0 {
				note = "shortened: its end is a pointer to an earlier name"
			}
			c.bytes(field, size, func([]byte) (string, string) { return name, note })
			return name
		case n >= 0xc0 && at+1 < len(b) && jumps < 16:
			if size == 0 {
				size = at + 2 - (c.bit/8 - begin)
			}
			at = n&0x3f<<8 | int(b[at+1])
			jumps++
		case n < 0x40 && at+1+n <= len(b):
			labels = append(labels, string(b[at+1:at+1+n]))
			at += 1 + n
		default:
			c.short = field
			return ""
		}
	}
	c.short = field
	return ""
}
