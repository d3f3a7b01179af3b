package lab

import (
	"context"
	"time"
)

// Actions yields the names of the actions that people take. There is one
// channel for the run and its variants: one goroutine should read it.
func (r *Run) Actions() <-chan string { return r.actions }

// Attend takes the actions one after the other while the run stays open for
// people, until that is over or ctx is. An error of act ends it.
func (r *Run) Attend(ctx context.Context, stay time.Duration, act func(action string) error) error {
	over := time.NewTimer(stay)
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case action := <-r.Actions():
			if err := act(action); err != nil {
				return err
			}
		}
	}
}
