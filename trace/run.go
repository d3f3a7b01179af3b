package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Limits of a run that Decode accepts.
const (
	MaxRunSize   = 64 << 20 // bytes of JSON
	MaxRunEvents = 500_000
	maxText      = 64 << 10 // bytes of one string of an event
	maxAttrs     = 64
)

// ErrBadRun is wrapped by every error of Decode that is the document's fault.
var ErrBadRun = errors.New("not a valid run")

// Run is a record with its circumstances, as it is saved and replayed.
type Run struct {
	ID      string         `json:"id"`
	Lab     string         `json:"lab"`
	Params  map[string]any `json:"params"`
	Network map[string]any `json:"network"`
	Started time.Time      `json:"started"`
	// Ended is zero while the run goes on.
	Ended   time.Time `json:"ended,omitzero"`
	Dropped uint64    `json:"dropped"`
	Events  []Event   `json:"events"`
}

// Run returns the log as a document, to be completed by the caller with ID,
// Lab, Params and Network.
func (l *Log) Run() *Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Run{
		Params: map[string]any{}, Network: map[string]any{},
		Started: l.started.Round(0), Ended: l.ended.Round(0), Dropped: l.dropped,
		Events: l.events[:len(l.events):len(l.events)],
	}
}

// Encode writes the run as JSON.
func (r *Run) Encode(w io.Writer) error {
	if r.Events == nil {
		r.Events = []Event{}
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	return nil
}

// Decode reads one saved run and checks it: known kinds and layers, rising
// numbers and times, and the limits above.
func Decode(r io.Reader) (*Run, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxRunSize+1))
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	if len(data) > MaxRunSize {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrBadRun, MaxRunSize)
	}
	var run Run
	if err := json.Unmarshal(data, &run); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadRun, err)
	}
	if len(run.Events) > MaxRunEvents {
		return nil, fmt.Errorf("%w: %d events, at most %d", ErrBadRun, len(run.Events), MaxRunEvents)
	}
	var last Event
	for i, e := range run.Events {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("%w: event %d: %w", ErrBadRun, i, err)
		}
		if e.Seq <= last.Seq || e.At < last.At {
			return nil, fmt.Errorf("%w: event %d: seq and at_ns must rise", ErrBadRun, i)
		}
		last = e
	}
	return &run, nil
}

func (e Event) check() error {
	if !slices.Contains([]Kind{Message, Span, Sample, State, Note, Fact}, e.Kind) {
		return fmt.Errorf("unknown kind %q", clip(string(e.Kind)))
	}
	if !slices.Contains([]Layer{"", App, HTTP, TLS, QUIC, TCP, UDP, IP, DNS, ICE, DTLS, SCTP, TURN}, e.Layer) {
		return fmt.Errorf("unknown layer %q", clip(string(e.Layer)))
	}
	if len(e.Attrs) > maxAttrs {
		return fmt.Errorf("more than %d attrs", maxAttrs)
	}
	for _, s := range []string{e.From, e.To, e.Name, e.Text, e.Unit} {
		if len(s) > maxText {
			return fmt.Errorf("a text longer than %d bytes", maxText)
		}
	}
	for k, v := range e.Attrs {
		if len(k) > maxText || len(v) > maxText {
			return fmt.Errorf("an attr longer than %d bytes", maxText)
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 32 {
		return s[:32] + "…"
	}
	return s
}
