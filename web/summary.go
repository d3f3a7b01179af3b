package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"peerlab/trace"
)

// What a page without script shows of a run at most; the rest is in its JSON.
const (
	maxNotes    = 100
	maxMessages = 200
	maxTexts    = 10
)

// summary is a run for who reads it without script.
type summary struct {
	Verdicts []verdict
	Facts    []factCard
	Grids    []grid
	Texts    []document
	Notes    []trace.Event
	Messages []trace.Event
	// NotesOf and MessagesOf are how many there are.
	NotesOf, MessagesOf int
}

// factCard is a result, of each variant if there are several.
type factCard struct {
	Name    string
	Results []factResult
}

type factResult struct{ Who, Value, Text string }

// verdict is what a run, or a variant of it, comes to.
type verdict struct{ Who, Tone, Text string }

// Word is its tone for who sees no colour.
func (v verdict) Word() string {
	word := map[string]string{"good": "Good", "bad": "Bad"}[v.Tone]
	if word == "" {
		word = "Mind"
	}
	if v.Who != "" {
		word += ", " + v.Who
	}
	return word + ":"
}

// grid is a table of cells, of one variant.
type grid struct {
	Who           string
	Rows, Columns []string
	cells         map[[2]string]string
}

// Cell is what stands in a row and column, a dash where nothing was measured.
func (g grid) Cell(row, column string) string {
	if text := g.cells[[2]string{row, column}]; text != "" {
		return text
	}
	return "–"
}

// addCell takes the cell of an event; a later one replaces an earlier one.
func (s *summary) addCell(e trace.Event) {
	who, row, split := strings.Cut(e.From, "/")
	if !split {
		who, row = "", e.From
	}
	i := slices.IndexFunc(s.Grids, func(g grid) bool { return g.Who == who })
	if i < 0 {
		i = len(s.Grids)
		s.Grids = append(s.Grids, grid{Who: who, cells: map[[2]string]string{}})
	}
	g := &s.Grids[i]
	if !slices.Contains(g.Rows, row) {
		g.Rows = append(g.Rows, row)
	}
	if !slices.Contains(g.Columns, e.Name) {
		g.Columns = append(g.Columns, e.Name)
	}
	g.cells[[2]string{row, e.Name}] = e.Text
}

// document is a text with what its lines mean.
type document struct {
	Name  string
	Lines [][2]string
}

// addLine takes a line of one.
func (s *summary) addLine(e trace.Event) {
	i := slices.IndexFunc(s.Texts, func(d document) bool { return d.Name == e.From })
	if i < 0 {
		if len(s.Texts) == maxTexts {
			return
		}
		i = len(s.Texts)
		s.Texts = append(s.Texts, document{Name: e.From})
	}
	s.Texts[i].Lines = append(s.Texts[i].Lines, [2]string{e.Name, e.Text})
}

// addVerdict takes the verdict of a note; a later one replaces an earlier one.
func (s *summary) addVerdict(e trace.Event) {
	v := verdict{e.From, e.Attrs[trace.VerdictAttr], e.Text}
	if i := slices.IndexFunc(s.Verdicts, func(old verdict) bool { return old.Who == v.Who }); i >= 0 {
		s.Verdicts[i] = v
		return
	}
	s.Verdicts = append(s.Verdicts, v)
}

// variant is whose a lane is: the part before the slash, or the lane itself.
func variant(lane string) string {
	name, _, _ := strings.Cut(lane, "/")
	return name
}

// summarize picks what a reader wants first: a later fact replaces an earlier
// one, of notes the last count, of messages the first. Results and verdicts stand
// in the order in which their variants turned up, on every card the same.
func summarize(events []trace.Event) summary {
	var s summary
	cards, results := map[string]int{}, map[[2]string]int{}
	order := map[string]int{} // of variants, as they turn up
	for _, e := range events {
		if who := variant(e.From); who != "" && order[who] == 0 {
			order[who] = len(order) + 1
		}
		switch e.Kind {
		case trace.Fact:
			card, known := cards[e.Name]
			if !known {
				card = len(s.Facts)
				cards[e.Name] = card
				s.Facts = append(s.Facts, factCard{Name: e.Name})
			}
			result := factResult{e.From, quantity(e.Value, e.Unit), e.Text}
			list := &s.Facts[card].Results
			if i, known := results[[2]string{e.Name, e.From}]; known {
				(*list)[i] = result
				continue
			}
			results[[2]string{e.Name, e.From}] = len(*list)
			*list = append(*list, result)
		case trace.State:
			if e.Attrs[trace.GridAttr] != "" {
				s.addCell(e)
			}
			if e.Attrs[trace.LineAttr] != "" {
				s.addLine(e)
			}
		case trace.Note:
			if e.Attrs[trace.VerdictAttr] != "" {
				s.addVerdict(e)
			}
			s.NotesOf++
			s.Notes = append(s.Notes, e)
		case trace.Message:
			if s.MessagesOf++; s.MessagesOf <= maxMessages {
				s.Messages = append(s.Messages, e)
			}
		}
	}
	s.Notes = s.Notes[max(0, len(s.Notes)-maxNotes):]
	// The run itself stands behind its variants.
	rank := func(who string) int { return cmp.Or(order[variant(who)], len(order)+1) }
	slices.SortStableFunc(s.Verdicts, func(a, b verdict) int { return rank(a.Who) - rank(b.Who) })
	for _, card := range s.Facts {
		slices.SortStableFunc(card.Results, func(a, b factResult) int { return rank(a.Who) - rank(b.Who) })
	}
	return s
}

// atText is a moment of a run.
func atText(e trace.Event) string {
	return strconv.FormatFloat(e.At.Seconds(), 'f', 3, 64) + " s"
}

// messageText is what of a message fits a line.
func messageText(e trace.Event) string {
	text := e.Name
	if e.Text != "" && !strings.Contains(e.Name, e.Text) {
		text += " " + e.Text
	}
	if e.Lost {
		text += " (lost)"
	}
	return clip(text, 200)
}

// quantity is a number and its unit as people read them: quantity.js in Go.
func quantity(value float64, unit string) string {
	switch unit {
	case "ns":
		return timeText(value / 1e6)
	case "us", "µs":
		return timeText(value / 1e3)
	case "ms":
		return timeText(value)
	case "s":
		if value != 0 && math.Abs(value) < 1 {
			return timeText(value * 1000)
		}
		return figure(value) + " s"
	case "B", "B/s", "bit/s":
		return scaled(value, unit)
	case "kbit/s":
		return scaled(value*1000, "bit/s")
	case "port":
		return strconv.FormatFloat(value, 'f', -1, 64) // a name, not an amount
	case "":
		return figure(value)
	}
	return figure(value) + " " + unit
}

func scaled(value float64, unit string) string {
	prefixes := []string{"", "k", "M", "G", "T"}
	i := 0
	for ; math.Abs(value) >= 999.5 && i < len(prefixes)-1; i++ {
		value /= 1000
	}
	return figure(value) + " " + prefixes[i] + unit
}

func timeText(ms float64) string {
	switch size := math.Abs(ms); {
	case size != 0 && size < 0.1:
		return figure(ms*1000) + " µs"
	case size >= 10_000:
		return figure(ms/1000) + " s"
	}
	return figure(ms) + " ms"
}

// figure writes whole numbers whole and others to three digits.
func figure(value float64) string {
	digits := 3
	switch size := math.Abs(value); {
	case value == math.Trunc(value) || size >= 100:
		digits = 0
	case size >= 10:
		digits = 1
	case size >= 1:
		digits = 2
	}
	text := fmt.Sprintf("%.*f", digits, value)
	if digits > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	text = strings.TrimPrefix(text, "-")
	whole, part, hasPart := strings.Cut(text, ".")
	if n, err := strconv.ParseUint(whole, 10, 64); err == nil && len(whole) > 4 {
		whole = count(n)
	}
	if hasPart {
		whole += "." + part
	}
	if value < 0 && whole != "0" {
		return "-" + whole
	}
	return whole
}
