package http2

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// bomb is a header block of few bytes: one long field, and then the number of it
// again and again.
func bomb(t testing.TB, times int) []byte {
	t.Helper()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	long := hpack.HeaderField{Name: "x", Value: strings.Repeat("a", 3900)}
	for range times {
		if err := e.WriteField(long); err != nil {
			t.Fatal(err)
		}
	}
	return block.Bytes()
}

func TestABlockThatUnpacksToMuchIsCountedAndNotKept(t *testing.T) {
	var stream bytes.Buffer
	const times = 10000
	err := h2.NewFramer(&stream, nil).WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: bomb(t, times), EndHeaders: true, EndStream: true})
	if err != nil {
		t.Fatal(err)
	}
	var seen frame
	if err := newReader("", func(f frame) { seen = f }).write(stream.Bytes()); err != nil {
		t.Fatal(err)
	}
	if seen.unpacked < times*3900 {
		t.Errorf("unpacked to %d bytes: that is no bomb", seen.unpacked)
	}
	if n := len(seen.detail); n > maxText || seen.broken {
		t.Errorf("of a block of %d bytes %d are told, broken %t", seen.block, n, seen.broken)
	}
}

// TestAGreedyClientIsRefused has a client open more streams than it was told it
// may, none of which can be sent to.
func TestAGreedyClientIsRefused(t *testing.T) {
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() {
		defer there.Close()
		done <- serveByHand(there, make([]byte, 1000), true)
	}()
	refused := make(chan int, 1)
	answers := h2.NewFramer(here, here)
	go func() {
		n := 0
		for {
			f, err := answers.ReadFrame()
			if err != nil {
				refused <- n
				return
			}
			if f, ok := f.(*h2.RSTStreamFrame); ok && f.ErrCode == h2.ErrCodeRefusedStream {
				n++
			}
		}
	}()
	if _, err := io.WriteString(here, h2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := answers.WriteSettings(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	if err := hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":method", Value: "GET"}); err != nil {
		t.Fatal(err)
	}
	const more = 30
	for i := range uint32(mostStreams + more) {
		if err := answers.WriteHeaders(h2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
			t.Fatal(err)
		}
		block.Reset()
		if err := hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":method", Value: "GET"}); err != nil {
			t.Fatal(err)
		}
	}
	// A frame larger than anybody may send without asking ends it.
	if err := answers.WriteRawFrame(h2.FrameData, 0, 1, make([]byte, 17<<10)); err == nil {
		t.Log("the server read all of a frame that is too large")
	}
	if err := <-done; err == nil {
		t.Error("a frame of 17 KiB was taken")
	}
	if n := <-refused; n != more {
		t.Errorf("%d streams refused, want %d", n, more)
	}
	here.Close()
}
