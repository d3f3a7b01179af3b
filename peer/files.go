package peer

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"
)

// Figures of the files protocol.
const (
	fileChunk     = 48 << 10 // bytes of a file in one message
	maxOpen       = 16       // transfers open in one direction
	ackWindow     = 16 << 20 // bytes under way beyond the last ack
	ackEvery      = 1 << 20  // bytes
	ackPeriod     = 250 * time.Millisecond
	busyRetry     = 5 * time.Second
	rememberFiles = 256 // ids of incoming transfers that are over
	chunkHeader   = 16 + 8
)

// Files sends and receives files over one link. The sending half is in
// files_send.go, the receiving one in files_receive.go.
type Files struct {
	accept  func(context.Context, Offer) (Sink, error)
	started func(*Transfer)
	ctx     context.Context // of the link
	stop    context.CancelFunc
	work    sync.WaitGroup // opening, finishing, removing
	wake    chan struct{}  // tells pump that something has changed

	mu      sync.Mutex
	channel channel // nil while there is none
	left    bool
	out     []*outgoing // in the order of Send
	turn    int         // in out: whose turn it is
	in      map[string]*incoming
	opening int     // offers that accept is deciding on
	over    *recent // incoming that ended: id → its sum, or "" when it ended badly
}

type fileFrame struct {
	T       string `json:"t"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Size    *int64 `json:"size,omitempty"`
	MIME    string `json:"mime,omitempty"`
	Offset  *int64 `json:"offset,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// newFiles returns the engine. accept decides on each offer and may take its
// time; started hears of each incoming transfer that was accepted.
func newFiles(accept func(context.Context, Offer) (Sink, error), started func(*Transfer)) *Files {
	if accept == nil {
		accept = func(context.Context, Offer) (Sink, error) {
			return nil, &CancelError{Code: CodeDeclined, Message: "this peer takes no files"}
		}
	}
	if started == nil {
		started = func(*Transfer) {}
	}
	f := &Files{
		accept: accept, started: started, wake: make(chan struct{}, 1),
		in: map[string]*incoming{}, over: newRecent(rememberFiles),
	}
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

// speak speaks files on ch until that ends, picking up what is unfinished.
func (f *Files) speak(ctx context.Context, ch channel) error {
	ctx, cancel := context.WithCancel(ctx)
	f.attach(ch)
	var work sync.WaitGroup
	work.Go(func() { f.pump(ctx, ch) })
	work.Go(func() { f.ackPeriodically(ctx, ch) })
	defer work.Wait()
	defer f.detach(ch)
	defer cancel()
	return converse(ch, func(data []byte, text bool) error {
		if !text {
			return f.chunk(data)
		}
		return f.frame(data)
	})
}

func (f *Files) attach(ch channel) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.channel = ch
	for _, t := range f.out {
		t.state, t.pausedThere = Queued, false
	}
	for _, t := range f.in {
		t.pausedThere = false
	}
	f.offerLocked()
}

func (f *Files) detach(ch channel) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.channel != ch {
		return
	}
	f.channel = nil
	for _, t := range f.out {
		t.state = Suspended
	}
	for _, t := range f.in {
		if t.state == Active {
			t.state = Suspended
		}
	}
}

// close ends everything; what was received so far is kept.
func (f *Files) close() {
	f.mu.Lock()
	f.left = true
	for _, t := range f.out {
		t.endLocked(Failed, ErrLeft)
		f.work.Go(func() { _ = t.source.Close() })
	}
	f.out = nil
	for id, t := range f.in {
		if t.state != Verifying { // its file is complete: let it be finished
			f.dropLocked(t, Failed, ErrLeft, Sink.Keep)
		}
		delete(f.in, id)
	}
	f.mu.Unlock()
	f.stop()
	f.work.Wait()
}

// sendLocked queues a frame if there is a channel. An error means that the
// channel ends, and then the transfer waits for the next one.
func (f *Files) sendLocked(frame fileFrame) {
	if f.channel != nil {
		_ = sendFrame(f.channel, frame)
	}
}

func (f *Files) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// frame handles a JSON frame.
func (f *Files) frame(data []byte) error {
	var m fileFrame
	if err := decodeFrame(data, &m); err != nil {
		return err
	}
	switch m.T {
	case "":
		return violation("a frame without t")
	case "error":
		return refused(m.Message)
	case "offer", "accept", "ack", "pause", "resume", "end", "done", "cancel":
		if !validFileID(m.ID) {
			return violation(m.T + ": id is 32 lower-case hex digits")
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out, in := f.outLocked(m.ID), f.in[m.ID]
	switch m.T {
	case "offer":
		return f.offeredLocked(m)
	case "accept":
		f.acceptedLocked(out, m)
	case "ack":
		f.ackedLocked(out, m)
	case "done":
		f.doneLocked(out, m)
	case "end":
		return f.endedLocked(in, m)
	case "pause", "resume", "cancel":
		// Of either direction; an id is in use in one at a time.
		if out != nil && out.openLocked() {
			f.toldLocked(out.Transfer, m)
		} else if in != nil {
			f.toldLocked(in.Transfer, m)
		}
	}
	return nil
}

// toldLocked handles what either side may say of a transfer.
func (f *Files) toldLocked(t *Transfer, m fileFrame) {
	if m.T != "cancel" {
		t.pausedThere = m.T == "pause"
		f.wakeUp()
		return
	}
	reason := &CancelError{Code: clip(m.Code), Message: clip(m.Message), Theirs: true}
	if t.Outgoing {
		f.refusedLocked(f.outLocked(t.ID), reason)
	} else {
		f.givenUpLocked(f.in[t.ID], reason)
	}
}

// cancel ends t for a reason and tells the other side. What was received is
// removed or kept.
func (f *Files) cancel(t *Transfer, reason *CancelError, remove bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancelLocked(t, reason, remove)
}

func (f *Files) cancelLocked(t *Transfer, reason *CancelError, remove bool) {
	if t.endedLocked() {
		return
	}
	if t.state != Queued {
		f.sendLocked(fileFrame{T: "cancel", ID: t.ID, Code: reason.Code, Message: clip(reason.Message)})
	}
	if t.Outgoing {
		if out := f.outLocked(t.ID); out != nil {
			f.removeLocked(out, endState(reason.Code), reason)
		}
		return
	}
	if in := f.in[t.ID]; in != nil {
		end := Sink.Keep
		if remove {
			end = Sink.Remove
		}
		f.dropLocked(in, endState(reason.Code), reason, end)
	}
}

// putChunkHeader writes the header of a chunk, splitChunk reads it.
func putChunkHeader(buf []byte, id string, offset int64) {
	// An id was checked to be 32 hex digits when it came in.
	_, _ = hex.Decode(buf[:16], []byte(id))
	binary.BigEndian.PutUint64(buf[16:], uint64(offset))
}

func splitChunk(data []byte) (id [32]byte, offset uint64, body []byte, err error) {
	if len(data) <= chunkHeader {
		return id, 0, nil, violation(fmt.Sprintf("a chunk of %d bytes, it has more than %d", len(data), chunkHeader))
	}
	hex.Encode(id[:], data[:16])
	return id, binary.BigEndian.Uint64(data[16:]), data[chunkHeader:], nil
}

func validFileID(id string) bool { return validHex(id, 32) }

func validHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// checkOffer says what is wrong with an offer, in either direction.
func checkOffer(o Offer) error {
	switch n := utf8.RuneCountInString(o.Name); {
	case !validFileID(o.ID):
		return violation("offer: id is 32 lower-case hex digits")
	case n < 1 || n > 255 || !utf8.ValidString(o.Name):
		return violation("offer: name has 1 to 255 characters")
	case o.Size < 0 || o.Size > maxFileSize:
		return violation("offer: size is from 0 to 2^53-1")
	case utf8.RuneCountInString(o.MIME) > 255:
		return violation("offer: mime has at most 255 characters")
	}
	return nil
}
