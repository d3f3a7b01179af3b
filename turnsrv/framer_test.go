package turnsrv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/pion/stun"
)

func TestFramerCutsAStream(t *testing.T) {
	want := [][]byte{
		stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw,
		{0x40, 0, 0, 0},
		{0x40, 0, 0, 1, 'a'},
		{0x4f, 0xff, 0, 4, 'a', 'b', 'c', 'd'},
		append([]byte{0x40, 1, 0x06, 0x3c}, make([]byte, maxMessage-channelHeader)...), // the longest
		stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("abc"), stun.Fingerprint).Raw,
	}
	var stream []byte
	for _, m := range want {
		stream = append(append(stream, m...), make([]byte, padded(len(m))-len(m))...)
	}
	for name, r := range map[string]io.Reader{
		"whole":  bytes.NewReader(stream),
		"bytes":  iotest.OneByteReader(bytes.NewReader(stream)),
		"halves": iotest.HalfReader(bytes.NewReader(stream)),
	} {
		f := newFramer(r)
		for i, m := range want {
			if got, err := f.next(); err != nil || !bytes.Equal(got, m) {
				t.Fatalf("%s: message %d is %x, %v; want %x", name, i, got, err, m)
			}
		}
		if _, err := f.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v at the end, want EOF", name, err)
		}
	}
}

func TestFramerGoesOnAfterATimeout(t *testing.T) {
	m := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	f := newFramer(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(m))))
	if _, err := f.next(); !errors.Is(err, iotest.ErrTimeout) {
		t.Fatalf("%v, want a timeout", err)
	}
	if got, err := f.next(); err != nil || !bytes.Equal(got, m) {
		t.Fatalf("%x, %v", got, err)
	}
}

// Whatever the stream, the framer returns frames that follow each other in it,
// none empty, none too long, and ends.
func FuzzFramer(f *testing.F) {
	f.Add([]byte{0x40, 0, 0, 1, 'a', 0, 0, 0, 0x40, 0, 0, 0})
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.Fingerprint).Raw)
	f.Add(binary.BigEndian.AppendUint64([]byte{0, 1, 0xff, 0xec}, 0x2112a442<<32))
	f.Add([]byte{0x40, 0, 0xff, 0xfc, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		frames := newFramer(bytes.NewReader(stream))
		at := 0
		for {
			p, err := frames.next()
			if err != nil {
				return
			}
			if len(p) < channelHeader || len(p) > maxMessage || !bytes.Equal(p, stream[at:at+len(p)]) {
				t.Fatalf("frame %x at %d of %x", p, at, stream)
			}
			at += padded(len(p))
		}
	})
}
