package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// TransferState is how far a transfer is.
type TransferState string

const (
	Queued      TransferState = "queued"      // waits for its turn to be offered
	Offered     TransferState = "offered"     // the other side has not answered
	Waiting     TransferState = "waiting"     // we have not answered
	Active      TransferState = "active"      // bytes move
	Paused      TransferState = "paused"      // by either side
	Suspended   TransferState = "interrupted" // there is no connection now
	Verifying   TransferState = "verifying"   // all bytes are there
	Done        TransferState = "done"
	Failed      TransferState = "failed"
	Cancelled   TransferState = "cancelled"
	Declined    TransferState = "declined"
	maxFileSize               = 1<<53 - 1 // what a browser counts exactly
)

// The codes of a cancel frame.
const (
	CodeDeclined  = "declined"
	CodeCancelled = "cancelled"
	CodeTooLarge  = "too-large"
	CodeNoSpace   = "no-space"
	CodeBadHash   = "bad-hash"
	CodeBadFrame  = "bad-frame"
	CodeBusy      = "busy"
	CodeFailed    = "failed"
)

// CancelError says why a transfer ended early. Accept functions return one to
// refuse an offer with a code of their choice.
type CancelError struct {
	Code    string
	Message string
	// Theirs: the other side said so.
	Theirs bool
}

func (e *CancelError) Error() string {
	who := ""
	if e.Theirs {
		who = "the other side: "
	}
	if e.Message == "" {
		return who + e.Code
	}
	return who + e.Message + " (" + e.Code + ")"
}

// ErrLeft ends the transfers with a peer that left the room. What was
// received so far is kept, where the sink can.
var ErrLeft = errors.New("the peer has left")

// Offer is what a sender says of a file. Nothing in it can be trusted.
type Offer struct {
	ID   string // 32 hex digits; the same id means the same bytes
	Name string
	Size int64
	MIME string
}

// Source is where the bytes of a file to send come from. It is closed when
// the transfer ends.
type Source interface {
	io.ReaderAt
	io.Closer
}

// File is something to send.
type File struct {
	Offer
	Source Source
}

// Sink takes the bytes of one incoming file. Its methods are called one at a
// time; after Finish, Keep or Remove none is.
type Sink interface {
	// Resume copies into w what an earlier attempt left, and tells its size.
	// The transfer goes on behind it. It is called first, and once.
	Resume(w io.Writer) (int64, error)
	// Write appends. What it has taken must outlive a lost connection.
	io.Writer
	// Finish is told that all is there and the hash is right, and tells in
	// words for a person where it is now.
	Finish() (where string, err error)
	// Keep closes the sink for now; another attempt may follow.
	Keep() error
	// Remove gives up what was received.
	Remove() error
}

// Transfer is one file on its way over a link, in either direction.
type Transfer struct {
	Offer
	// Outgoing tells whether we are the sender.
	Outgoing bool

	files *Files
	done  chan struct{}

	// Guarded by files.mu.
	state                   TransferState
	pausedHere, pausedThere bool
	offset                  int64 // of the next byte to send or to receive
	acked                   int64 // confirmed by the receiver
	sum, where              string
	err                     error
}

// TransferStatus is a look at a transfer.
type TransferStatus struct {
	State TransferState
	// Moved counts the bytes that are safe at the receiver.
	Moved                   int64
	PausedHere, PausedThere bool
	SHA256                  string // hex, once known
	Where                   string // what the sink said
	Err                     error  // why it ended, if not well
}

// Status tells how the transfer is doing.
func (t *Transfer) Status() TransferStatus {
	t.files.mu.Lock()
	defer t.files.mu.Unlock()
	s := TransferStatus{
		State: t.state, Moved: t.acked, PausedHere: t.pausedHere, PausedThere: t.pausedThere,
		SHA256: t.sum, Where: t.where, Err: t.err,
	}
	if !t.Outgoing {
		s.Moved = t.offset
	}
	if s.State == Active && t.pausedLocked() {
		s.State = Paused
	}
	return s
}

// Done is closed when the transfer has ended, well or not.
func (t *Transfer) Done() <-chan struct{} { return t.done }

// Wait waits for the end and returns the status and why it was not well.
func (t *Transfer) Wait(ctx context.Context) (TransferStatus, error) {
	select {
	case <-t.done:
		s := t.Status()
		return s, s.Err
	case <-ctx.Done():
		return t.Status(), ctx.Err()
	}
}

// Pause stops the bytes; Resume lets them go on, unless the other side has
// paused, too.
func (t *Transfer) Pause() { t.setPaused(true, "pause") }

// Resume ends our pause.
func (t *Transfer) Resume() { t.setPaused(false, "resume") }

func (t *Transfer) setPaused(paused bool, frame string) {
	t.files.mu.Lock()
	defer t.files.mu.Unlock()
	if t.pausedHere == paused || t.endedLocked() {
		return
	}
	t.pausedHere = paused
	t.files.sendLocked(fileFrame{T: frame, ID: t.ID})
	t.files.wakeUp()
}

// Cancel ends the transfer on both sides; what was received is removed.
func (t *Transfer) Cancel() {
	t.files.cancel(t, &CancelError{Code: CodeCancelled, Message: "cancelled"}, true)
}

func (t *Transfer) pausedLocked() bool { return t.pausedHere || t.pausedThere }

func (t *Transfer) endedLocked() bool {
	switch t.state {
	case Done, Failed, Cancelled, Declined:
		return true
	}
	return false
}

// endLocked ends the transfer, once.
func (t *Transfer) endLocked(state TransferState, err error) {
	if t.endedLocked() {
		return
	}
	t.state, t.err = state, err
	close(t.done)
}

// endState is the state in which a cancel with this code leaves a transfer.
func endState(code string) TransferState {
	switch code {
	case CodeDeclined:
		return Declined
	case CodeCancelled:
		return Cancelled
	}
	return Failed
}

func (o Offer) String() string { return fmt.Sprintf("%q (%d bytes)", clip(o.Name), o.Size) }
