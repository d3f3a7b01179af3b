package lab_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"peerlab/lab"
)

func TestAttendTakesActionsUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []string
		var attended error
		over, began := make(chan struct{}), time.Now()
		l := labOf(t, func(ctx context.Context, r *lab.Run) error {
			defer close(over)
			attended = r.Attend(ctx, 10*time.Second, func(action string) error {
				taken = append(taken, action)
				return nil
			})
			return attended
		})
		rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}})
		rec := start(t, rn, "echo", nil)
		for range 2 {
			if err := rn.Act(rec.ID, "poke"); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		<-over
		if took := time.Since(began); attended != nil || len(taken) != 2 || took != 10*time.Second {
			t.Errorf("%q taken in %s, then %v", taken, took, attended)
		}
	})
}

func TestAttendEndsWithTheErrorOfAnAction(t *testing.T) {
	broken := errors.New("it broke")
	l := labOf(t, func(ctx context.Context, r *lab.Run) error {
		return r.Attend(ctx, time.Minute, func(string) error { return broken })
	})
	rn := newRunner(t, lab.Config{Labs: []*lab.Lab{l}})
	rec := start(t, rn, "echo", nil)
	if err := rn.Act(rec.ID, "poke"); err != nil {
		t.Error(err)
	}
	<-rec.Done()
	if outcome, _, err := rec.Status(); outcome != lab.Failed || !errors.Is(err, broken) {
		t.Errorf("%s: %v", outcome, err)
	}
}
