package hijack

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// The example of RFC 6455, section 1.3.
func TestAcceptKey(t *testing.T) {
	if got := acceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("accept key %s", got)
	}
}

// The examples of RFC 6455, section 5.7.
func TestFramesOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		f    frame
		wire []byte
	}{
		{frame{fin: true, op: opText, payload: []byte("Hello")}, []byte{0x81, 5, 'H', 'e', 'l', 'l', 'o'}},
		{frame{fin: true, op: opText, masked: true, mask: [4]byte{0x37, 0xfa, 0x21, 0x3d}, payload: []byte("Hello")},
			[]byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}},
		{frame{op: opText, payload: []byte("Hel")}, []byte{1, 3, 'H', 'e', 'l'}},
		{frame{fin: true, op: opMore, payload: []byte("lo")}, []byte{0x80, 2, 'l', 'o'}},
		{frame{fin: true, op: opBinary, payload: make([]byte, 256)}, append([]byte{0x82, 0x7e, 1, 0}, make([]byte, 256)...)},
		{frame{fin: true, op: opBinary, payload: make([]byte, 65536)}, append([]byte{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 65536)...)},
	} {
		if got := c.f.append(nil); !bytes.Equal(got, c.wire) {
			t.Errorf("%s frame: % x, want % x", c.f.op, got[:min(20, len(got))], c.wire[:min(20, len(c.wire))])
		}
		got, err := readFrame(bytes.NewReader(c.wire))
		if err != nil || got.op != c.f.op || got.fin != c.f.fin || !bytes.Equal(got.payload, c.f.payload) {
			t.Errorf("% x is read as %+v, %v", c.wire[:min(20, len(c.wire))], got.op, err)
		}
	}
}

func TestWhatHasNoMeaningIsNoFrame(t *testing.T) {
	for _, wire := range [][]byte{{0x83, 0}, {0x8b, 0}, {0xc1, 0}, {0x09, 0}, {0x89, 126, 0, 126}} {
		if f, err := readFrame(bytes.NewReader(wire)); !errors.Is(err, errFrame) {
			t.Errorf("% x is read as %+v, %v", wire, f, err)
		}
	}
}

// FuzzFrame reads any bytes; what is read can be written and read again.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})
	f.Add([]byte{0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x89, 0x7e, 0, 126})
	f.Add(fromClient(opClose, true, string(closing(1000, "bye"))).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		one, err := readFrame(r)
		if err != nil {
			if !errors.Is(err, errFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return
		}
		one.describe()
		again, err := readFrame(bytes.NewReader(one.append(nil)))
		if err != nil || again.op != one.op || again.fin != one.fin || again.masked != one.masked || !bytes.Equal(again.payload, one.payload) {
			t.Fatalf("%+v becomes %+v, %v", one, again, err)
		}
	})
}
