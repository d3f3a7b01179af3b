package tlsrecord

import (
	"encoding/binary"
	"errors"
)

// Content types, RFC 8446 section 5.1.
const (
	ChangeCipherSpec = 20
	Alert            = 21
	Handshake        = 22
	ApplicationData  = 23
)

// Record is one TLS record. Header and Body are parts of what it was cut from.
type Record struct {
	Type         byte
	Header, Body []byte
}

// ErrNotTLS is for bytes that are no record.
var ErrNotTLS = errors.New("tlsrecord: not the beginning of a TLS record")

// maxBody is the most a record may have, RFC 8446 section 5.2.
const maxBody = 1<<14 + 256

// region records

// Split cuts the first record off a stream: five bytes that say what and how
// much, and that much. size is how long it is; 0 as long as it is not all there.
func Split(stream []byte) (r Record, size int, err error) {
	if len(stream) < 5 {
		return Record{}, 0, nil
	}
	n := int(binary.BigEndian.Uint16(stream[3:]))
	if stream[0] < ChangeCipherSpec || stream[0] > ApplicationData || stream[1] != 3 || n > maxBody {
		return Record{}, 0, ErrNotTLS
	}
	if len(stream) < 5+n {
		return Record{}, 0, nil
	}
	return Record{stream[0], stream[:5], stream[5 : 5+n]}, 5 + n, nil
}

// endregion

// Hello is what a ClientHello or ServerHello tells in the clear, RFC 8446
// section 4.1.
type Hello struct {
	Client bool
	Random []byte
	Name   string   // of the server, by the client
	ALPN   []string // protocols, by the client
	Suite  uint16   // by the server
	TLS13  bool     // by the server
}

// retry is the random of a HelloRetryRequest, RFC 8446 section 4.1.3: the
// client has to begin again.
const retry = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// readHello reads the first message of a record.
func readHello(body []byte) (h Hello, ok bool) {
	c := &cursor{b: body}
	kind := c.number(1)
	c = &cursor{b: c.vector(3)}
	c.take(2)
	h.Random = c.take(32)
	c.vector(1)
	switch kind {
	case 1:
		h.Client = true
		c.vector(2)
		c.vector(1)
	case 2:
		h.Suite = uint16(c.number(2))
		c.take(1)
	default:
		return h, false
	}
	if c.bad {
		return h, false
	}
	for e := (&cursor{b: c.vector(2)}); len(e.b) > 0 && !e.bad; {
		h.extension(e.number(2), &cursor{b: e.vector(2)})
	}
	return h, true
}

func (h *Hello) extension(id int, data *cursor) {
	switch id {
	case 0: // server name, RFC 6066 section 3
		list := &cursor{b: data.vector(2)}
		list.take(1)
		h.Name = string(list.vector(2))
	case 16: // ALPN, RFC 7301
		for list := (&cursor{b: data.vector(2)}); len(list.b) > 0 && !list.bad && len(h.ALPN) < 16; {
			h.ALPN = append(h.ALPN, string(list.vector(1)))
		}
	case 43: // supported versions
		h.TLS13 = !h.Client && data.number(2) == 0x0304
	}
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
