package peer

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// speaker is the part of an engine that uses a channel.
type speaker func(context.Context, channel) error

// converseWith joins two engines by a pipe.
func converseWith(a, b speaker) (cut func()) {
	x, y := newPipe()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { a(ctx, x) })
	work.Go(func() { b(ctx, y) })
	return func() {
		cancel()
		x.close()
		work.Wait()
	}
}

func TestChatRepeatsWhatWasNotConfirmedAndShowsItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		a, b := newChat(nil), newChat(func(m ChatMessage) { got = append(got, m.Text) })
		if err := a.Send("one"); err != nil {
			t.Fatal(err)
		}

		// The first connection loses the confirmation.
		x, y := newPipe()
		done := make(chan struct{})
		go func() { defer close(done); a.speak(t.Context(), x) }()
		buf := make([]byte, maxMessage)
		n, _, err := y.Receive(buf)
		if err != nil {
			t.Fatal(err)
		}
		first := append([]byte(nil), buf[:n]...)
		y.close()
		<-done
		lost, other := newPipe()
		go func() { b.speak(t.Context(), lost) }()
		other.Send(first, true)
		synctest.Wait()
		other.close()

		a.Send("two")
		cut := converseWith(a.speak, b.speak)
		if err := a.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		cut()
		if strings.Join(got, " ") != "one two" {
			t.Errorf("got %q", got)
		}
	})
}

func TestChatLimits(t *testing.T) {
	c := newChat(nil)
	for _, text := range []string{"", strings.Repeat("x", MaxChatText+1), strings.Repeat("\x01", MaxChatText)} {
		if c.Send(text) == nil {
			t.Errorf("a text of %d characters was taken", len(text))
		}
	}
	if err := c.Send(strings.Repeat("<", MaxChatText)); err != nil {
		t.Error(err)
	}
	for range maxBacklog {
		c.Send("x")
	}
	if err := c.Send("x"); !errors.Is(err, ErrBacklog) {
		t.Error(err)
	}
}

func TestAViolationIsAnsweredAndTheRestIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, speak := range map[string]speaker{
			"chat": newChat(nil).speak, "bench": newBench(false).speak, "probe": newProbe(func() bool { return false }).speak,
		} {
			x, y := newPipe()
			done := make(chan error, 1)
			go func() { done <- speak(t.Context(), x) }()
			y.Send([]byte(`{"t":`), true)
			y.Send([]byte(`{"t":"ping","n":7}`), true)
			synctest.Wait()
			heard := hearAll(t, y)
			if len(heard["error"]) != 1 || len(heard["pong"]) != 0 {
				t.Errorf("%s: heard %v", name, heard)
			}
			y.close()
			if _, ok := errors.AsType[violation](<-done); !ok {
				t.Errorf("%s: ended without naming the violation", name)
			}
		}
	})
}

// hearAll takes what is waiting, by type.
func hearAll(t *testing.T, end *pipeEnd) map[string][]string {
	t.Helper()
	heard := map[string][]string{}
	end.in.mu.Lock()
	defer end.in.mu.Unlock()
	for _, m := range end.in.messages {
		kind := "binary"
		if m.text {
			var f struct{ T string }
			if err := json.Unmarshal(m.data, &f); err != nil {
				t.Error(err)
			}
			kind = f.T
		}
		heard[kind] = append(heard[kind], string(m.data))
	}
	end.in.messages = nil
	return heard
}

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

// eventually waits for something that nobody announces.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("never %s", what)
		}
	}
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

func TestProbeMeasuresAndCountsLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProbe(func() bool { return false })
		x, y := newPipe()
		done := make(chan struct{})
		go func() { defer close(done); p.speak(t.Context(), x) }()
		buf := make([]byte, maxMessage)
		for i := range 10 {
			n, _, err := y.Receive(buf)
			if err != nil {
				t.Fatal(err)
			}
			pong := strings.Replace(string(buf[:n]), "ping", "pong", 1)
			if i%5 == 0 {
				continue // lost
			}
			time.Sleep(time.Duration(10+i) * time.Millisecond)
			y.Send([]byte(pong), true)
			y.Send([]byte(pong), true) // a duplicate counts once
		}
		time.Sleep(10 * time.Second)
		r := p.RTT()
		if r.Lost < 2 || r.Sent-r.Lost != 8 || r.Min != 11*time.Millisecond || r.P95 != 19*time.Millisecond ||
			r.Median < r.Min || r.Median > r.P95 || r.Jitter <= 0 {
			t.Errorf("%+v", r)
		}
		y.close()
		<-done
	})
}

func TestProbeAnswersButNotAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProbe(func() bool { return false })
		x, y := newPipe()
		done := make(chan struct{})
		go func() { defer close(done); p.speak(t.Context(), x) }()
		for range 5 * probeAnswers {
			y.Send([]byte(`{"t":"ping","n":1}`), true)
		}
		synctest.Wait()
		if n := len(hearAll(t, y)["pong"]); n != probeAnswers {
			t.Errorf("%d pongs", n)
		}
		y.close()
		<-done
	})
}

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent(2)
	r.put("a", "1")
	r.put("b", "2")
	r.put("a", "3")
	r.put("c", "4")
	if _, ok := r.get("a"); ok {
		t.Error("the oldest is still there")
	}
	r.forget("b")
	r.put("d", "5")
	if v, ok := r.get("c"); !ok || v != "4" || len(r.order) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "500000": 500000, "20MB": 20e6, "20 mb": 20e6, "1GiB": 1 << 30, "1.5k": 1500, "2Ki": 2048, "1T": 1e12,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "MB", "1XB", "1e400", "NaN", "9999999T", "1 2"} {
		if n, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, n)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 20_000_001: "20 MB", 999_999_999: "1 GB"} {
		if got := FormatSize(n); got != want {
			t.Errorf("FormatSize(%d) = %q, want %q", n, got, want)
		}
	}
}

// The engines must survive whatever a hostile peer sends, and end when the
// channel does.
func FuzzFrames(f *testing.F) {
	f.Add(0, []byte(`{"t":"chat","id":"a","text":"b"}`), true)
	f.Add(1, []byte(`{"t":"offer","id":"0123456789abcdef0123456789abcdef","name":"x","size":3,"mime":""}`), true)
	f.Add(1, []byte(`{"t":"end","id":"0123456789abcdef0123456789abcdef","sha256":"`+strings.Repeat("0", 64)+`"}`), true)
	f.Add(1, []byte("0123456789abcdef\x00\x00\x00\x00\x00\x00\x00\x00abc"), false)
	f.Add(2, []byte(`{"t":"run","id":1,"dir":"receive","ms":100}`), true)
	f.Add(2, []byte(`{"t":"result","id":1,"bytes":1,"ms":1}`), true)
	f.Add(3, []byte(`{"t":"pong","n":1}`), true)
	f.Fuzz(func(t *testing.T, which int, data []byte, text bool) {
		files := newFiles(func(context.Context, Offer) (Sink, error) { return Discard{}, nil }, nil)
		defer files.close()
		send(t, files, generated("f", 100))
		speak := []speaker{
			newChat(nil).speak, files.speak, newBench(false).speak, newProbe(func() bool { return true }).speak,
		}[uint(which)%4]
		x, y := newPipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); speak(ctx, x) }()
		for range 2 {
			if err := y.Send(data, text); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		y.close()
		<-done
	})
}
