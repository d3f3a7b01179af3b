package lab

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"peerlab/trace"
)

// Outcome is how a run stands.
type Outcome string

// The outcomes.
const (
	Running  Outcome = "running"
	Finished Outcome = "finished" // by itself
	Stopped  Outcome = "stopped"  // before that: by hand, by time, abandoned, or at the server's end
	Failed   Outcome = "failed"   // with an error
)

// Record is one run, going on or over: what it was asked to do, what happened,
// and how it stands. It may be used from any goroutine.
type Record struct {
	// ID is unguessable: whoever has it may watch the run and take part.
	ID string
	// Lab is what runs; Settings are its parameters, the network included.
	Lab      *Lab
	Settings *Settings
	// Sent tells that a file came along with them.
	Sent bool
	// Log is what happened. It ends with the run.
	Log *trace.Log

	client  string // whom it counts against
	run     *Run
	stop    context.CancelCauseFunc
	done    chan struct{}
	abandon time.Duration

	mu       sync.Mutex
	outcome  Outcome
	why      string
	err      error
	watchers int
	visitors map[string]string // IDs of browsers, by what they are known by
	kept     int               // size, once it is over
	timer    *time.Timer       // ends the run while nobody watches
	late     *time.Timer       // gives up on it, from when it should end
}

// Status tells how the run stands, in a word and in a sentence for a person
// (empty while it runs). err is what made it fail.
func (rec *Record) Status() (outcome Outcome, why string, err error) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.outcome, rec.why, rec.err
}

// Done is closed when the run is over and all it opened is closed.
func (rec *Record) Done() <-chan struct{} { return rec.done }

// Live is what the run has published for commands; see Command.Fill.
func (rec *Record) Live() map[string]string { return rec.run.liveValues() }

// Dropped counts the events that found no room in the record.
func (rec *Record) Dropped() uint64 { return rec.run.book.dropped() }

// Watch tells that somebody is watching, until leave is called. A run that
// nobody has watched for a while is ended.
func (rec *Record) Watch() (leave func()) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.watchers++
	rec.timer.Stop()
	var once sync.Once
	return func() {
		once.Do(func() {
			rec.mu.Lock()
			defer rec.mu.Unlock()
			rec.watchers--
			if rec.watchers == 0 && rec.outcome == Running {
				rec.timer.Reset(rec.abandon)
			}
		})
	}
}

// Watchers counts who is watching.
func (rec *Record) Watchers() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.watchers
}

// abandoned ends the run, unless somebody came back just now.
func (rec *Record) abandoned() {
	rec.mu.Lock()
	alone := rec.watchers == 0
	rec.mu.Unlock()
	if alone {
		rec.stop(ErrAbandoned)
	}
}

// act hands the run an action, after the note that it was taken.
func (rec *Record) act(a Action) error {
	rec.mu.Lock()
	defer rec.mu.Unlock() // nobody else sends, so there is room if there was
	switch {
	case rec.run.ctx.Err() != nil:
		return ErrOver
	case len(rec.run.actions) == cap(rec.run.actions):
		return ErrTooFast
	}
	rec.run.Note("Action: %s.", a.Label)
	rec.run.actions <- a.Name
	return nil
}

// Document is the record to be saved as JSON; so far, while it goes on.
func (rec *Record) Document() *trace.Run {
	doc := rec.Log.Run()
	doc.ID, doc.Lab, doc.Dropped = rec.ID, rec.Lab.Slug, rec.Dropped()
	for _, s := range rec.Settings.List() {
		switch {
		case s.OnLink && rec.Settings.Network == Loopback:
		case s.Common && s.Name != "duration":
			doc.Network[s.Name] = s.json()
		default:
			doc.Params[s.Name] = s.json()
		}
	}
	return doc
}

// Packets counts the packets kept, and those that were seen but found no room.
// A run on the loopback has none, unless its lab emulates.
func (rec *Record) Packets() (kept, left int) { return rec.run.packets.count() }

// WritePcapng writes the packets kept so far as a file for Wireshark. A run on
// the loopback has none, unless its lab emulates: the error is ErrNoPackets.
func (rec *Record) WritePcapng(w io.Writer) error {
	if rec.Settings.Network == Loopback && !rec.Lab.Emulates && !rec.Lab.Captures {
		return ErrNoPackets
	}
	if err := rec.run.packets.write(w); err != nil {
		return fmt.Errorf("write packets of run: %w", err)
	}
	return nil
}

// size is about how many bytes of memory the record holds.
func (rec *Record) size() int { return rec.run.book.size() + rec.run.packets.size() }

// hurry gives up on a run that does not return within the grace: its readers
// are let go.
func (rec *Record) hurry(grace time.Duration, logger *slog.Logger) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.outcome != Running {
		return
	}
	rec.late = time.AfterFunc(grace, func() {
		if rec.finish(Failed, "Failed: the lab did not end when it was told to.", ErrStuck) {
			logger.Error("a lab does not end", "lab", rec.Lab.Slug, "after", grace)
		}
	})
}

// finish notes how the run ended and ends its log. Only the first call counts;
// it returns true.
func (rec *Record) finish(outcome Outcome, why string, err error) bool {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.outcome != Running {
		return false
	}
	rec.outcome, rec.why, rec.err = outcome, why, err
	rec.timer.Stop()
	if rec.late != nil {
		rec.late.Stop()
	}
	rec.run.book.end(why)
	return true
}
