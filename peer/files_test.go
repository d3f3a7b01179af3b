package peer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// wire joins two Files by a pipe; cut ends the conversation on both sides.
func wire(a, b *Files) (cut func()) {
	x, y := newPipe()
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	work.Go(func() { a.speak(ctx, x) })
	work.Go(func() { b.speak(ctx, y) })
	return func() {
		cancel()
		x.close()
		work.Wait()
	}
}

func acceptAll(s Sink) func(context.Context, Offer) (Sink, error) {
	return func(context.Context, Offer) (Sink, error) { return s, nil }
}

// memory is a Sink and, with what was kept, its next attempt.
type memory struct {
	bytes.Buffer
	fail     error
	finished bool
	kept     bool
	removed  bool
	limit    int           // of the bytes it takes before it fails
	stall    chan struct{} // if not nil, Write waits for it once limit bytes are there
}

func (m *memory) Resume(w io.Writer) (int64, error) {
	n, err := w.Write(m.Bytes())
	return int64(n), err
}

func (m *memory) Write(p []byte) (int, error) {
	if m.limit > 0 && m.Len() >= m.limit {
		if m.stall != nil {
			<-m.stall
		}
		if m.fail != nil {
			return 0, m.fail
		}
	}
	return m.Buffer.Write(p)
}
func (m *memory) Finish() (string, error) { m.finished = true; return "in memory", nil }
func (m *memory) Keep() error             { m.kept = true; return nil }
func (m *memory) Remove() error           { m.removed = true; m.Reset(); return nil }

func generated(name string, size int64) File {
	return File{Offer: Offer{Name: name, Size: size}, Source: Generated{Size: size, Seed: 3}}
}

func contents(size int64) []byte {
	b, _ := io.ReadAll(io.NewSectionReader(Generated{Size: size, Seed: 3}, 0, size))
	return b
}

func send(t *testing.T, f *Files, file File) *Transfer {
	t.Helper()
	tr, err := f.Send(file)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func ends(t *testing.T, tr *Transfer, want TransferState) TransferStatus {
	t.Helper()
	s, err := tr.Wait(t.Context())
	if s.State != want {
		t.Fatalf("%s ended as %s (%v), want %s", tr.Name, s.State, err, want)
	}
	return s
}

func TestFilesOfEverySizeArrive(t *testing.T) {
	for _, size := range []int64{0, 1, fileChunk - 1, fileChunk, fileChunk + 1, 3<<20 + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink := &memory{}
				a, b := newFiles(nil, nil), newFiles(acceptAll(sink), nil)
				cut := wire(a, b)
				s := ends(t, send(t, a, generated("f", size)), Done)
				sum := sha256.Sum256(contents(size))
				if s.SHA256 != hex.EncodeToString(sum[:]) || !bytes.Equal(sink.Bytes(), contents(size)) || !sink.finished {
					t.Errorf("other bytes arrived: %+v", s)
				}
				cut()
				a.close()
				b.close()
			})
		})
	}
}

func TestManyFilesShareTheChannelAndTheRestQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open, most := 0, 0
		var mu sync.Mutex
		a := newFiles(nil, nil)
		b := newFiles(func(context.Context, Offer) (Sink, error) {
			mu.Lock()
			defer mu.Unlock()
			open++
			most = max(most, open)
			return &memory{}, nil
		}, func(tr *Transfer) {
			go func() {
				<-tr.Done()
				mu.Lock()
				defer mu.Unlock()
				open--
			}()
		})
		var all []*Transfer
		for i := range 3 * maxOpen {
			all = append(all, send(t, a, generated(fmt.Sprint("file ", i), int64(i)*9_000)))
		}
		cut := wire(a, b)
		for _, tr := range all {
			ends(t, tr, Done)
		}
		synctest.Wait()
		if most > maxOpen+2 || most < 2 { // one that is done here may not be told there yet
			t.Errorf("%d files were open at once", most)
		}
		cut()
		a.close()
		b.close()
	})
}

func TestATransferGoesOnAfterACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		sink := &memory{limit: 5 << 20, stall: make(chan struct{})}
		a := newFiles(nil, nil)
		b := newFiles(func(context.Context, Offer) (Sink, error) { asked++; return sink, nil }, nil)
		const size = 12<<20 + 5
		cut := wire(a, b)
		tr := send(t, a, generated("f", size))
		synctest.Wait() // five megabytes are there, and the disk hangs
		close(sink.stall)
		cut()
		if s := tr.Status(); s.State != Suspended {
			t.Errorf("after the cut: %+v", s)
		}
		if n := sink.Len(); n < 5<<20 || n >= size {
			t.Fatalf("%d bytes before the cut", n)
		}
		cut = wire(a, b)
		ends(t, tr, Done)
		if asked != 1 || !bytes.Equal(sink.Bytes(), contents(size)) {
			t.Errorf("asked %d times, %d bytes", asked, sink.Len())
		}
		cut()
		a.close()
		b.close()
	})
}

func TestALostDoneIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFiles(acceptAll(&memory{}), nil)
		id := strings.Repeat("ab", 16)
		file := generated("f", 100_000)
		file.ID = id
		for range 2 { // the second sender knows nothing of the first
			a := newFiles(nil, nil)
			cut := wire(a, b)
			ends(t, send(t, a, file), Done)
			cut()
			a.close()
		}
		b.close()
	})
}

func TestPauseByEitherSideAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{}
		incoming := make(chan *Transfer, 1)
		a := newFiles(nil, nil)
		b := newFiles(acceptAll(sink), func(tr *Transfer) { tr.Pause(); incoming <- tr })
		cut := wire(a, b)
		out := send(t, a, generated("f", 200<<20))
		in := <-incoming
		synctest.Wait()
		stopped := in.Status()
		if stopped.State != Paused || !out.Status().PausedThere {
			t.Errorf("paused by the receiver: %+v, %+v", stopped, out.Status())
		}
		time.Sleep(time.Minute)
		if in.Status().Moved != stopped.Moved {
			t.Error("bytes move while paused")
		}
		out.Pause()
		in.Resume()
		synctest.Wait()
		if s := in.Status(); s.State != Paused || s.Moved > stopped.Moved+2*ackWindow {
			t.Errorf("paused by the sender: %+v", s)
		}
		out.Cancel()
		if s := ends(t, out, Cancelled); s.Err == nil {
			t.Error("a cancelled transfer without a reason")
		}
		s := ends(t, in, Cancelled)
		if reason, ok := errors.AsType[*CancelError](s.Err); !ok || !reason.Theirs {
			t.Errorf("the receiver hears %v", s.Err)
		}
		synctest.Wait()
		if !sink.removed {
			t.Error("a cancelled file was not removed")
		}
		cut()
		a.close()
		b.close()
	})
}

func TestTheSenderWaitsForASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{limit: 1 << 20, stall: make(chan struct{})}
		a, b := newFiles(nil, nil), newFiles(acceptAll(sink), nil)
		cut := wire(a, b)
		out := send(t, a, generated("f", 20<<20))
		synctest.Wait()
		a.mu.Lock()
		ahead := a.out[0].offset - a.out[0].acked
		a.mu.Unlock()
		if ahead > ackWindow {
			t.Errorf("%d bytes under way", ahead)
		}
		close(sink.stall)
		ends(t, out, Done)
		cut()
		a.close()
		b.close()
	})
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		accept func(context.Context, Offer) (Sink, error)
		state  TransferState
		code   string
	}{
		{"declined", nil, Declined, CodeDeclined},
		{"no space", acceptAll(&memory{limit: 1, fail: fmt.Errorf("write: %w", syscall.ENOSPC)}), Failed, CodeNoSpace},
		{"too large", func(context.Context, Offer) (Sink, error) {
			return nil, &CancelError{Code: CodeTooLarge, Message: "up to 10 bytes"}
		}, Failed, CodeTooLarge},
		{"broken", func(context.Context, Offer) (Sink, error) { return nil, errors.New("no such disk") }, Failed, CodeFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newFiles(nil, nil), newFiles(c.accept, nil)
				cut := wire(a, b)
				s := ends(t, send(t, a, generated("f", 1<<20)), c.state)
				if reason, ok := errors.AsType[*CancelError](s.Err); !ok || reason.Code != c.code || !reason.Theirs {
					t.Errorf("reason %v", s.Err)
				}
				cut()
				a.close()
				b.close()
			})
		})
	}
}

// truncated ends in the middle, like a file that somebody else writes anew.
type truncated struct{ Generated }

func (s truncated) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.Size/2 {
		return 0, io.EOF
	}
	return s.Generated.ReadAt(p, off)
}

func TestAFileThatBecomesShorterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFiles(nil, nil), newFiles(acceptAll(&memory{}), nil)
		cut := wire(a, b)
		file := generated("f", 1<<20)
		file.Source = truncated{file.Source.(Generated)}
		s := ends(t, send(t, a, file), Failed)
		if !strings.Contains(fmt.Sprint(s.Err), "shorter") {
			t.Error(s.Err)
		}
		cut()
		a.close()
		b.close()
	})
}

func TestOtherBytesUnderTheSameIDAreABadHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{}
		sink.WriteString("something else")
		a, b := newFiles(nil, nil), newFiles(acceptAll(sink), nil)
		cut := wire(a, b)
		s := ends(t, send(t, a, generated("f", 100_000)), Failed)
		if reason, ok := errors.AsType[*CancelError](s.Err); !ok || reason.Code != CodeBadHash {
			t.Error(s.Err)
		}
		synctest.Wait()
		if !sink.removed {
			t.Error("the wrong bytes were kept")
		}
		cut()
		a.close()
		b.close()
	})
}

// stranger speaks to a Files by hand.
type stranger struct {
	t   *testing.T
	end *pipeEnd
}

func meetStranger(t *testing.T, f *Files) (s *stranger, leave func()) {
	x, y := newPipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.speak(context.Background(), x)
	}()
	return &stranger{t, y}, func() {
		y.close()
		<-done
		f.close()
	}
}

func (s *stranger) say(frame string) { s.end.Send([]byte(frame), true) }

func (s *stranger) chunk(id string, offset int64, n int) {
	buf := make([]byte, chunkHeader+n)
	putChunkHeader(buf, id, offset)
	s.end.Send(buf, false)
}

func (s *stranger) hears() fileFrame {
	s.t.Helper()
	buf := make([]byte, maxMessage)
	n, text, err := s.end.Receive(buf)
	if err != nil || !text {
		s.t.Fatalf("heard %d bytes, text %v, %v", n, text, err)
	}
	var f fileFrame
	if err := json.Unmarshal(buf[:n], &f); err != nil {
		s.t.Fatal(err)
	}
	return f
}

func TestAReceiverIsNotFooled(t *testing.T) {
	id := strings.Repeat("0a", 16)
	offer := `{"t":"offer","id":"` + id + `","name":"x","size":1000,"mime":""}`
	for _, c := range []struct {
		name       string
		say        func(*stranger)
		want, code string
	}{
		{"a gap", func(s *stranger) { s.chunk(id, 10, 5) }, "cancel", CodeBadFrame},
		{"more than offered", func(s *stranger) { s.chunk(id, 0, 1001) }, "cancel", CodeBadFrame},
		{"an early end", func(s *stranger) { s.say(`{"t":"end","id":"` + id + `","sha256":"` + strings.Repeat("0", 64) + `"}`) }, "cancel", CodeBadFrame},
		{"another size", func(s *stranger) { s.say(strings.Replace(offer, "1000", "1001", 1)) }, "cancel", CodeBadFrame},
		{"a wrong hash", func(s *stranger) {
			s.chunk(id, 0, 1000)
			s.say(`{"t":"end","id":"` + id + `","sha256":"` + strings.Repeat("0", 64) + `"}`)
		}, "cancel", CodeBadHash},
		{"a foreign chunk", func(s *stranger) { s.chunk(strings.Repeat("ff", 16), 0, 5) }, "error", ""},
		{"an empty chunk", func(s *stranger) { s.chunk(id, 0, 0) }, "error", ""},
		{"no JSON", func(s *stranger) { s.say("hello") }, "error", ""},
		{"no id", func(s *stranger) { s.say(`{"t":"pause","id":"../../etc"}`) }, "error", ""},
		{"a bad hash", func(s *stranger) { s.say(`{"t":"end","id":"` + id + `","sha256":"xyz"}`) }, "error", ""},
		{"a long frame", func(s *stranger) { s.say(`{"t":"x","id":"` + strings.Repeat("y", maxFrame) + `"}`) }, "error", ""},
		{"a huge message", func(s *stranger) { s.chunk(id, 0, maxBinary) }, "error", ""},
		{"a negative size", func(s *stranger) {
			s.say(`{"t":"offer","id":"` + strings.Repeat("11", 16) + `","name":"x","size":-1}`)
		}, "error", ""},
		{"a nameless file", func(s *stranger) {
			s.say(`{"t":"offer","id":"` + strings.Repeat("11", 16) + `","name":"","size":1}`)
		}, "error", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFiles(func(context.Context, Offer) (Sink, error) { return &memory{}, nil }, nil)
			s, leave := meetStranger(t, f)
			defer leave()
			s.say(offer)
			if got := s.hears(); got.T != "accept" || *got.Offset != 0 {
				t.Fatalf("heard %+v", got)
			}
			s.say(`{"t":"a later version"}`)
			c.say(s)
			got := s.hears()
			for got.T == "ack" {
				got = s.hears()
			}
			if got.T != c.want || got.Code != c.code {
				t.Errorf("heard %+v, want %s %s", got, c.want, c.code)
			}
			if got.Message == "" {
				t.Error("an answer without words")
			}
		})
	}
}

func TestASeventeenthOfferIsAnsweredBusy(t *testing.T) {
	f := newFiles(func(ctx context.Context, o Offer) (Sink, error) { <-ctx.Done(); return nil, ctx.Err() }, nil)
	s, leave := meetStranger(t, f)
	defer leave()
	for i := range maxOpen + 1 {
		s.say(fmt.Sprintf(`{"t":"offer","id":"%032x","name":"x","size":1}`, i))
	}
	if got := s.hears(); got.T != "cancel" || got.Code != CodeBusy || got.ID != fmt.Sprintf("%032x", maxOpen) {
		t.Errorf("heard %+v", got)
	}
}

func TestAnIDGoesInOneDirectionAtATime(t *testing.T) {
	f := newFiles(func(context.Context, Offer) (Sink, error) { return Discard{}, nil }, nil)
	s, leave := meetStranger(t, f)
	defer leave()
	tr := send(t, f, generated("f", 1000))
	offer := s.hears()
	theirs := `{"t":"offer","id":"` + offer.ID + `","name":"x","size":3}`
	s.say(theirs)
	if got := s.hears(); got.T != "cancel" || got.Code != CodeBusy || got.ID != offer.ID {
		t.Fatalf("heard %+v", got)
	}
	if tr.Status().State != Offered {
		t.Errorf("ours is %s", tr.Status().State)
	}
	s.say(`{"t":"cancel","id":"` + offer.ID + `","code":"busy","message":""}`)
	s.say(theirs) // ours waits in its queue, so now the id is free
	if got := s.hears(); got.T != "accept" {
		t.Fatalf("heard %+v", got)
	}
	s.say(`{"t":"cancel","id":"` + offer.ID + `","code":"cancelled","message":""}`) // of theirs
	s.say(theirs)
	if got := s.hears(); got.T != "accept" {
		t.Fatalf("heard %+v", got)
	}
	if tr.Status().State != Queued {
		t.Errorf("ours is %s", tr.Status().State)
	}
}

func TestTwoOffersOfOneIDThatCrossBothArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := &memory{}, &memory{}
		a, b := newFiles(acceptAll(x), nil), newFiles(acceptAll(y), nil)
		file := generated("f", 300_000)
		file.ID = strings.Repeat("ab", 16)
		one, two := send(t, a, file), send(t, b, file)
		cut := wire(a, b)
		ends(t, one, Done)
		ends(t, two, Done)
		if !bytes.Equal(x.Bytes(), contents(300_000)) || !bytes.Equal(y.Bytes(), contents(300_000)) {
			t.Errorf("%d and %d bytes", x.Len(), y.Len())
		}
		cut()
		a.close()
		b.close()
	})
}

func TestASenderIsNotFooled(t *testing.T) {
	for _, c := range []struct{ name, frame string }{
		{"beyond the end", `{"t":"accept","id":"%s","offset":2000}`},
		{"before the beginning", `{"t":"accept","id":"%s","offset":-1}`},
		{"nowhere", `{"t":"accept","id":"%s"}`},
		{"done at once", `{"t":"done","id":"%s","sha256":"00"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFiles(nil, nil)
			s, leave := meetStranger(t, f)
			defer leave()
			tr := send(t, f, generated("f", 1000))
			offer := s.hears()
			s.say(fmt.Sprintf(c.frame, offer.ID))
			if got := s.hears(); got.T != "cancel" || got.Code != CodeBadFrame {
				t.Errorf("heard %+v", got)
			}
			ends(t, tr, Failed)
		})
	}
}
