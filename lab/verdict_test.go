package lab_test

import (
	"context"
	"slices"
	"testing"

	"peerlab/lab"
	"peerlab/trace"
)

func TestVerdictsAndCellsAreEventsLikeOthers(t *testing.T) {
	l := labOf(t, func(_ context.Context, r *lab.Run) error {
		r.Verdict(lab.Good, "all %d of them", 3)
		more := map[string]string{"why": "because"}
		r.Variant("relayed").Cell("cone", "symmetric", "relayed 0.9 s", more)
		if len(more) != 1 {
			t.Error("the caller's attributes were changed")
		}
		r.Cell("cone", "open", "…", nil)
		return nil
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	wantOutcome(t, rec, lab.Finished, "")
	var verdicts, cells []trace.Event
	for _, e := range rec.Log.Events() {
		if e.Kind == trace.Note && e.Attrs[trace.VerdictAttr] != "" {
			verdicts = append(verdicts, e)
		}
		if e.Kind == trace.State && e.Attrs[trace.GridAttr] != "" {
			cells = append(cells, e)
		}
	}
	if len(verdicts) != 1 || verdicts[0].Text != "all 3 of them" || verdicts[0].Attrs[trace.VerdictAttr] != "good" {
		t.Errorf("verdicts %+v", verdicts)
	}
	if len(cells) != 2 || cells[0].From != "relayed/cone" || cells[0].Name != "symmetric" || cells[0].Text != "relayed 0.9 s" || cells[0].Attrs["why"] != "because" {
		t.Errorf("cells %+v", cells)
	}
}

func TestFindingsBecomeAVerdict(t *testing.T) {
	l := labOf(t, func(_ context.Context, r *lab.Run) error {
		var none, good, bad lab.Findings
		none.Tell(r, "")
		good.Merit("it is %s", "quick")
		good.Tell(r, "")
		bad.Merit("is quick")
		bad.Fault("forgets %s", lab.Plural(2, "socket"))
		bad.Fault("loses %s", lab.Plural(1, "byte"))
		bad.Tell(r, "the naive one")
		none.TellSoFar(r, "", "in the first scene")
		good.TellSoFar(r, "", "in the next scene")
		bad.TellSoFar(r, "the naive one", "in the last scene")
		return nil
	})
	rec := start(t, newRunner(t, lab.Config{Labs: []*lab.Lab{l}}), "echo", nil)
	wantOutcome(t, rec, lab.Finished, "")
	var got []string
	for _, e := range rec.Log.Events() {
		if tone := e.Attrs[trace.VerdictAttr]; tone != "" {
			got = append(got, tone+": "+e.Text)
		}
	}
	want := []string{
		"good: It is quick.", "bad: The naive one forgets 2 sockets; loses 1 byte.",
		"warn: The run was over in the first scene.", "warn: The run was over in the next scene. Up to there: it is quick.",
		"bad: The run was over in the last scene. Up to there: the naive one forgets 2 sockets; loses 1 byte.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
