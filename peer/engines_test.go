package peer

import (
	"context"
	"encoding/json"
	"errors"
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

// eventually waits for something that nobody announces.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); !is(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("never %s", what)
		}
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
