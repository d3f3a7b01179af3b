package http2

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// region by-hand

// byHand serves one connection with frames and nothing else: every request is
// answered with the page. obey tells whether it minds what the client is ready
// to take.
type byHand struct {
	page    []byte
	obey    bool
	framer  *h2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	windows *windows
	left    map[uint32][]byte // of the page, by stream
}

// mostStreams is how many pages one client can have on the way.
const mostStreams = 20

func serveByHand(conn net.Conn, page []byte, obey bool) error {
	s := &byHand{page: page, obey: obey, framer: h2.NewFramer(conn, conn), windows: newWindows(), left: map[uint32][]byte{}}
	s.encoder = hpack.NewEncoder(&s.block)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.framer.MaxHeaderListSize = 16 << 10
	s.framer.SetMaxReadFrameSize(16 << 10) // as large as frames are unless one asks for more
	preface := make([]byte, len(h2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil || string(preface) != h2.ClientPreface {
		return fmt.Errorf("no preface of HTTP/2: %w", err)
	}
	if err := s.framer.WriteSettings(h2.Setting{ID: h2.SettingMaxConcurrentStreams, Val: mostStreams}); err != nil {
		return err
	}
	for {
		f, err := s.framer.ReadFrame()
		if err != nil {
			return err
		}
		if err := s.take(f); err != nil {
			return err
		}
	}
}

func (s *byHand) take(f h2.Frame) error {
	switch f := f.(type) {
	case *h2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		var all []h2.Setting
		if err := f.ForeachSetting(func(one h2.Setting) error { all = append(all, one); return nil }); err != nil {
			return err
		}
		s.windows.settings(all)
		if err := s.framer.WriteSettingsAck(); err != nil {
			return err
		}
		return s.send()
	case *h2.MetaHeadersFrame:
		if len(s.left) >= mostStreams { // whoever opens more has been told
			return s.framer.WriteRSTStream(f.StreamID, h2.ErrCodeRefusedStream)
		}
		s.windows.begin(f.StreamID)
		s.left[f.StreamID] = s.page
		s.block.Reset()
		_ = s.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"}) // into memory
		if err := s.framer.WriteHeaders(h2.HeadersFrameParam{StreamID: f.StreamID, BlockFragment: s.block.Bytes(), EndHeaders: true}); err != nil {
			return err
		}
		return s.send()
	case *h2.WindowUpdateFrame:
		s.windows.opened(f.StreamID, f.Increment)
		return s.send()
	case *h2.RSTStreamFrame:
		delete(s.left, f.StreamID)
		delete(s.windows.streams, f.StreamID)
	case *h2.PingFrame:
		if !f.IsAck() {
			return s.framer.WritePing(true, f.Data)
		}
	case *h2.GoAwayFrame:
		return io.EOF
	}
	return nil // a body of a request: the window it used up is not opened again
}

// send sends all that may be sent now: as much as the windows of the stream and of
// the connection have left, in frames of a size that everybody takes.
func (s *byHand) send() error {
	for _, stream := range slices.Sorted(maps.Keys(s.left)) {
		for left := s.left[stream]; ; {
			n := min(len(left), 16<<10)
			if s.obey {
				n = min(n, int(max(0, min(s.windows.connection, s.windows.streams[stream]))))
			}
			if n == 0 {
				break // WINDOW_UPDATE will bring us back
			}
			end := n == len(left)
			if err := s.framer.WriteData(stream, end, left[:n]); err != nil {
				return err
			}
			s.windows.sent(stream, uint32(n))
			left = left[n:]
			s.left[stream] = left
			if end {
				delete(s.left, stream)
				delete(s.windows.streams, stream)
				break
			}
		}
	}
	return nil
}

// endregion
