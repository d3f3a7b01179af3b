package http2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frame is what one frame says.
type frame struct {
	h2.FrameHeader
	broken   bool   // can't be read
	detail   string // in words
	settings []h2.Setting
	add      uint32              // of a WINDOW_UPDATE
	code     h2.ErrCode          // of RST_STREAM and GOAWAY
	fields   []hpack.HeaderField // where a header block ends, the first maxFields of them
	block    int                 // bytes of that block on the wire,
	unpacked int                 // and what it would be as text
}

// Bounds of what is kept of a frame that is not all there yet.
const (
	maxFrame = 1 << 17
	maxBlock = 1 << 16
)

// Bounds of what is told of a frame. A byte of a header block can stand for a
// field of thousands: what a block unpacks to is counted, and not kept.
const (
	maxFields   = 64
	maxText     = 8 << 10 // bytes of these fields
	maxSettings = 32
)

// errPreface is for a client that speaks something else.
var errPreface = errors.New("not the preface of HTTP/2")

// region frames

// reader reads the frames of one direction from its bytes, as they come.
type reader struct {
	buf     bytes.Buffer
	framer  *h2.Framer
	preface string // that has to come first
	skip    int    // bytes of a frame that is too large to look at
	block   []byte // pieces of a header block
	table   *hpack.Decoder
	broken  bool // the table is not what the sender's is any more
	each    func(frame)
}

func newReader(preface string, each func(frame)) *reader {
	r := &reader{preface: preface, each: each, table: hpack.NewDecoder(4096, nil)}
	r.framer = h2.NewFramer(nil, &r.buf)
	r.framer.AllowIllegalReads = true // to look at, not to obey
	r.framer.SetMaxReadFrameSize(maxFrame)
	r.table.SetMaxStringLength(maxBlock)
	r.table.SetAllowedMaxDynamicTableSize(1 << 16)
	return r
}

// write takes the next bytes. A frame is read when it is all there, so the
// framer never waits.
func (r *reader) write(b []byte) error {
	if n := min(r.skip, len(b)); n > 0 {
		r.skip, b = r.skip-n, b[n:]
	}
	r.buf.Write(b)
	if r.preface != "" {
		if !strings.HasPrefix(r.preface, string(r.buf.Bytes()[:min(r.buf.Len(), len(r.preface))])) {
			return errPreface
		}
		if r.buf.Len() < len(r.preface) {
			return nil
		}
		r.buf.Next(len(r.preface))
		r.preface = ""
	}
	for r.buf.Len() >= 9 {
		head := r.buf.Bytes()
		n := 9 + int(binary.BigEndian.Uint32(head)>>8) // three bytes of length, nine of header
		if n > maxFrame {
			r.skip = n - r.buf.Len()
			r.buf.Next(n)
			r.skip = max(r.skip, 0)
			r.broken = true // it may have been a header block
			continue
		}
		if r.buf.Len() < n {
			return nil
		}
		f, err := r.framer.ReadFrame()
		if err != nil {
			r.each(frame{broken: true, detail: err.Error()})
			continue // its bytes are read all the same
		}
		r.each(r.look(f))
	}
	return nil
}

// look reads what a frame says.
func (r *reader) look(f h2.Frame) frame {
	one := frame{FrameHeader: f.Header()}
	switch f := f.(type) {
	case *h2.SettingsFrame:
		for i := range min(f.NumSettings(), maxSettings) {
			one.settings = append(one.settings, f.Setting(i))
		}
		one.detail = settingsText(f.IsAck(), one.settings)
	case *h2.HeadersFrame:
		r.block = nil
		r.headers(&one, f.HeaderBlockFragment(), f.HeadersEnded())
	case *h2.PushPromiseFrame:
		r.block = nil
		r.headers(&one, f.HeaderBlockFragment(), f.HeadersEnded())
		one.detail = fmt.Sprintf("stream %d will be %s", f.PromiseID, one.detail)
	case *h2.ContinuationFrame:
		r.headers(&one, f.HeaderBlockFragment(), f.HeadersEnded())
	case *h2.DataFrame:
		one.detail = fmt.Sprintf("%d bytes", f.Length)
	case *h2.WindowUpdateFrame:
		one.add = f.Increment
		one.detail = fmt.Sprintf("%d bytes more", f.Increment)
	case *h2.RSTStreamFrame:
		one.code, one.detail = f.ErrCode, f.ErrCode.String()
	case *h2.GoAwayFrame:
		one.code = f.ErrCode
		one.detail = fmt.Sprintf("%s, last stream %d", f.ErrCode, f.LastStreamID)
		if text := f.DebugData(); len(text) > 0 {
			one.detail += fmt.Sprintf(", %q", text[:min(len(text), 100)])
		}
	case *h2.PingFrame:
		one.detail = "are you there?"
		if f.IsAck() {
			one.detail = "yes"
		}
	}
	return one
}

// headers unpacks a header block once its last piece is there. Every block
// changes the table that the next ones refer to, so none may be left out.
func (r *reader) headers(one *frame, piece []byte, ended bool) {
	if r.block = append(r.block, piece...); len(r.block) > maxBlock {
		r.block, r.broken = nil, true
	}
	if !ended || r.broken {
		return
	}
	r.table.SetEmitFunc(one.field)
	_, err := r.table.Write(r.block)
	if err = errors.Join(err, r.table.Close()); err != nil {
		r.broken, one.fields, one.detail = true, nil, "can't be unpacked: "+err.Error()
		return
	}
	one.block, one.detail = len(r.block), fieldsText(one.fields)
}

// field takes the next field of a header block.
func (f *frame) field(h hpack.HeaderField) {
	f.unpacked += len(h.Name) + len(h.Value) + len(": \r\n")
	if len(f.fields) < maxFields && f.unpacked <= maxText {
		f.fields = append(f.fields, h)
	}
}

// endregion

func settingsText(ack bool, all []h2.Setting) string {
	if ack {
		return "acknowledged"
	}
	var words []string
	for _, s := range all {
		words = append(words, fmt.Sprintf("%s %d", s.ID, s.Val))
	}
	if len(words) == 0 {
		return "all as usual"
	}
	return strings.Join(words, ", ")
}

func fieldsText(fields []hpack.HeaderField) string {
	var words []string
	for _, f := range fields {
		words = append(words, fmt.Sprintf("%s: %s", f.Name, f.Value))
	}
	return strings.Join(words, "\n")
}

// flagsText names the flags that mean something in this kind of frame.
func flagsText(h h2.FrameHeader) string {
	var on []string
	add := func(f h2.Flags, name string) {
		if h.Flags.Has(f) {
			on = append(on, name)
		}
	}
	switch h.Type {
	case h2.FrameData:
		add(h2.FlagDataEndStream, "END_STREAM")
		add(h2.FlagDataPadded, "PADDED")
	case h2.FrameHeaders:
		add(h2.FlagHeadersEndStream, "END_STREAM")
		add(h2.FlagHeadersEndHeaders, "END_HEADERS")
		add(h2.FlagHeadersPriority, "PRIORITY")
		add(h2.FlagHeadersPadded, "PADDED")
	case h2.FrameSettings, h2.FramePing:
		add(h2.FlagSettingsAck, "ACK")
	case h2.FrameContinuation, h2.FramePushPromise:
		add(h2.FlagContinuationEndHeaders, "END_HEADERS")
	}
	return strings.Join(on, " ")
}
