package udp

import "bytes"

// maxPieces bounds the pieces of one file, from whomever it is.
const maxPieces = 4096

// receiver puts a file together from what arrives. The answer to a piece may be nil.
type receiver interface {
	take(number, count int, body []byte) (answer []byte)
	file() []byte
}

// region appending

// appending takes every datagram for the next piece of the file.
type appending struct{ got bytes.Buffer }

func (a *appending) take(_, _ int, body []byte) []byte {
	a.got.Write(body)
	return nil // and who sent it never knows
}

// endregion

func (a *appending) file() []byte { return a.got.Bytes() }

// region ordering

// ordering puts each piece in its place, once, and says after each one what it has.
type ordering struct {
	pieces [][]byte
	next   int // all before it are here
}

func (o *ordering) take(number, count int, body []byte) []byte {
	if o.pieces == nil {
		o.pieces = make([][]byte, count)
	}
	if number >= len(o.pieces) {
		return nil
	}
	if o.pieces[number] == nil {
		o.pieces[number] = append([]byte{}, body...)
	}
	for o.next < len(o.pieces) && o.pieces[o.next] != nil {
		o.next++
	}
	return say("ACK", o.next, number).datagram() // also of one that came twice: the first ACK may be lost
}

// endregion

func (o *ordering) file() []byte { return bytes.Join(o.pieces, nil) }
