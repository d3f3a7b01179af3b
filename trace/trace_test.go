package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"peerlab/leaks"
	"peerlab/trace"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func TestReadersFollowFromAnySeqUntilTheEnd(t *testing.T) {
	const n = 500
	log := trace.New(n + 1)
	var wg sync.WaitGroup
	for _, from := range []uint64{0, 1, 100, n} {
		wg.Go(func() {
			want := max(from, 1)
			for e := range log.Read(t.Context(), from) {
				if e.Seq != want {
					t.Errorf("reader from %d: seq %d, want %d", from, e.Seq, want)
					return
				}
				want++
			}
			if want != n+1 {
				t.Errorf("reader from %d ended before %d", from, want)
			}
		})
	}
	for w := range 5 {
		wg.Go(func() {
			for range n / 5 {
				log.Add(trace.Event{Kind: trace.Sample, Layer: trace.SCTP, Name: "cwnd", Value: float64(w)})
			}
		})
	}
	for range log.Read(t.Context(), n) { // the last of them has arrived
		break
	}
	log.End()
	wg.Wait()
}

func TestTimesAreMonotonicSinceTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := trace.New(0)
		time.Sleep(3 * time.Second)
		end := log.Begin(trace.DTLS, "a", "handshake")
		time.Sleep(time.Second)
		end("done")
		end("twice does not count")
		events := log.Events()
		if len(events) != 2 || events[0].At != 3*time.Second || events[1].At != 4*time.Second {
			t.Fatalf("events %+v", events)
		}
		if events[0].Span == 0 || events[0].Span != events[1].Span || events[1].Text != "done" {
			t.Errorf("span %+v", events)
		}
	})
}

func TestABoundedLogCountsAndSaysWhatItDropped(t *testing.T) {
	log := trace.New(4)
	for range 10 {
		log.Add(trace.Event{Kind: trace.Note, Text: "x"})
	}
	log.End()
	log.Add(trace.Event{Kind: trace.Note, Text: "too late"})
	events := log.Events()
	if len(events) != 4 || !strings.Contains(events[3].Text, "7 events") {
		t.Errorf("events %+v", events)
	}
	if log.Dropped() != 7 { // what comes after the end is not part of it
		t.Errorf("dropped %d, want 7", log.Dropped())
	}
}

func TestAReaderEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := trace.New(0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range log.Read(ctx, 1) {
			}
		}()
		synctest.Wait()
		cancel()
		<-done
	})
}

func TestANilLogTakesEverything(t *testing.T) {
	var log *trace.Log
	log.Begin(trace.ICE, "a", "checks")("done")
	if log.Add(trace.Event{}) != 0 {
		t.Error("a nil log kept an event")
	}
	log.End()
}

func TestARunComesBackAsItWas(t *testing.T) {
	log := trace.New(0)
	log.Add(trace.Event{Kind: trace.Message, Layer: trace.ICE, From: "a", To: "b", Name: "offer", Attrs: map[string]string{"session": "1"}})
	log.Add(trace.Event{Kind: trace.Sample, From: "a", Name: "rtt", Value: 0, Unit: "ms"})
	log.Add(trace.Event{Kind: trace.Fact, Name: "broken", Value: math.NaN()})
	log.Begin(trace.SCTP, "a", "association")("open")
	log.End()
	run := log.Run()
	run.ID, run.Lab, run.Params["clients"] = "r1", "ice", 5.0

	var saved bytes.Buffer
	if err := run.Encode(&saved); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"at_ns":`, `"kind":"message"`, `"value":0,"unit":"ms"`, `"dropped":0`} {
		if !strings.Contains(saved.String(), want) {
			t.Errorf("no %s in %s", want, saved.String())
		}
	}
	back, err := trace.Decode(&saved)
	if err != nil {
		t.Fatal(err)
	}
	if !back.Started.Equal(run.Started) || !back.Ended.Equal(run.Ended) {
		t.Errorf("times %v %v, want %v %v", back.Started, back.Ended, run.Started, run.Ended)
	}
	back.Started, back.Ended = run.Started, run.Ended
	if !reflect.DeepEqual(back, run) {
		t.Errorf("got  %+v\nwant %+v", back, run)
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{`nonsense`, "invalid character"},
		{`{"events":[{"seq":1,"kind":"rumour"}]}`, `unknown kind "rumour"`},
		{`{"events":[{"seq":1,"kind":"note","layer":"cake"}]}`, `unknown layer "cake"`},
		{`{"events":[{"seq":2,"kind":"note"},{"seq":1,"kind":"note"}]}`, "must rise"},
		{`{"events":[{"seq":1,"at_ns":5,"kind":"note"},{"seq":2,"at_ns":4,"kind":"note"}]}`, "must rise"},
		{`{"events":[{"seq":1,"kind":"note","text":"` + strings.Repeat("x", 70_000) + `"}]}`, "longer than"},
	} {
		_, err := trace.Decode(strings.NewReader(c.doc))
		if !errors.Is(err, trace.ErrBadRun) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, want %q", c.doc, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"r","lab":"l","params":{"a":1},"network":{},"started":"2026-01-02T03:04:05Z","dropped":1,` +
		`"events":[{"seq":1,"at_ns":10,"kind":"fact","layer":"app","name":"n","value":1.5,"unit":"ms","attrs":{"k":"v"}}]}`))
	f.Add([]byte(`{"events":[{"seq":18446744073709551615,"kind":"span","span":1}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		run, err := trace.Decode(bytes.NewReader(doc))
		if err != nil {
			return
		}
		var saved bytes.Buffer
		if err := run.Encode(&saved); err != nil {
			if _, bad := errors.AsType[*json.MarshalerError](err); bad {
				return // a year that RFC 3339 cannot write
			}
			t.Fatal(err)
		}
		if _, err := trace.Decode(&saved); err != nil {
			t.Errorf("accepted once, refused when saved again: %v", err)
		}
	})
}
