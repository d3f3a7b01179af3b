package packets

import (
	"encoding/binary"
	"slices"
	"time"
)

// Content types of TLS records, RFC 8446 section 5.1.
const (
	changeCipher = 20
	alert        = 21
	handshake    = 22
	application  = 23
)

// record is one TLS record of a stream.
type record struct {
	at         time.Time
	fromClient bool
	kind       byte
	header     []byte
	body       []byte
}

// region records

// records cuts a stream into TLS records: five bytes that say what and how much,
// and that much. Where the stream begins in the middle of one, there is no way
// to tell.
func records(s stream, fromClient bool) (all []record) {
	for at := 0; len(s.data)-at >= 5; {
		header := s.data[at : at+5]
		n := int(binary.BigEndian.Uint16(header[3:]))
		end := at + 5 + n
		if header[0] < changeCipher || header[0] > application || header[1] != 3 || n > 1<<14+256 || end > len(s.data) {
			return all
		}
		all = append(all, record{s.at(end), fromClient, header[0], header, s.data[at+5 : end]})
		at = end
	}
	return all
}

// endregion

// both lists the records of both directions in the order they came.
func (c conversation) records() []record {
	all := slices.Concat(records(c.client, true), records(c.server, false))
	slices.SortStableFunc(all, func(a, b record) int { return a.at.Compare(b.at) })
	return all
}

// cursor reads numbers and byte strings off the front of a message. What is not
// there reads as zero, and sets bad.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) number(size int) (n int) {
	for _, b := range c.take(size) {
		n = n<<8 | int(b)
	}
	return n
}

// vector is a byte string with its length before it.
func (c *cursor) vector(size int) []byte { return c.take(c.number(size)) }

// hello is what is told in the clear by a ClientHello or ServerHello, RFC 8446
// section 4.1.
type hello struct {
	random []byte
	name   string // of the server, by the client
	suite  uint16 // by the server
	tls13  bool
}

// readHello reads the first message of a record.
func readHello(body []byte) (h hello, ok bool) {
	c := &cursor{b: body}
	kind := c.number(1)
	c = &cursor{b: c.vector(3)}
	c.take(2)
	h.random = c.take(32)
	c.vector(1)
	switch kind {
	case 1:
		c.vector(2)
		c.vector(1)
	case 2:
		h.suite = uint16(c.number(2))
		c.take(1)
	default:
		return h, false
	}
	if c.bad {
		return h, false
	}
	for e := (&cursor{b: c.vector(2)}); len(e.b) > 0 && !e.bad; {
		switch id, data := e.number(2), (&cursor{b: e.vector(2)}); id {
		case 0:
			list := &cursor{b: data.vector(2)}
			list.take(1)
			h.name = string(list.vector(2))
		case 43:
			h.tls13 = kind == 2 && data.number(2) == 0x0304
		}
	}
	return h, true
}
