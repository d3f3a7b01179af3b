package http2

import (
	"bytes"
	"testing"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzReader gives the reader of frames any bytes, in two pieces.
func FuzzReader(f *testing.F) {
	var stream, block bytes.Buffer
	stream.WriteString(h2.ClientPreface)
	framer := h2.NewFramer(&stream, nil)
	if err := framer.WriteSettings(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 9}); err != nil {
		f.Fatal(err)
	}
	if err := hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":method", Value: "GET"}); err != nil {
		f.Fatal(err)
	}
	if err := framer.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
		f.Fatal(err)
	}
	f.Add(stream.Bytes(), 30)
	f.Add(append([]byte(h2.ClientPreface), 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 7, 7, 7), 26)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		flow, seen := newWindows(), 0
		r := newReader("", func(one frame) {
			seen++
			flow.begin(one.StreamID)
			flow.settings(one.settings)
			flow.opened(one.StreamID, one.add)
			flow.sent(one.StreamID, one.Length)
			_, _ = title(one), flagsText(one.FrameHeader)
		})
		at = max(0, min(at, len(data)))
		for _, piece := range [][]byte{data[:at], data[at:]} {
			if err := r.write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if seen > len(data)/9 || r.buf.Len() > maxFrame || len(r.block) > maxBlock {
			t.Fatalf("%d frames of %d bytes, %d kept", seen, len(data), r.buf.Len())
		}
	})
}
