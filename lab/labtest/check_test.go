package labtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"peerlab/lab"
	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// recorder stands in for a test and keeps what it was told.
type recorder struct {
	testing.TB
	told strings.Builder
}

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.told, format+"\n", args...) }
func (r *recorder) Error(args ...any)                 { fmt.Fprintln(&r.told, args...) }

// sloppy is a lab with everything wrong that New cannot see.
func sloppy(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.New(lab.Info{
		Slug: "sloppy", Title: "Sloppy", Chapter: "None", Ask: "Why?",
		Views: []lab.View{lab.Chart},
		Files: fstest.MapFS{
			"lab.md": {Data: []byte("## The code\n\nNone.\n")},
			"lab.go": {Data: []byte("package sloppy\n\nfunc f() {\n\t// region loop\n\tgo f()\n\t// endregion\n}\n")},
		},
	}, func(_ context.Context, _ struct{}, r *lab.Run) error {
		r.Begin(trace.App, "here", "never done")
		r.Message(trace.App, "here", "", "lost", "")
		r.Note("")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCheckSeesWhatIsWrong(t *testing.T) {
	l := sloppy(t)
	rec := &recorder{TB: t}
	checkLesson(rec, l)
	checkSource(rec, l.Files)
	checkEvents(rec, Run(t, l, ""))
	for _, want := range []string{
		"fewer than 250", "1 sections", `no section "Predict, then try"`, `no section "The code" that shows`,
		`region "loop" is not in the lesson`, "lab.go:5:2: a go statement",
		`span "here: never done" never ends`, `a message from "here" to ""`, "says nothing", "tells no fact", "view chart has nothing",
	} {
		if !strings.Contains(rec.told.String(), want) {
			t.Errorf("Check does not say %q; it says\n%s", want, rec.told.String())
		}
	}
}

func TestSettles(t *testing.T) {
	for name, c := range map[string]struct {
		good int // the try from which on all is well
		runs int
		told string
	}{
		"at once":   {1, 1, ""},
		"at last":   {tries, tries, ""},
		"too late":  {tries + 1, tries, "wrong 8\n"},
		"by and by": {3, 3, ""},
	} {
		outer, runs := &recorder{TB: t}, 0
		Settles(outer, func(t testing.TB) {
			if runs++; runs < c.good {
				t.Errorf("wrong %d", runs)
			}
		})
		if runs != c.runs || outer.told.String() != c.told {
			t.Errorf("%s: %d runs, told %q; want %d, %q", name, runs, outer.told.String(), c.runs, c.told)
		}
	}
}
