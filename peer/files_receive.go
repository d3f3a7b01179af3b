package peer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"
	"syscall"
	"time"
)

// incoming is a file that we receive.
type incoming struct {
	*Transfer

	// ctx ends with the transfer, and with it the decision on its offer.
	ctx  context.Context
	stop context.CancelFunc

	// Guarded by Files.mu.
	told   int64 // offset of the last ack
	toldAt time.Time

	// io is held while the sink works. It is taken without Files.mu, so that
	// a slow disk holds up this file only.
	io   sync.Mutex
	sink Sink
	hash hash.Hash
}

// offeredLocked answers an offer: at once where the id is known, otherwise
// when accept has decided.
func (f *Files) offeredLocked(m fileFrame) error {
	if m.Size == nil {
		return violation("offer: size is missing")
	}
	offer := Offer{ID: m.ID, Name: m.Name, Size: *m.Size, MIME: m.MIME}
	if err := checkOffer(offer); err != nil {
		return err
	}
	if t := f.in[m.ID]; t != nil {
		f.offeredAgainLocked(t, offer)
		return nil
	}
	if sum, _ := f.over.get(m.ID); sum != "" {
		// It is complete; only our done was lost.
		f.sendLocked(fileFrame{T: "accept", ID: m.ID, Offset: &offer.Size})
		return nil
	}
	busy := ""
	if len(f.in) >= maxOpen || f.opening >= maxOpen {
		busy = "too many transfers are open"
	} else if out := f.outLocked(m.ID); out != nil && out.openLocked() {
		busy = "the same id is on its way to you"
	}
	if busy != "" {
		f.sendLocked(fileFrame{T: "cancel", ID: m.ID, Code: CodeBusy, Message: busy})
		return nil
	}
	f.over.forget(m.ID)
	t := &incoming{
		Transfer: &Transfer{Offer: offer, files: f, done: make(chan struct{}), state: Waiting},
		hash:     sha256.New(),
	}
	t.ctx, t.stop = context.WithCancel(f.ctx)
	f.in[m.ID] = t
	f.opening++
	f.work.Go(func() { f.open(t) })
	return nil
}

// offeredAgainLocked goes on with a transfer after a new session.
func (f *Files) offeredAgainLocked(t *incoming, offer Offer) {
	switch {
	case offer.Size != t.Size:
		f.cancelLocked(t.Transfer, &CancelError{Code: CodeBadFrame, Message: "offer: the same id with another size"}, false)
	case t.state == Waiting, t.state == Verifying:
		// Its answer is to come.
	default:
		f.beginLocked(t)
	}
}

// open asks whether and where to receive t, and begins.
func (f *Files) open(t *incoming) {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.opening--
	}()
	sink, err := f.accept(t.ctx, t.Offer)
	if err != nil {
		f.cancel(t.Transfer, cancelReason(err), false)
		return
	}
	t.io.Lock()
	t.sink = sink
	offset, err := sink.Resume(t.hash)
	t.io.Unlock()

	f.mu.Lock()
	if t.endedLocked() { // whoever ended it found no sink yet
		f.mu.Unlock()
		end := Sink.Remove
		if offset > 0 {
			end = Sink.Keep
		}
		f.endSink(t, end)
		return
	}
	if err == nil && offset > t.Size {
		err = fmt.Errorf("an earlier attempt left %d bytes, the file has %d", offset, t.Size)
	}
	if err != nil {
		f.cancelLocked(t.Transfer, cancelReason(err), false)
		f.mu.Unlock()
		return
	}
	t.offset = offset
	f.beginLocked(t)
	f.mu.Unlock()
	f.started(t.Transfer)
}

// beginLocked tells the sender to go on from where we are.
func (f *Files) beginLocked(t *incoming) {
	if f.channel == nil {
		t.state = Suspended
		return
	}
	t.state, t.told, t.toldAt = Active, t.offset, time.Now()
	f.sendLocked(fileFrame{T: "accept", ID: t.ID, Offset: &t.offset})
	if t.pausedHere {
		f.sendLocked(fileFrame{T: "pause", ID: t.ID})
	}
}

// chunk takes bytes of a file.
func (f *Files) chunk(data []byte) error {
	id, offset, body, err := splitChunk(data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	t := f.in[string(id[:])]
	if t == nil || t.state != Active {
		_, over := f.over.get(string(id[:]))
		f.mu.Unlock()
		if t == nil && over {
			return nil // was on its way when we ended it
		}
		return violation("a chunk of a transfer that was not accepted")
	}
	if offset != uint64(t.offset) || int64(len(body)) > t.Size-t.offset {
		reason := &CancelError{Code: CodeBadFrame, Message: fmt.Sprintf("a chunk of %d bytes at %d, expected at %d of %d", len(body), offset, t.offset, t.Size)}
		f.cancelLocked(t.Transfer, reason, true)
		f.mu.Unlock()
		return nil
	}
	f.mu.Unlock()
	f.write(t, body)
	return nil
}

// write appends to the sink and acknowledges.
func (f *Files) write(t *incoming, body []byte) {
	t.io.Lock()
	if t.sink == nil { // ended meanwhile
		t.io.Unlock()
		return
	}
	_, err := t.sink.Write(body)
	if err == nil {
		t.hash.Write(body)
	}
	t.io.Unlock()

	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.cancelLocked(t.Transfer, cancelReason(fmt.Errorf("write: %w", err)), false)
		return
	}
	t.offset += int64(len(body))
	if t.offset-t.told >= ackEvery || time.Since(t.toldAt) >= ackPeriod {
		f.ackLocked(t)
	}
}

func (f *Files) ackLocked(t *incoming) {
	t.told, t.toldAt = t.offset, time.Now()
	f.sendLocked(fileFrame{T: "ack", ID: t.ID, Offset: &t.offset})
}

// ackPeriodically confirms the last bytes before a pause in the flow.
func (f *Files) ackPeriodically(ctx context.Context, ch channel) {
	tick := time.NewTicker(ackPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		f.mu.Lock()
		for _, t := range f.in {
			if f.channel == ch && t.state == Active && t.offset > t.told {
				f.ackLocked(t)
			}
		}
		f.mu.Unlock()
	}
}

// endedLocked compares the hashes and has the sink finished.
func (f *Files) endedLocked(t *incoming, m fileFrame) error {
	if !validHex(m.SHA256, 64) {
		return violation("end: sha256 is 64 lower-case hex digits")
	}
	if t == nil {
		if sum, _ := f.over.get(m.ID); sum != "" {
			f.confirmLocked(m.ID, sum, m.SHA256)
		}
		return nil
	}
	switch {
	case t.state != Active:
		return violation("end of a transfer that was not accepted")
	case t.offset != t.Size:
		f.cancelLocked(t.Transfer, &CancelError{Code: CodeBadFrame, Message: fmt.Sprintf("end at %d of %d", t.offset, t.Size)}, true)
		return nil
	}
	sum := hex.EncodeToString(t.hash.Sum(nil))
	if sum != m.SHA256 {
		f.cancelLocked(t.Transfer, &CancelError{Code: CodeBadHash, Message: "the bytes received have another hash"}, true)
		return nil
	}
	t.sum, t.state = sum, Verifying
	f.work.Go(func() { f.finish(t) })
	return nil
}

// confirmLocked says done once more for a file that was complete before.
func (f *Files) confirmLocked(id, have, want string) {
	if have != want {
		f.sendLocked(fileFrame{T: "cancel", ID: id, Code: CodeBadHash, Message: "the same id with other bytes"})
		return
	}
	f.sendLocked(fileFrame{T: "done", ID: id, SHA256: have})
}

func (f *Files) finish(t *incoming) {
	t.io.Lock()
	where, err := t.sink.Finish()
	t.sink = nil
	t.io.Unlock()

	f.mu.Lock()
	defer f.mu.Unlock()
	t.stop()
	f.forgetLocked(t)
	if err != nil {
		reason := cancelReason(fmt.Errorf("finish: %w", err))
		f.sendLocked(fileFrame{T: "cancel", ID: t.ID, Code: reason.Code, Message: clip(reason.Message)})
		f.over.put(t.ID, "")
		t.endLocked(Failed, reason)
		return
	}
	f.over.put(t.ID, t.sum)
	t.where = where
	f.sendLocked(fileFrame{T: "done", ID: t.ID, SHA256: t.sum})
	t.endLocked(Done, nil)
}

// givenUpLocked ends a transfer that its sender cancelled. What it cancelled
// on purpose is removed; after a failure of the sender another try may follow.
func (f *Files) givenUpLocked(t *incoming, reason *CancelError) {
	if t.state == Verifying {
		return
	}
	end := Sink.Keep
	if reason.Code == CodeCancelled || reason.Code == CodeBadFrame {
		end = Sink.Remove
	}
	f.dropLocked(t, endState(reason.Code), reason, end)
}

// dropLocked ends t badly and lets its sink go.
func (f *Files) dropLocked(t *incoming, state TransferState, err error, end func(Sink) error) {
	if t.endedLocked() {
		return
	}
	t.endLocked(state, err)
	t.stop()
	f.forgetLocked(t)
	f.over.put(t.ID, "")
	f.work.Go(func() { f.endSink(t, end) })
}

// forgetLocked frees the id of t, for which a file of ours may wait.
func (f *Files) forgetLocked(t *incoming) {
	delete(f.in, t.ID)
	f.wakeUp()
}

// endSink calls the last method of the sink, if nobody has.
func (f *Files) endSink(t *incoming, end func(Sink) error) {
	t.io.Lock()
	defer t.io.Unlock()
	if t.sink == nil {
		return
	}
	if err := end(t.sink); err != nil {
		f.mu.Lock()
		t.err = errors.Join(t.err, fmt.Errorf("close what was received: %w", err))
		f.mu.Unlock()
	}
	t.sink = nil
}

// cancelReason finds the code for an error of a sink or of accept.
func cancelReason(err error) *CancelError {
	if reason, ok := errors.AsType[*CancelError](err); ok {
		return reason
	}
	code := CodeFailed
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		code = CodeNoSpace
	}
	return &CancelError{Code: code, Message: err.Error()}
}
