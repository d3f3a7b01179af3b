package dissect

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cutter cuts fields off the front of a layer. Once the layer is too short it
// cuts nothing more, and remembers for which field.
type cutter struct {
	d     *dissection
	layer Layer
	bit   int
	end   int // bit
	short string
}

// left is how many bytes are not cut off yet.
func (c *cutter) left() int { return (c.end - c.bit) / 8 }

// ok tells whether there is more to read, and room for it.
func (c *cutter) ok() bool { return c.short == "" && c.bit < c.end && c.d.fields < maxFields }

// number cuts off an unsigned number of up to 64 bits. show tells its value,
// and what it means.
func (c *cutter) number(name string, bits int, show func(uint64) (value, note string)) uint64 {
	if !c.take(name, bits) {
		return 0
	}
	var v uint64
	for i := range bits {
		at := c.bit + i
		v = v<<1 | uint64(c.d.data[at/8]>>(7-at%8)&1)
	}
	value, note := show(v)
	c.add(name, value, note, bits)
	return v
}

// bytes cuts off n bytes; the reading begins at a whole byte.
func (c *cutter) bytes(name string, n int, show func([]byte) (value, note string)) []byte {
	if n == 0 || !c.take(name, n*8) {
		return nil
	}
	b := c.d.data[c.bit/8 : c.bit/8+n]
	value, note := show(b)
	c.add(name, value, note, n*8)
	return b
}

func (c *cutter) take(name string, bits int) bool {
	if c.short != "" {
		return false
	}
	if c.d.fields >= maxFields {
		c.d.problem = fmt.Sprintf("More than %d fields; the rest is left out.", maxFields)
		return false
	}
	if bits < 0 || c.bit+bits > c.end {
		c.short = name
		return false
	}
	return true
}

func (c *cutter) add(name, value, note string, bits int) {
	c.layer.Fields = append(c.layer.Fields, Field{Name: clip(name), Value: clip(value), Note: clip(note), Bit: c.bit, Bits: bits})
	c.d.fields++
	c.bit += bits
}

// Ways to show a number.

func plain(v uint64) (string, string) { return strconv.FormatUint(v, 10), "" }

func inHex(digits int) func(uint64) (string, string) {
	return func(v uint64) (string, string) { return fmt.Sprintf("0x%0*x", digits, v), "" }
}

// named is a number that has a name.
func named(names map[uint64]string) func(uint64) (string, string) {
	return func(v uint64) (string, string) { return strconv.FormatUint(v, 10), names[v] }
}

// counted is a number of something.
func counted(unit string) func(uint64) (string, string) {
	return func(v uint64) (string, string) { return strconv.FormatUint(v, 10), fmt.Sprintf("%d %s", v, unit) }
}

// times is a number of units of some bytes.
func times(size uint64) func(uint64) (string, string) {
	return func(v uint64) (string, string) { return strconv.FormatUint(v, 10), fmt.Sprintf("%d bytes", v*size) }
}

// flag is one bit, said only when it is set.
func flag(meaning string) func(uint64) (string, string) {
	return func(v uint64) (string, string) {
		if v == 0 {
			return "0", ""
		}
		return "1", meaning
	}
}

// Ways to show bytes.

func hexed(b []byte) (string, string) {
	if len(b) > maxValue/2 {
		return hex.EncodeToString(b[:maxValue/2-2]) + "…", fmt.Sprintf("%d bytes", len(b))
	}
	return hex.EncodeToString(b), ""
}

// readable shows text as text and the rest in hexadecimal.
func readable(b []byte) (string, string) {
	if text := string(b[:min(len(b), maxValue)]); isText(b) {
		return strconv.Quote(strings.ToValidUTF8(text, "")), ""
	}
	return hexed(b)
}

func text(b []byte) (string, string) { return printable(string(b)), "" }

func isText(b []byte) bool {
	for _, r := range string(b) {
		if r == utf8.RuneError || r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f {
			return false
		}
	}
	return len(b) > 0
}

// printable makes text from outside safe to show on one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '·'
		}
		return r
	}, s)
}

// clip keeps a value to what a table has room for.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "·")
	if len(s) <= maxValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxValue-3], "") + "…"
}
