package lab

import (
	"fmt"
	"strings"
	"sync"

	"peerlab/trace"
)

// How long the strings of an event may be, in bytes. A lab may put what came
// from outside into an event, so the record has its own limits.
const (
	maxText  = 1 << 10
	maxName  = 120
	maxAttrs = 24
)

// book writes a run's events into its log, within a budget of events and
// bytes. What is over the budget is counted and left out; facts, states, verdicts and
// the ends of spans have a reserve, so that a run that talked too much still
// tells its results.
type book struct {
	log *trace.Log
	max int // events
	cap int // bytes

	mu      sync.Mutex
	events  int
	bytes   int
	left    uint64 // left out
	spans   int
	reserve int
}

func newBook(events, bytes int) *book {
	reserve := max(events/20, 16)
	return &book{log: trace.New(events + 2*reserve), max: events, cap: bytes, reserve: reserve}
}

// eventSize is about what one event costs besides its strings.
const eventSize = 256

func sizeOf(e *trace.Event) int {
	n := eventSize + len(e.From) + len(e.To) + len(e.Name) + len(e.Text) + len(e.Unit)
	for k, v := range e.Attrs {
		n += 64 + len(k) + len(v)
	}
	return n
}

func (b *book) add(e trace.Event) {
	e.From, e.To, e.Unit = clip(e.From, maxName), clip(e.To, maxName), clip(e.Unit, maxName)
	e.Name, e.Text = clip(e.Name, maxName), clip(e.Text, maxText)
	if len(e.Attrs) > 0 {
		attrs := make(map[string]string, min(len(e.Attrs), maxAttrs))
		for k, v := range e.Attrs {
			if len(attrs) == maxAttrs {
				break
			}
			attrs[clip(k, maxName)] = clip(v, maxText)
		}
		e.Attrs = attrs
	}
	if b.admit(&e) {
		b.log.Add(e)
	}
}

// begin is one event now and, if that was admitted, one later for certain.
func (b *book) begin(layer trace.Layer, lane, name string) func(string) {
	e := trace.Event{Kind: trace.Span, From: lane, Name: name}
	b.mu.Lock()
	open := b.spans < b.reserve
	b.mu.Unlock()
	if !open || !b.admit(&e) {
		return func(string) {}
	}
	b.mu.Lock()
	b.spans++
	b.mu.Unlock()
	end := b.log.Begin(layer, clip(lane, maxName), clip(name, maxName))
	var once sync.Once
	return func(text string) {
		once.Do(func() {
			b.mu.Lock()
			b.spans--
			b.events++
			b.bytes += sizeOf(&e)
			b.mu.Unlock()
			end(clip(text, maxText))
		})
	}
}

// admit accounts for an event and tells whether there is room for it.
func (b *book) admit(e *trace.Event) bool {
	size := sizeOf(e)
	b.mu.Lock()
	defer b.mu.Unlock()
	events, bytes := b.max, b.cap
	if e.Kind == trace.Fact || e.Kind == trace.State || e.Attrs[trace.VerdictAttr] != "" {
		events, bytes = events+b.reserve/2, bytes+b.cap/20
	}
	if b.events >= events || b.bytes+size > bytes {
		b.left++
		return false
	}
	b.events++
	b.bytes += size
	return true
}

// end closes the log with one last sentence, and with another if something
// was left out.
func (b *book) end(last string) {
	b.mu.Lock()
	left := b.left
	b.mu.Unlock()
	if left > 0 {
		b.log.Add(trace.Event{Kind: trace.Note, Layer: trace.App, Text: fmt.Sprintf(
			"%d events were left out: this record holds %d, or %d bytes of them.", left, b.max, b.cap)})
	}
	b.log.Add(trace.Event{Kind: trace.Note, Layer: trace.App, Text: last})
	b.log.End()
}

// dropped counts the events that found no room.
func (b *book) dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left + b.log.Dropped()
}

func (b *book) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// clip cuts s to at most n bytes and makes it valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n-len("…")]
		return strings.ToValidUTF8(s, "\uFFFD") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
