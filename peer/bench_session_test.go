package peer

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// benches returns two that are connected.
func benches(t *testing.T) (a, b *Bench) {
	a, b = newBench(true), newBench(false)
	t.Cleanup(converseWith(a.speak, b.speak))
	listening(t, a)
	listening(t, b)
	return a, b
}

// listening waits until b has a channel.
func listening(t *testing.T, b *Bench) {
	t.Helper()
	eventually(t, "connected", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.session != nil
	})
}

func TestBenchCountsAtTheReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := newPipe()
		a, b := newBench(true), newBench(false)
		var speaking sync.WaitGroup
		speaking.Go(func() { a.speak(t.Context(), paced{x}) })
		speaking.Go(func() { b.speak(t.Context(), paced{y}) })
		synctest.Wait()
		for _, dir := range []Direction{Upload, Download} {
			var seen BenchResult
			r, err := a.Run(t.Context(), dir, 500*time.Millisecond, func(r BenchResult) { seen = r })
			if err != nil {
				t.Fatalf("%s: %v", dir, err)
			}
			if r.Bytes%benchChunk != 0 || r.Took < 400*time.Millisecond || r.Took > 500*time.Millisecond ||
				math.Abs(r.Rate()/(benchChunk/paceOf.Seconds())-1) > 0.05 {
				t.Errorf("%s: %+v", dir, r)
			}
			if seen.Took != 400*time.Millisecond || seen.Bytes == 0 || seen.Bytes > r.Bytes {
				t.Errorf("%s: progress %+v", dir, seen)
			}
		}
		if a.Running() {
			t.Error("still running")
		}
		x.close()
		speaking.Wait()
	})
}

// paced sends bulk data at a pace, so that time goes on while it does.
type paced struct{ channel }

const paceOf = 4 * time.Millisecond // a chunk

func (p paced) Ready(ctx context.Context) error {
	time.Sleep(paceOf)
	return p.channel.Ready(ctx)
}

func TestBenchOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBench(false)
		if _, err := a.Run(t.Context(), Upload, time.Second, nil); !errors.Is(err, ErrNotConnected) {
			t.Error(err)
		}
		x, y := newPipe()
		done := make(chan struct{})
		go func() { defer close(done); a.speak(t.Context(), x) }()
		y.Send([]byte(`{"t":"run","id":5,"dir":"send","ms":1000}`), true)
		synctest.Wait()
		if !a.Running() {
			t.Error("not running")
		}
		if _, err := a.Run(t.Context(), Upload, time.Second, nil); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		y.Send([]byte(`{"t":"run","id":6,"dir":"send","ms":1000}`), true)
		synctest.Wait()
		if heard := hearAll(t, y); len(heard["ready"]) != 1 || len(heard["refuse"]) != 1 {
			t.Errorf("heard %v", heard)
		}
		time.Sleep(2*benchGrace + time.Second) // the asker never sends and never ends
		if a.Running() {
			t.Error("a run whose asker is silent goes on for ever")
		}
		y.close()
		<-done
	})
}

func TestWhenTwoAskAtOnceTheOffererGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		offerer, other := newBench(true), newBench(false)
		x, y := newPipe()
		a, b := held(x), held(y)
		var speaking, asking sync.WaitGroup
		speaking.Go(func() { offerer.speak(t.Context(), paced{a}) })
		speaking.Go(func() { other.speak(t.Context(), paced{b}) })
		synctest.Wait()
		asking.Go(func() {
			if r, err := offerer.Run(t.Context(), Upload, time.Second, nil); err != nil || r.Bytes == 0 {
				t.Errorf("the run of the offerer: %+v, %v", r, err)
			}
		})
		asking.Go(func() {
			if _, err := other.Run(t.Context(), Upload, time.Second, nil); !errors.Is(err, ErrBusy) {
				t.Errorf("the run of the other: %v", err)
			}
		})
		synctest.Wait() // both have asked, and neither has heard the other
		close(a.gate)
		close(b.gate)
		asking.Wait()
		synctest.Wait()
		if _, err := other.Run(t.Context(), Download, time.Second, nil); err != nil {
			t.Errorf("the next run: %v", err)
		}
		x.close()
		speaking.Wait()
	})
}

// heldEnd hears nothing before its gate is open.
type heldEnd struct {
	*pipeEnd
	gate chan struct{}
}

func held(end *pipeEnd) *heldEnd { return &heldEnd{end, make(chan struct{})} }

func (h *heldEnd) Receive(buf []byte) (int, bool, error) {
	<-h.gate
	return h.pipeEnd.Receive(buf)
}

// Each side may ask for a run of the same id, so an answer to one that was
// withdrawn must not be taken for one to the run that goes on.
func TestARefusalOfAWithdrawnRunIsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(false)
		x, y := newPipe()
		done := make(chan struct{})
		go func() { defer close(done); b.speak(t.Context(), x) }()
		synctest.Wait()
		asked := make(chan error, 1)
		go func() {
			_, err := b.Run(t.Context(), Upload, time.Second, nil)
			asked <- err
		}()
		synctest.Wait()
		y.Send([]byte(`{"t":"run","id":1,"dir":"send","ms":1000}`), true)
		y.Send([]byte(`{"t":"refuse","id":1,"message":"busy"}`), true)
		synctest.Wait()
		if err := <-asked; !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if heard := hearAll(t, y); len(heard["run"]) != 1 || len(heard["ready"]) != 1 || len(heard["stop"]) != 0 || !b.Running() {
			t.Errorf("heard %v, running %v", heard, b.Running())
		}
		y.close()
		<-done
	})
}

func TestBenchRefusedIsOver(t *testing.T) {
	a, b := benches(t)
	b.mu.Lock()
	b.run = &benchRun{id: -1} // something else goes on there
	b.mu.Unlock()
	if _, err := a.Run(t.Context(), Download, time.Second, nil); err == nil || !strings.Contains(err.Error(), ErrBusy.Error()) {
		t.Errorf("refused: %v", err)
	}
	if a.Running() {
		t.Error("a run that was refused goes on")
	}
}

func TestBenchStops(t *testing.T) {
	a, b := benches(t)
	for _, dir := range []Direction{Upload, Download} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := a.Run(ctx, dir, MaxBench, func(BenchResult) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", dir, err)
		}
		eventually(t, "free again", func() bool { return !b.Running() && !a.Running() })
	}
}

func TestBenchRefusesNonsense(t *testing.T) {
	for _, frame := range []string{
		`{"t":"run","id":0,"dir":"send","ms":1000}`,
		`{"t":"run","id":1,"dir":"up","ms":1000}`,
		`{"t":"run","id":1,"dir":"send","ms":99}`,
		`{"t":"run","id":1,"dir":"send","ms":30001}`,
		`{"t":"run","id":1,"dir":"send"}`,
		`{"t":"end","id":-1}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			x, y := newPipe()
			done := make(chan struct{})
			go func() { defer close(done); newBench(false).speak(t.Context(), x) }()
			y.Send([]byte(frame), true)
			synctest.Wait()
			if heard := hearAll(t, y); len(heard["error"]) != 1 {
				t.Errorf("%s: heard %v", frame, heard)
			}
			y.close()
			<-done
		})
	}
}
