// Package labtest checks what every lab has to be and do, and helps the tests
// of one to run it as a visitor would: headless, through a Runner, on real
// sockets or the emulated link.
//
// Whether what a lab tells is true is for its own tests to ask.
package labtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peerlab/lab"
	"peerlab/lab/lesson"
	"peerlab/leaks"
	"peerlab/trace"
)

// Sections that every lesson has; others come between and around them.
const (
	Predict = "Predict, then try"
	Code    = "The code"
)

// minWords is the least a lesson says.
const minWords = 250

// Check holds a lab to the contract: its lesson and the code it shows, its
// parameters, a run with the defaults on each network to its end, a run that
// is stopped, one on which every action is taken, one that visitors' browsers tell nonsense, and that nothing is left
// behind. The query, if given, is for all those runs; a lab that stays open
// for visitors sets there how long.
func Check(t *testing.T, l *lab.Lab, query ...string) {
	values, err := url.ParseQuery(strings.Join(query, "&"))
	if err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	t.Run("lesson", func(t *testing.T) { checkLesson(t, l) })
	t.Run("source", func(t *testing.T) { checkSource(t, l.Files) })
	t.Run("parameters", func(t *testing.T) { checkParams(t, l) })
	for _, network := range l.Networks {
		values.Set("network", string(network))
		q := values.Encode()
		t.Run("run on "+string(network), func(t *testing.T) { checkRun(t, l, q) })
		t.Run("stop on "+string(network), func(t *testing.T) { Settles(t, func(t testing.TB) { checkStop(t, l, q) }) })
		if l.Visitor != "" {
			t.Run("visits on "+string(network), func(t *testing.T) { checkVisits(t, l, q) })
		}
		if len(l.Actions) > 0 {
			t.Run("actions on "+string(network), func(t *testing.T) { checkActions(t, l, q) })
		}
	}
	if err := leaks.Find(before); err != nil {
		t.Errorf("a run left something behind: %v", err)
	}
}

var word = regexp.MustCompile(`[\pL\pN]+`)
var tag = regexp.MustCompile(`<[^>]*>`)

func checkLesson(t testing.TB, l *lab.Lab) {
	read, err := lesson.Parse(l.Files)
	if err != nil {
		t.Fatal(err)
	}
	words := 0
	var shown []string
	section := map[string]lesson.Section{}
	for _, s := range read.Sections {
		section[s.Title] = s
		shown = append(shown, s.Shows...)
		words += len(word.FindAllString(tag.ReplaceAllString(s.HTML, " "), -1))
	}
	if words < minWords {
		t.Errorf("the lesson has %d words, fewer than %d", words, minWords)
	}
	if len(read.Sections) < 3 {
		t.Errorf("the lesson has %d sections: what it is about, %q and %q are the least", len(read.Sections), Predict, Code)
	}
	if !strings.Contains(section[Predict].HTML, "<details class=\"predict\">") {
		t.Errorf("no section %q with a predict block", Predict)
	}
	if len(section[Code].Shows) == 0 {
		t.Errorf("no section %q that shows a region", Code)
	}
	for _, r := range read.Regions {
		if !slices.Contains(shown, r.Name) {
			t.Errorf("%s:%d: the region %q is not in the lesson", r.File, r.Line, r.Name)
		}
	}
}

// checkSource refuses goroutines that no run owns: a panic there would end the
// process.
func checkSource(t testing.TB, files fs.FS) {
	names, err := fs.Glob(files, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(set, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a go statement: use Run.Go", set.Position(g.Pos()))
			}
			return true
		})
	}
}

func checkParams(t testing.TB, l *lab.Lab) {
	if _, err := l.Parse(nil); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, p := range l.Params() {
		bad := "\x00"
		switch p.Kind {
		case lab.Int, lab.Float, lab.Duration:
			bad = p.Max + "0000"
			if p.Max == "0" {
				bad = "1"
			}
		case lab.Text:
			bad = strings.Repeat("x", p.MaxLen+1)
		}
		_, err := l.Parse(url.Values{p.Name: {bad}})
		if e, ok := errors.AsType[*lab.ParamError](err); !ok || e.Field != p.Name {
			t.Errorf("%s=%.20q: %v; want it refused by name", p.Name, bad, err)
		}
		if !p.Common && p.Help == "" && p.Kind != lab.Bool && len(p.Label) < 3 {
			t.Errorf("%s: a label of %q explains nothing", p.Name, p.Label)
		}
	}
}

func checkRun(t *testing.T, l *lab.Lab, query string) {
	begin := time.Now()
	r := Run(t, l, query)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("a run with the defaults takes %s: give Check a query that makes it shorter", took)
	}
	if n := r.Dropped(); n > 0 {
		t.Errorf("%d events found no room with the defaults", n)
	}
	checkEvents(t, r)
	for _, c := range l.Commands {
		if text, ok := c.Fill(r.Record.Live()); !ok && r.Settings.Network == lab.Loopback {
			t.Errorf("command %q: not all it needs was published", text)
		}
	}
	kept, left := r.Packets()
	if r.Settings.Network == lab.Link {
		var file bytes.Buffer
		if err := r.WritePcapng(&file); err != nil || kept == 0 || left > 0 {
			t.Errorf("%d packets kept, %d not, written with %v", kept, left, err)
		}
	}
	t.Logf("%d events, %d packets, %s", len(r.Log.Events()), kept, time.Since(begin).Round(time.Millisecond))
}

// shows tells what a view draws.
var shows = map[lab.View]trace.Kind{
	lab.Lanes: trace.Message, lab.Waterfall: trace.Span, lab.Chart: trace.Sample,
	lab.State: trace.State, lab.LogLines: trace.Note,
}

func checkEvents(t testing.TB, r *Running) {
	var saved bytes.Buffer
	if err := r.Document().Encode(&saved); err != nil {
		t.Fatal(err)
	}
	run, err := trace.Decode(&saved)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[trace.Kind]int{}
	open := map[uint64]string{}
	for _, e := range run.Events {
		kinds[e.Kind]++
		if err := checkEvent(e); err != nil {
			t.Errorf("event %d (%s): %v", e.Seq, e.Kind, err)
		}
		if e.Kind != trace.Span {
			continue
		}
		if _, begun := open[e.Span]; begun {
			delete(open, e.Span)
		} else {
			open[e.Span] = e.From + ": " + e.Name
		}
	}
	for _, name := range open {
		t.Errorf("the span %q never ends", name)
	}
	if kinds[trace.Fact] == 0 {
		t.Error("nothing measured: the run tells no fact")
	}
	if slices.Contains(r.Lab.Views, lab.Matrix) && !slices.ContainsFunc(run.Events, func(e trace.Event) bool { return e.Attrs[trace.GridAttr] != "" }) {
		t.Error("the view matrix has nothing to show: no cell in the record")
	}
	if slices.Contains(r.Lab.Views, lab.Document) && !slices.ContainsFunc(run.Events, func(e trace.Event) bool { return e.Attrs[trace.LineAttr] != "" }) {
		t.Error("the view document has nothing to show: no line in the record")
	}
	for _, v := range r.Lab.Views {
		if kind, known := shows[v]; known && kinds[kind] == 0 {
			t.Errorf("the view %s has nothing to show: no %s in the record", v, kind)
		}
	}
}

func checkEvent(e trace.Event) error {
	switch {
	case e.Kind == trace.Message && (e.From == "" || e.To == "" || e.Name == ""):
		return fmt.Errorf("a message from %q to %q named %q", e.From, e.To, e.Name)
	case (e.Kind == trace.Span || e.Kind == trace.Sample || e.Kind == trace.Fact || e.Kind == trace.State) && e.Name == "":
		return errors.New("has no name")
	case e.Kind == trace.Span && e.From == "":
		return errors.New("is on no lane")
	case e.Kind == trace.Note && e.Text == "":
		return errors.New("says nothing")
	}
	return nil
}

// checkStop stops a run as soon as something has happened in it.
func checkStop(t testing.TB, l *lab.Lab, query string) {
	r := Start(t, l, query)
	r.Until("the first event", func(trace.Event) bool { return true })
	begin := time.Now()
	r.Stop()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	var saved bytes.Buffer
	if err := r.Document().Encode(&saved); err != nil {
		t.Error(err)
	}
	if _, err := trace.Decode(&saved); err != nil {
		t.Error(err)
	}
}

// checkVisits has browsers tell what makes no sense. The run must not fail of it.
func checkVisits(t *testing.T, l *lab.Lab, query string) {
	r := Start(t, l, query)
	for i, data := range []string{`{}`, `{"mapping":5,"addresses":"many"}`, `{"mapping":"<b>","addresses":-1e300}`, `{"a":[[[{}]]],"":null}`} {
		// The run may be over by then.
		_, err := r.runner.Visit(r.ID, fmt.Sprintf("visitor-%d", i), "Somebody", json.RawMessage(data))
		if err != nil && !errors.Is(err, lab.ErrOver) {
			t.Errorf("visit with %s: %v", data, err)
		}
	}
	r.Wait()
}

// checkActions takes every action, twice, right at the beginning.
func checkActions(t *testing.T, l *lab.Lab, query string) {
	r := Start(t, l, query)
	for range 2 {
		for _, a := range l.Actions {
			// The run may be over by then.
			if errors.Is(r.runner.Act(r.ID, a.Name), lab.ErrOver) {
				break
			}
		}
	}
	r.Wait()
}
