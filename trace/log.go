package trace

import (
	"context"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"
)

// DefaultMax is the number of events New keeps when told nothing else.
const DefaultMax = 20000

// Log collects events. It only ever grows, up to its bound: what comes later
// is counted and dropped, so a reader never finds a hole, and a log that
// dropped something ends with a note that says so. Its methods may be called
// from any goroutine; those of a nil *Log do nothing.
type Log struct {
	started time.Time
	max     int

	mu      sync.Mutex
	events  []Event
	spans   uint64
	dropped uint64
	ended   time.Time
	changed chan struct{} // closed at the next change, then replaced
}

// New starts a log, and its clock, for at most max events (0: DefaultMax).
func New(max int) *Log {
	if max <= 0 {
		max = DefaultMax
	}
	return &Log{started: time.Now(), max: max, changed: make(chan struct{})}
}

// Add appends e with the next Seq and the time of now, and tells that Seq.
// It is 0 when the event was dropped: the log is full or has ended.
func (l *Log) Add(e Event) uint64 {
	if l == nil {
		return 0
	}
	if math.IsNaN(e.Value) || math.IsInf(e.Value, 0) {
		e.Value, e.Text = 0, "not a number" // JSON has none
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended.IsZero() {
		return 0 // it is not part of what was recorded
	}
	// One place is kept for the note of End.
	if len(l.events) >= l.max-1 {
		l.dropped++
		return 0
	}
	return l.appendLocked(e)
}

// Begin records the beginning of an operation on a lane and returns what
// records its end, with one word or sentence on how it ended.
func (l *Log) Begin(layer Layer, lane, name string) (end func(text string)) {
	if l == nil {
		return func(string) {}
	}
	l.mu.Lock()
	l.spans++
	span := l.spans
	l.mu.Unlock()
	e := Event{Kind: Span, Layer: layer, From: lane, Name: name, Span: span}
	l.Add(e)
	var once sync.Once
	return func(text string) {
		once.Do(func() {
			e.Text = text
			l.Add(e)
		})
	}
}

// End closes the log: readers finish, and what comes later is ignored.
func (l *Log) End() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended.IsZero() {
		return
	}
	if l.dropped > 0 {
		l.appendLocked(Event{Kind: Note, Layer: App, Text: fmt.Sprintf(
			"%d events after this one were dropped: the record holds %d.", l.dropped, l.max)})
	}
	l.ended = time.Now()
	l.wakeLocked()
}

// Read yields the events with a Seq of from or more, the ones to come
// included, until the log ends, ctx ends or the loop breaks. Any number of
// readers may follow a log; a slow one holds up nobody.
func (l *Log) Read(ctx context.Context, from uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for next := max(from, 1) - 1; ; {
			events, changed, ended := l.after(next)
			for _, e := range events {
				if ctx.Err() != nil || !yield(e) {
					return
				}
				next++
			}
			if ended {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Events returns the events so far. The slice is the log's own: read only.
func (l *Log) Events() []Event {
	events, _, _ := l.after(0)
	return events
}

// Dropped counts the events that found no room before the end.
func (l *Log) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Started is the moment from which At counts.
func (l *Log) Started() time.Time { return l.started }

// Ended is the moment of End, zero before it.
func (l *Log) Ended() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// after returns what lies behind the first n events, a channel that closes
// when there is more, and whether there will be no more.
func (l *Log) after(n uint64) (events []Event, changed <-chan struct{}, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < uint64(len(l.events)) {
		// Events are never changed, so the slice may be read without the lock.
		events = l.events[n:len(l.events):len(l.events)]
	}
	return events, l.changed, !l.ended.IsZero()
}

func (l *Log) appendLocked(e Event) uint64 {
	e.Seq = uint64(len(l.events)) + 1
	e.At = time.Since(l.started)
	l.events = append(l.events, e)
	l.wakeLocked()
	return e.Seq
}

func (l *Log) wakeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}
