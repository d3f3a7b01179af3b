package lab

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"peerlab/trace"
)

// Tone says at a glance what a verdict says in words.
type Tone string

// The tones: of a traffic light.
const (
	Good Tone = "good"
	Warn Tone = "warn"
	Bad  Tone = "bad"
)

// Verdict records the sentence that the run comes to, a note that stands above the
// results; a later one replaces an earlier one. A variant has one of its own.
func (r *Run) Verdict(tone Tone, format string, args ...any) {
	r.Add(trace.Event{
		Kind: trace.Note, Layer: trace.App, Text: fmt.Sprintf(format, args...),
		Attrs: map[string]string{trace.VerdictAttr: string(tone)},
	})
}

// Findings collect what a run or variant does wrong and right, case by case, for
// its verdict. They may be added from any goroutine.
type Findings struct {
	mu             sync.Mutex
	faults, merits []string
}

// Fault adds something that is wrong, as a part of a sentence.
func (f *Findings) Fault(format string, args ...any) { f.add(&f.faults, format, args) }

// Merit adds something that is right.
func (f *Findings) Merit(format string, args ...any) { f.add(&f.merits, format, args) }

func (f *Findings) add(to *[]string, format string, args []any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*to = append(*to, fmt.Sprintf(format, args...))
}

// Tell records them as the verdict of r, in one sentence that begins with
// subject, which may be empty: the faults, or the merits if there are none.
func (f *Findings) Tell(r *Run, subject string) {
	if tone, text := f.sum(subject); text != "" {
		r.Verdict(tone, "%s.", strings.ToUpper(text[:1])+text[1:])
	}
}

// TellSoFar is Tell for a run that is ended early. When is a part of a sentence:
// "in the scene of that name".
func (f *Findings) TellSoFar(r *Run, subject, when string) {
	tone, text := f.sum(subject)
	if text == "" {
		r.Verdict(Warn, "The run was over %s.", when)
		return
	}
	if tone == Good {
		tone = Warn
	}
	r.Verdict(tone, "The run was over %s. Up to there: %s.", when, text)
}

// sum is what they come to; the text is empty if there are none.
func (f *Findings) sum(subject string) (Tone, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	tone, parts := Bad, f.faults
	if len(parts) == 0 {
		tone, parts = Good, f.merits
	}
	if len(parts) == 0 {
		return tone, ""
	}
	return tone, strings.TrimSpace(subject + " " + strings.Join(parts, "; "))
}

// Cell records what one cell of the run's table holds now, drawn by the view Matrix:
// rows and columns stand in the order they turn up. A value that begins with
// "direct", "relayed", "failed" or "…" (being measured) is marked so. More about it
// may be in the attributes, which are shown when somebody asks.
func (r *Run) Cell(row, column, value string, more map[string]string) {
	attrs := maps.Clone(more)
	if attrs == nil {
		attrs = map[string]string{}
	}
	attrs[trace.GridAttr] = "cell"
	r.Add(trace.Event{Kind: trace.State, Layer: trace.App, From: row, Name: column, Text: value, Attrs: attrs})
}

// Point records a value of a series that is drawn against another quantity than time,
// such as a delay, of which there was x.
func (r *Run) Point(layer trace.Layer, name string, value float64, unit, against string, x float64, xUnit string) {
	r.Add(trace.Event{
		Kind: trace.Sample, Layer: layer, Name: name, Value: value, Unit: unit,
		Attrs: map[string]string{trace.AgainstAttr: against, trace.XAttr: strconv.FormatFloat(x, 'g', -1, 64), trace.XUnitAttr: xUnit},
	})
}

// Line records a line of a document that the run produced, and what it means, drawn
// by the view Document. Lines stand in the order they turn up; the same line of a
// document has one meaning.
func (r *Run) Line(document, line, meaning string) {
	r.Add(trace.Event{
		Kind: trace.State, Layer: trace.App, From: document, Name: line, Text: meaning,
		Attrs: map[string]string{trace.LineAttr: "explained"},
	})
}
