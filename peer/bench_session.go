package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// benchSession is Bench on one channel: what comes in, and the filler that
// goes out. The fields of a run that count bytes are used by the goroutine
// that receives, and by no other.
type benchSession struct {
	*Bench
	ch   channel
	ctx  context.Context // of the channel
	work sync.WaitGroup
}

// await waits for the outcome of a run that we asked for.
func (s *benchSession) await(ctx context.Context, run *benchRun) (BenchResult, error) {
	answer := time.NewTimer(benchAnswer)
	defer answer.Stop()
	late := time.NewTimer(benchAnswer + run.duration + benchGrace)
	defer late.Stop()
	for started := run.started; ; {
		select {
		case <-started:
			started = nil
			answer.Stop()
		case out := <-run.outcome:
			return out.result, out.err
		case <-answer.C:
			return BenchResult{}, errors.New("no answer to the request for a measurement")
		case <-late.C:
			return BenchResult{}, errors.New("the measurement did not end in time")
		case <-ctx.Done():
			return BenchResult{}, ctx.Err()
		case <-s.ctx.Done():
			return BenchResult{}, ErrNotConnected
		}
	}
}

// abandon stops a run whose asker waits no longer. If the other side sends,
// its end is still to come, and waits for our result.
func (s *benchSession) abandon(run *benchRun) {
	s.mu.Lock()
	goesOn := s.run == run && s.session == s
	if goesOn && !run.sends {
		s.work.Go(func() { s.watch(run, benchGrace) })
	}
	s.mu.Unlock()
	if goesOn {
		_ = sendFrame(s.ch, benchFrame{T: "stop", ID: run.id})
	}
	if run.sends {
		s.finish(run)
	}
}

func (s *benchSession) handle(data []byte, text bool) error {
	if !text {
		return s.filler(len(data))
	}
	var f benchFrame
	if err := decodeFrame(data, &f); err != nil {
		return err
	}
	switch f.T {
	case "error":
		return refused(f.Message)
	case "":
		return violation("a frame without t")
	case "run", "ready", "refuse", "progress", "end", "result", "stop":
		if f.ID < 1 || f.ID > maxRunID {
			return violation(fmt.Sprintf("%s: id is from 1 to %d", f.T, maxRunID))
		}
	}
	if f.T == "run" {
		return s.asked(f)
	}
	run := s.current(f.ID)
	if run == nil {
		return nil // of a run that is over
	}
	switch f.T {
	case "ready":
		if run.asked {
			s.begin(run)
		}
	case "refuse":
		if run.asked {
			s.finish(run)
			run.settle(benchOutcome{err: fmt.Errorf("the other side refuses: %s", clip(f.Message))})
		}
	case "progress", "result":
		return s.counted(run, f)
	case "end":
		return s.ended(run)
	case "stop":
		run.stop()
		if !run.sends || run.asked {
			s.finish(run) // otherwise our filler ends it
		}
		if run.asked {
			run.settle(benchOutcome{err: errors.New("the other side stopped the measurement")})
		}
	}
	return nil
}

// asked answers a run that the other side wants.
func (s *benchSession) asked(f benchFrame) error {
	if f.Dir != string(Upload) && f.Dir != string(Download) {
		return violation("run: dir is send or receive")
	}
	if f.MS == nil || *f.MS < MinBench.Milliseconds() || *f.MS > MaxBench.Milliseconds() {
		return violation(fmt.Sprintf("run: ms is from %d to %d", MinBench.Milliseconds(), MaxBench.Milliseconds()))
	}
	s.mu.Lock()
	s.yieldLocked()
	run, err := s.startLocked(&benchRun{
		id: f.ID, dir: Direction(f.Dir), duration: time.Duration(*f.MS) * time.Millisecond,
	})
	s.mu.Unlock()
	if err != nil {
		return sendFrame(s.ch, benchFrame{T: "refuse", ID: f.ID, Message: err.Error()})
	}
	if err := sendFrame(s.ch, benchFrame{T: "ready", ID: run.id}); err != nil {
		return err
	}
	s.begin(run)
	return nil
}

// yieldLocked withdraws a run of ours that the other side has not answered,
// if its own goes first. It refuses ours, and that is then of no interest.
func (s *benchSession) yieldLocked() {
	run := s.run
	if s.offerer || run == nil || !run.asked {
		return
	}
	select {
	case <-run.started:
		return
	default:
	}
	s.run = nil
	run.stop()
	run.settle(benchOutcome{err: fmt.Errorf("the other side asked at the same moment: %w", ErrBusy)})
}

// begin lets a run start that both sides agreed on.
func (s *benchSession) begin(run *benchRun) {
	run.startOnce.Do(func() {
		close(run.started)
		if run.sends {
			s.work.Go(func() { s.fill(run) })
		} else if !run.asked {
			s.work.Go(func() { s.watch(run, run.duration+benchGrace) })
		}
	})
}

// watch ends a run whose other side forgot it.
func (s *benchSession) watch(run *benchRun, patience time.Duration) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-late.C:
	case <-run.ctx.Done():
	}
	s.finish(run)
}

// fill sends filler for the time of the run, then says that it was the last.
func (s *benchSession) fill(run *benchRun) {
	ctx, cancel := context.WithTimeout(run.ctx, run.duration)
	defer cancel()
	chunk := make([]byte, benchChunk)
	for s.ch.Ready(ctx) == nil {
		if s.ch.Send(chunk, false) != nil {
			break
		}
	}
	_ = sendFrame(s.ch, benchFrame{T: "end", ID: run.id})
	if !run.asked {
		s.watch(run, benchGrace) // the result of the asker ends the run
	}
}

// filler counts bytes that arrived.
func (s *benchSession) filler(n int) error {
	s.mu.Lock()
	run := s.run
	s.mu.Unlock()
	if run == nil || run.sends {
		return nil // still on its way when the run was stopped
	}
	now := time.Now()
	if run.bytes == 0 {
		run.first, run.reported = now, now
	}
	run.bytes += int64(n)
	run.last = now
	if now.Sub(run.reported) < benchReport {
		return nil
	}
	run.reported = now
	if run.progress != nil {
		run.progress(run.result())
	}
	return s.report("progress", run)
}

func (s *benchSession) report(t string, run *benchRun) error {
	r := run.result()
	ms := r.Took.Milliseconds()
	return sendFrame(s.ch, benchFrame{T: t, ID: run.id, Bytes: &r.Bytes, MS: &ms})
}

// ended answers the end of the filler with the result.
func (s *benchSession) ended(run *benchRun) error {
	if run.sends {
		return violation("end: the sender of the filler ends a run")
	}
	err := s.report("result", run)
	s.finish(run)
	run.settle(benchOutcome{result: run.result()})
	return err
}

// counted takes what the receiver of our filler counted.
func (s *benchSession) counted(run *benchRun, f benchFrame) error {
	if f.Bytes == nil || f.MS == nil || *f.Bytes < 0 || *f.MS < 0 {
		return violation(f.T + ": bytes and ms are missing or negative")
	}
	if !run.sends {
		return violation(f.T + ": the receiver of the filler counts")
	}
	r := BenchResult{Direction: run.dir, Bytes: *f.Bytes, Took: time.Duration(*f.MS) * time.Millisecond}
	if f.T == "progress" {
		if run.progress != nil {
			run.progress(r)
		}
		return nil
	}
	s.finish(run)
	run.settle(benchOutcome{result: r})
	return nil
}
