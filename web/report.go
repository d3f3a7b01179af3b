package web

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"peerlab/lab"
)

// runReport answers GET /runs/{id}.txt: what a run came to, as plain text to be
// put into a mail. It does not tell the run's address, which would let its reader
// take part.
func (s *site) runReport(w http.ResponseWriter, rec *lab.Record) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `inline; filename="`+fileName(rec)+`.txt"`)
	page := runPage{Record: rec, State: stateOf(rec), Summary: summarize(rec.Log.Events())}
	// The visitor may be gone; there is nobody left to tell.
	_, _ = w.Write([]byte(page.report()))
	return nil
}

// report is the run as plain text.
func (p *runPage) report() string {
	var t text
	t.line("%s", p.Lab.Title)
	t.line("%s", p.Lab.Ask)
	t.line("")
	t.line("A run of Peerlab, %s, %s, %s.", p.Log.Started().UTC().Format("2006-01-02 15:04:05 UTC"), p.Lasted(), p.stands())
	switch {
	case p.Sent:
		t.line("It is about a file that was sent along.")
	case p.OnLink():
		t.line("The network between the hosts is emulated; programs and packets are real.")
	}
	if p.State.Dropped > 0 {
		t.line("%d events found no room in the record.", p.State.Dropped)
	}
	for _, v := range p.Summary.Verdicts {
		t.line("")
		t.line("%s %s", v.Word(), v.Text)
	}
	t.results(p.Summary.Facts)
	for _, g := range p.Summary.Grids {
		t.grid(g)
	}
	t.head("Settings")
	var settings [][]string
	for _, v := range p.Settings.List() {
		if emulated := p.OnLink() || p.Lab.Emulates; !v.OnLink || emulated && !p.Sent {
			settings = append(settings, []string{v.Label, settingText(v.Param, v.Value)})
		}
	}
	t.columns(settings)
	t.notes(p.Summary)
	return t.String()
}

// stands is how the run stands, in the middle of a sentence.
func (p *runPage) stands() string {
	switch p.State.State {
	case "running":
		return "still going on"
	case "ended":
		return "ended by itself"
	}
	why := strings.TrimSuffix(p.State.Why, ".")
	if why == "" {
		return p.State.State
	}
	return strings.ToLower(why[:1]) + why[1:]
}

// text is a report being written.
type text struct{ strings.Builder }

// line adds a line. What a lab or a visitor has written stays on it.
func (t *text) line(format string, args ...any) {
	written := strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.Cc, unicode.Bidi_Control) {
			return ' '
		}
		return c
	}, fmt.Sprintf(format, args...))
	t.WriteString(strings.TrimRight(written, " ") + "\n")
}

func (t *text) head(title string) {
	t.line("")
	t.line("%s", title)
}

// columns adds rows of cells, each column as wide as its widest cell.
func (t *text) columns(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := " "
		for i, cell := range row {
			line += " " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " "
		}
		t.line("%s", line)
	}
}

func (t *text) results(cards []factCard) {
	if len(cards) == 0 {
		return
	}
	t.head("Measured")
	var rows [][]string
	for _, card := range cards {
		name := card.Name
		for _, f := range card.Results {
			rows = append(rows, []string{name, f.Who, f.Value, f.Text})
			name = "" // once is enough
		}
	}
	t.columns(rows)
}

func (t *text) grid(g grid) {
	t.head(strings.TrimSpace("Table " + g.Who))
	rows := [][]string{append([]string{""}, g.Columns...)}
	for _, row := range g.Rows {
		cells := []string{row}
		for _, c := range g.Columns {
			cells = append(cells, g.Cell(row, c))
		}
		rows = append(rows, cells)
	}
	t.columns(rows)
}

func (t *text) notes(s summary) {
	if len(s.Notes) == 0 {
		return
	}
	t.head("Notes")
	if s.NotesOf > len(s.Notes) {
		t.line("  The last %d of %d.", len(s.Notes), s.NotesOf)
	}
	for _, e := range s.Notes {
		who := e.From
		if who != "" {
			who += ": "
		}
		t.line("  %10s  %s%s", atText(e), who, e.Text)
	}
}
