package peer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"time"
)

// outgoing is a file that we send.
type outgoing struct {
	*Transfer
	source Source

	// Guarded by Files.mu.
	notBefore time.Time // after a busy
	endSent   bool

	// Used by pump alone. Each byte is hashed once and in order, whatever
	// offset the receiver wants to begin at: hashed tells how far that is.
	hash   hash.Hash
	hashed int64
}

// Send queues a file; it is offered as soon as there is a connection and
// fewer than sixteen are open. The source is closed at the end, or now if
// there is an error. An empty ID is filled with a random one.
func (f *Files) Send(file File) (*Transfer, error) {
	if file.ID == "" {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		file.ID = hex.EncodeToString(id[:])
	}
	t := &outgoing{
		Transfer: &Transfer{Offer: file.Offer, Outgoing: true, files: f, done: make(chan struct{}), state: Queued},
		source:   file.Source, hash: sha256.New(),
	}
	if err := f.enqueue(t); err != nil {
		return nil, errors.Join(fmt.Errorf("send %s: %w", file.Offer, err), file.Source.Close())
	}
	return t.Transfer, nil
}

func (f *Files) enqueue(t *outgoing) error {
	if err := checkOffer(t.Offer); err != nil {
		return err
	}
	if t.Name != bareName(t.Name) {
		return errors.New("its name has separators or control characters")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left {
		return ErrLeft
	}
	if f.outLocked(t.ID) != nil {
		return errors.New("it is being sent already")
	}
	f.out = append(f.out, t)
	f.offerLocked()
	return nil
}

func (f *Files) outLocked(id string) *outgoing {
	i := slices.IndexFunc(f.out, func(t *outgoing) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return f.out[i]
}

// openLocked tells whether the other side knows of t on this channel.
func (t *outgoing) openLocked() bool { return t.state != Queued && t.state != Suspended }

// offerLocked offers queued files as far as the limit allows.
func (f *Files) offerLocked() {
	if f.channel == nil {
		return
	}
	open := 0
	for _, t := range f.out {
		if t.openLocked() {
			open++
		}
	}
	for _, t := range f.out {
		if open >= maxOpen {
			return
		}
		if t.state == Queued && !time.Now().Before(t.notBefore) && f.in[t.ID] == nil {
			t.state, t.endSent = Offered, false
			f.sendLocked(fileFrame{T: "offer", ID: t.ID, Name: t.Name, Size: &t.Size, MIME: t.MIME})
			open++
		}
	}
}

// acceptedLocked begins, or begins again, at the offset the receiver names.
func (f *Files) acceptedLocked(t *outgoing, m fileFrame) {
	if t == nil || t.state == Queued {
		return // of one that was cancelled meanwhile
	}
	if m.Offset == nil || *m.Offset < 0 || *m.Offset > t.Size {
		f.cancelLocked(t.Transfer, &CancelError{Code: CodeBadFrame, Message: "accept: offset is outside of the file"}, false)
		return
	}
	t.state, t.endSent = Active, false
	t.offset, t.acked = *m.Offset, *m.Offset
	if t.pausedHere {
		f.sendLocked(fileFrame{T: "pause", ID: t.ID})
	}
	f.wakeUp()
}

func (f *Files) ackedLocked(t *outgoing, m fileFrame) {
	if t == nil || (t.state != Active && t.state != Verifying) {
		return
	}
	if m.Offset == nil || *m.Offset < t.acked || *m.Offset > t.offset {
		f.cancelLocked(t.Transfer, &CancelError{Code: CodeBadFrame, Message: "ack: offset goes back or beyond what was sent"}, false)
		return
	}
	t.acked = *m.Offset
	f.wakeUp()
}

func (f *Files) doneLocked(t *outgoing, m fileFrame) {
	if t == nil {
		return
	}
	if t.state != Verifying {
		f.cancelLocked(t.Transfer, &CancelError{Code: CodeBadFrame, Message: "done before the end"}, false)
		return
	}
	if m.SHA256 != t.sum {
		f.removeLocked(t, Failed, &CancelError{Code: CodeBadHash, Message: "the receiver has other bytes", Theirs: true})
		return
	}
	t.acked = t.Size
	f.removeLocked(t, Done, nil)
}

// refusedLocked ends a transfer that the receiver cancelled; one for which it
// is only too busy stays in the queue.
func (f *Files) refusedLocked(t *outgoing, reason *CancelError) {
	if reason.Code == CodeBusy {
		// Not a fixed time, or two that offer each other the same id would
		// do so for ever at the same moment.
		wait := busyRetry + mathrand.N(busyRetry)
		t.state, t.notBefore = Queued, time.Now().Add(wait)
		time.AfterFunc(wait, f.wakeUp)
		return
	}
	f.removeLocked(t, endState(reason.Code), reason)
}

// removeLocked ends t and lets the next one have its place.
func (f *Files) removeLocked(t *outgoing, state TransferState, err error) {
	t.endLocked(state, err)
	f.out = slices.DeleteFunc(f.out, func(o *outgoing) bool { return o == t })
	f.work.Go(func() { _ = t.source.Close() })
	f.offerLocked()
}

// pump sends the files on ch, taking turns, until ctx ends.
func (f *Files) pump(ctx context.Context, ch channel) {
	buf := make([]byte, chunkHeader+fileChunk)
	for ctx.Err() == nil {
		t, offset := f.next()
		if t == nil {
			select {
			case <-f.wake:
			case <-ctx.Done():
			}
			continue
		}
		if ch.Ready(ctx) != nil {
			return
		}
		if err := f.step(ch, t, offset, buf); err != nil {
			f.cancel(t.Transfer, &CancelError{Code: CodeFailed, Message: err.Error()}, false)
		}
	}
}

// next tells whose turn it is, and the offset it is at.
func (f *Files) next() (*outgoing, int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offerLocked() // those that were busy a while ago
	for range f.out {
		f.turn = (f.turn + 1) % len(f.out)
		t := f.out[f.turn]
		if t.state != Active || t.pausedLocked() || t.endSent {
			continue
		}
		if t.offset == t.Size || t.offset-t.acked < ackWindow {
			return t, t.offset
		}
	}
	return nil, 0
}

// step brings t forward by one chunk, or by its end frame. A file that
// begins in the middle is first hashed up to there, a piece at each turn.
func (f *Files) step(ch channel, t *outgoing, offset int64, buf []byte) error {
	if t.hashed < offset {
		n := min(offset-t.hashed, 16*fileChunk)
		if _, err := io.Copy(t.hash, io.NewSectionReader(t.source, t.hashed, n)); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, err)
		}
		t.hashed += n
		return nil
	}
	n := int(min(t.Size-offset, fileChunk))
	chunk := buf[:chunkHeader+n]
	if n > 0 {
		putChunkHeader(chunk, t.ID, offset)
		if _, err := readFullAt(t.source, chunk[chunkHeader:], offset); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, err)
		}
		if fresh := offset + int64(n) - t.hashed; fresh > 0 {
			t.hash.Write(chunk[len(chunk)-int(fresh):])
			t.hashed += fresh
		}
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	if t.state != Active || t.pausedLocked() || t.offset != offset || f.channel != ch {
		return nil // it changed while we read
	}
	if n > 0 {
		t.offset += int64(n)
		_ = ch.Send(chunk, false) // an error ends the channel, and so pump
		return nil
	}
	t.sum = hex.EncodeToString(t.hash.Sum(nil))
	t.endSent, t.state = true, Verifying
	f.sendLocked(fileFrame{T: "end", ID: t.ID, SHA256: t.sum})
	return nil
}

// readFullAt fills p from offset; a file that has become shorter is an error.
func readFullAt(r io.ReaderAt, p []byte, offset int64) (int, error) {
	n, err := r.ReadAt(p, offset)
	switch {
	case n == len(p):
		return n, nil
	case errors.Is(err, io.EOF):
		return n, errors.New("the file has become shorter")
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
