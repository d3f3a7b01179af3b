package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"peerlab/lab"
)

// visited is a lab that takes visits and hands them on.
func visited(t testing.TB, to chan<- lab.Visit) *lab.Lab {
	t.Helper()
	i := info()
	i.Visitor = "nat"
	l, err := lab.New(i, func(ctx context.Context, _ struct{}, r *lab.Run) error {
		for {
			select {
			case v := <-r.Visits():
				to <- v
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestABrowserIsKnownAgain(t *testing.T) {
	took := make(chan lab.Visit, 10)
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{visited(t, took)}})
	rec := start(t, rn, "echo", nil)
	for i, want := range []string{"browser-1", "browser-2", "browser-1"} {
		key := []string{"first-one", "second-one", "first-one"}[i]
		id, err := rn.Visit(rec.ID, key, " Ada ", json.RawMessage(`{"n":1}`))
		if err != nil || id != want {
			t.Fatalf("visit %d: %q, %v; want %s", i, id, err, want)
		}
		if v := <-took; v.ID != want || v.Name != "Ada" || string(v.Data) != `{"n":1}` {
			t.Errorf("the run was told %+v", v)
		}
	}
}

func TestWhatIsWrongWithAVisitIsNamed(t *testing.T) {
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{visited(t, make(chan lab.Visit, 10))}})
	rec := start(t, rn, "echo", nil)
	for _, c := range []struct{ key, name, data, field string }{
		{"short", "", `{}`, "browser"},
		{strings.Repeat("k", 65), "", `{}`, "browser"},
		{"with spaces in it", "", `{}`, "browser"},
		{"a-good-one", strings.Repeat("ä", 41), `{}`, "name"},
		{"a-good-one", "two\nlines", `{}`, "name"},
		{"a-good-one", "\u202eturned", `{}`, "name"},
		{"a-good-one", "bad\xff", `{}`, "name"},
		{"a-good-one", "", ``, "data"},
		{"a-good-one", "", `null`, "data"},
		{"a-good-one", "", `[1]`, "data"},
		{"a-good-one", "", `{"a":`, "data"},
		{"a-good-one", "", `{"a":"` + strings.Repeat("x", lab.MaxVisitData) + `"}`, "data"},
	} {
		_, err := rn.Visit(rec.ID, c.key, c.name, json.RawMessage(c.data))
		if bad, ok := errors.AsType[*lab.ParamError](err); !ok || bad.Field != c.field {
			t.Errorf("%.20q %.20q %.20q: %v; want %s refused", c.key, c.name, c.data, err, c.field)
		}
	}
}

func TestVisitsAreBounded(t *testing.T) {
	took := make(chan lab.Visit)
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{visited(t, took)}})
	rec := start(t, rn, "echo", nil)
	visit := func(n int) error {
		_, err := rn.Visit(rec.ID, fmt.Sprintf("browser-no-%d", n), "", json.RawMessage(`{}`))
		return err
	}
	// Nobody takes any, so before long no more fit.
	waiting := 0
	for ; waiting < 100; waiting++ {
		if err := visit(0); errors.Is(err, lab.ErrTooFast) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if waiting == 0 || waiting == 100 {
		t.Fatalf("%d visits wait", waiting)
	}
	for range waiting {
		<-took
	}
	n := 1
	for ; n < 200; n++ {
		if err := visit(n); errors.Is(err, lab.ErrManyVisitors) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		<-took
	}
	if n != 64 {
		t.Errorf("%d browsers could take part, want 64", n)
	}
	if err := visit(1); err != nil {
		t.Errorf("one that takes part already: %v", err)
	}
	<-took
	if err := rn.Stop(rec.ID); err != nil {
		t.Fatal(err)
	}
	<-rec.Done()
	if err := visit(1); !errors.Is(err, lab.ErrOver) {
		t.Errorf("after the end: %v", err)
	}
}

func TestOnlyWhereVisitorsAreWanted(t *testing.T) {
	l := labOf(t, func(ctx context.Context, _ *lab.Run) error { <-ctx.Done(); return nil })
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}})
	rec := start(t, rn, "echo", nil)
	if _, err := rn.Visit(rec.ID, "somebody", "", json.RawMessage(`{}`)); !errors.Is(err, lab.ErrNoVisitors) {
		t.Errorf("a lab without visitors: %v", err)
	}
	if _, err := rn.Visit("nothing", "somebody", "", json.RawMessage(`{}`)); !errors.Is(err, lab.ErrNoRun) {
		t.Errorf("no run: %v", err)
	}
	i := info()
	i.Visitor = "../Nat"
	if _, err := lab.New(i, func(context.Context, struct{}, *lab.Run) error { return nil }); !errors.Is(err, lab.ErrBadLab) {
		t.Errorf("a module of that name: %v", err)
	}
}
