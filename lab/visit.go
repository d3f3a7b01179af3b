package lab

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of visits. A run is watched by a class, not by the world.
const (
	// MaxVisitData is the most a browser may tell, in bytes of JSON.
	MaxVisitData = 4 << 10
	maxVisitors  = 64 // browsers in one run
	maxVisits    = 16 // waiting to be taken
	maxVisitName = 40 // characters
)

// visitorKey is what a browser makes up to be known by.
var visitorKey = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// Visit is what a visitor's browser has measured, for a run of a lab with
// Info.Visitor.
type Visit struct {
	// ID tells browsers of this run apart: "browser-1" is the first that came,
	// also when it comes again.
	ID string
	// Name is what the visitor calls it; may be empty.
	Name string
	// Data is an object of JSON, at most MaxVisitData bytes. What is in it nobody
	// has checked: it is for the lab to validate, and as true as the visitor is.
	Data json.RawMessage
}

// Visits yields what visitors' browsers have measured. As with Actions there is one
// channel for the run and its variants.
func (r *Run) Visits() <-chan Visit { return r.visits }

// Visit hands a run what a browser has measured; key is what the browser made
// up to be known by in this run, and nothing else knows. It returns the browser's ID there. Errors
// are ErrNoRun, ErrNoVisitors, *ParamError, ErrManyVisitors, ErrOver and
// ErrTooFast.
func (rn *Runner) Visit(id, key, name string, data json.RawMessage) (string, error) {
	rec, err := rn.Get(id)
	if err != nil {
		return "", err
	}
	if rec.Lab.Visitor == "" {
		return "", ErrNoVisitors
	}
	if !visitorKey.MatchString(key) {
		return "", &ParamError{"browser", "must be 8 to 64 letters, digits, - or _"}
	}
	name = strings.TrimSpace(name)
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxVisitName || strings.ContainsFunc(name, unseen) {
		return "", &ParamError{"name", fmt.Sprintf("must be at most %d characters on one line", maxVisitName)}
	}
	var object map[string]json.RawMessage
	if len(data) > MaxVisitData || json.Unmarshal(data, &object) != nil || object == nil {
		return "", &ParamError{"data", fmt.Sprintf("must be an object of JSON of at most %d bytes", MaxVisitData)}
	}
	return rec.visit(key, Visit{Name: name, Data: data})
}

// unseen tells characters that could not be seen, or would turn a line round.
func unseen(c rune) bool { return unicode.In(c, unicode.Cc, unicode.Bidi_Control) }

// visit hands the run a visit of the browser known by key.
func (rec *Record) visit(key string, v Visit) (string, error) {
	rec.mu.Lock()
	defer rec.mu.Unlock() // nobody else sends, so there is room if there was
	id := rec.visitors[key]
	switch {
	case rec.run.ctx.Err() != nil:
		return "", ErrOver
	case id == "" && len(rec.visitors) >= maxVisitors:
		return "", limited(ErrManyVisitors, maxVisitors)
	case len(rec.run.visits) == cap(rec.run.visits):
		return "", ErrTooFast
	}
	if id == "" {
		id = fmt.Sprintf("browser-%d", len(rec.visitors)+1)
		rec.visitors[key] = id
	}
	v.ID = id
	rec.run.visits <- v
	return id, nil
}
