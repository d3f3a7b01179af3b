package dissect

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// What frames of HTTP/2 are called, RFC 9113 section 6 and 7.
var (
	frameTypes = []string{"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"}
	settings   = map[uint64]string{1: "HEADER_TABLE_SIZE", 2: "ENABLE_PUSH", 3: "MAX_CONCURRENT_STREAMS", 4: "INITIAL_WINDOW_SIZE", 5: "MAX_FRAME_SIZE", 6: "MAX_HEADER_LIST_SIZE", 8: "ENABLE_CONNECT_PROTOCOL"}
	h2Errors   = map[uint64]string{0: "NO_ERROR", 1: "PROTOCOL_ERROR", 2: "INTERNAL_ERROR", 3: "FLOW_CONTROL_ERROR", 4: "SETTINGS_TIMEOUT", 5: "STREAM_CLOSED", 6: "FRAME_SIZE_ERROR",
		7: "REFUSED_STREAM", 8: "CANCEL", 9: "COMPRESSION_ERROR", 10: "CONNECT_ERROR", 11: "ENHANCE_YOUR_CALM", 12: "INADEQUATE_SECURITY", 13: "HTTP_1_1_REQUIRED"}
)

// Flags of a frame; the first one is an acknowledgement in SETTINGS and PING.
const endStream, endHeaders, padded, priority = 0x1, 0x4, 0x8, 0x20

// flagsOf are those that each type may have.
var flagsOf = []byte{endStream | padded, endStream | endHeaders | padded | priority, 0, 0, 1, endHeaders | padded, 1, 0, 0, endHeaders}

const (
	preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	maxFrame = 1 << 14 // unless one has asked for more
)

// looksHTTP2 tells a segment that begins with a frame, by all that the nine bytes of
// its header and those of the frames after it can't be.
func looksHTTP2(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte(preface))
	for first := true; ; first = false {
		if len(b) < 9 {
			return !first || len(b) == 0
		}
		n, kind, flags, stream := int(b[0])<<16|int(b[1])<<8|int(b[2]), b[3], b[4], binary.BigEndian.Uint32(b[5:])
		if n > maxFrame || int(kind) >= len(frameTypes) || flags&^flagsOf[kind] != 0 || !fitsType(kind, n, stream) {
			return false
		}
		b = b[min(9+n, len(b)):]
	}
}

// fitsType tells whether a frame of this type can have this size and stream. The
// first bit of the latter is reserved, and 0.
func fitsType(kind byte, n int, stream uint32) bool {
	switch frameTypes[kind] {
	case "SETTINGS":
		return stream == 0 && n%6 == 0
	case "PING":
		return stream == 0 && n == 8
	case "GOAWAY":
		return stream == 0 && n >= 8
	case "WINDOW_UPDATE":
		return n == 4 && stream>>31 == 0
	case "RST_STREAM":
		return n == 4 && stream != 0 && stream>>31 == 0
	case "PRIORITY":
		return n == 5 && stream != 0 && stream>>31 == 0
	}
	return stream != 0 && stream>>31 == 0
}

// http2 reads the frames that begin in a segment.
func (d *dissection) http2(at, end int) {
	if bytes.HasPrefix(d.data[at:end], []byte(preface)) {
		d.layer("HTTP/2 preface", "http", at, at+len(preface), func(c *cutter) {
			c.bytes("preface", len(preface), readable)
			c.layer.Summary = "a line that no server of HTTP/1.1 takes for a request"
		})
		at += len(preface)
	}
	for at < end {
		if end-at < 9 {
			d.rest(at, end-at)
			return
		}
		n := int(d.data[at])<<16 | int(d.data[at+1])<<8 | int(d.data[at+2])
		stop := min(at+9+n, end)
		d.layer("HTTP/2 frame", "http", at, stop, func(c *cutter) { frame(c, at+9+n-stop) })
		at = stop
	}
}

// frame reads one; missing bytes of it come in the next segment.
func frame(c *cutter, missing int) {
	n := c.number("length", 24, times(1))
	kind := frameTypes[c.d.data[c.bit/8]]
	c.number("type", 8, func(v uint64) (string, string) { return plainNote(v, kind) })
	flags := c.number("flags", 8, func(v uint64) (string, string) { return fmt.Sprintf("0x%02x", v), flagNames(kind, v) })
	c.number("reserved", 1, plain)
	stream := c.number("stream", 31, func(v uint64) (string, string) {
		if v == 0 {
			return "0", "the connection"
		}
		return plain(v)
	})
	c.layer.Summary = kind
	if stream != 0 {
		c.layer.Summary += fmt.Sprintf(", stream %d", stream)
	}
	if names := flagNames(kind, flags); names != "" {
		c.layer.Summary += ", " + names
	}
	if missing == 0 {
		switch kind {
		case "SETTINGS":
			for c.ok() {
				id := c.number("setting", 16, named(settings))
				c.number(or(settings[id], "value"), 32, plain)
			}
		case "WINDOW_UPDATE":
			c.number("reserved", 1, plain)
			c.number("increment", 31, counted("bytes more may be sent"))
		case "RST_STREAM":
			c.number("error", 32, named(h2Errors))
		case "GOAWAY":
			c.number("reserved", 1, plain)
			c.number("last stream", 31, plain)
			c.number("error", 32, named(h2Errors))
		}
	}
	switch left := c.left(); {
	case left == 0:
	case kind == "DATA":
		c.layer.Summary += fmt.Sprintf(", %d bytes", n)
		c.bytes("data", left, readable)
	case kind == "HEADERS" || kind == "PUSH_PROMISE" || kind == "CONTINUATION":
		c.bytes("header block", left, func(b []byte) (string, string) {
			value, _ := hexed(b)
			return value, "HPACK: the blocks before it tell what it refers to"
		})
	default:
		c.bytes("content", left, readable)
	}
	if missing > 0 {
		c.layer.Summary += ", goes on in the next segment"
	}
}

func flagNames(kind string, flags uint64) string {
	first := "END_STREAM"
	if kind == "SETTINGS" || kind == "PING" {
		first = "ACK"
	}
	var on []string
	for _, f := range []struct {
		bit  uint64
		name string
	}{{endStream, first}, {endHeaders, "END_HEADERS"}, {padded, "PADDED"}, {priority, "PRIORITY"}} {
		if flags&f.bit != 0 {
			on = append(on, f.name)
		}
	}
	return strings.Join(on, " ")
}
