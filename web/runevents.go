package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"peerlab/lab"
	"peerlab/trace"
)

const (
	// heartbeat keeps proxies from taking a quiet run for a dead connection.
	heartbeat = 15 * time.Second
	// gather is how long events are collected before they are sent together;
	// more often a screen would not show them.
	gather = 40 * time.Millisecond
	// Bounds of one message.
	maxBatch      = 500
	maxBatchBytes = 256 << 10
	// writeTime is how long a reader may take to take one message. The log is
	// shared, so a slow one holds up nobody and costs no memory; it is cut off,
	// and may come back to where it was.
	writeTime = 20 * time.Second
)

// runEvents answers GET /runs/{id}/events: the events of a run from the first
// or from behind Last-Event-ID, as server-sent events (HTML Standard, section
// 9.2), until the run has ended or the reader is gone. See stream.js for the
// form of the messages.
func (s *site) runEvents(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findRun(r.PathValue("id"))
	if err != nil {
		return err
	}
	after, err := resumeAfter(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold back what is small
	if r.Method == http.MethodHead {
		return nil // that is all there is to say
	}
	// The server's ReadTimeout counts on while a handler writes, and would end
	// the request. Not every writer has deadlines; those have no timeout either.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	defer rec.Watch()()
	ctx, cancel := context.WithCancel(r.Context())
	events := make(chan trace.Event, maxBatch)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(events)
		for e := range rec.Log.Read(ctx, after+1) {
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	})
	defer reader.Wait()
	defer cancel()

	st := &eventStream{w: w, control: control, last: after}
	// An error is of the connection: there is nobody left to tell.
	_ = st.follow(ctx, rec, events)
	return nil
}

// resumeAfter reads where a reader left off. A browser that comes back by
// itself says so in the header, a script that does in the query.
func resumeAfter(r *http.Request) (uint64, error) {
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return 0, &failure{Status: http.StatusBadRequest, Title: "That is no place to go on from",
				Detail: "Last-Event-ID and after are numbers of events."}
		}
		return n, nil
	}
	return 0, nil
}

// eventStream writes messages to one reader.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
	last    uint64 // seq of the last event sent
	told    runState
}

func (st *eventStream) follow(ctx context.Context, rec *lab.Record, events <-chan trace.Event) error {
	st.buf.WriteString("retry: 1000\n\n")
	if err := st.status(rec); err != nil {
		return err
	}
	beat, look := time.NewTicker(heartbeat), time.NewTicker(time.Second)
	defer beat.Stop()
	defer look.Stop()
	wait := time.NewTimer(gather)
	defer wait.Stop()
	var err error
	for err == nil {
		select {
		case e, more := <-events:
			if !more {
				return st.end(ctx, rec)
			}
			if err = st.batch(e, events); err != nil {
				return err
			}
			wait.Reset(gather)
			select {
			case <-wait.C:
			case <-ctx.Done():
			}
		case <-look.C:
			err = st.status(rec)
		case <-beat.C:
			st.buf.WriteString(": still here\n\n")
			err = st.flush()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// batch sends one event and those that are there already.
func (st *eventStream) batch(e trace.Event, events <-chan trace.Event) error {
	var list bytes.Buffer
	for n := 0; ; {
		text, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("event %d: %w", e.Seq, err)
		}
		if n > 0 {
			list.WriteByte(',')
		}
		list.Write(text)
		st.last = e.Seq
		if n++; n == maxBatch || list.Len() > maxBatchBytes {
			break
		}
		var more bool
		select {
		case e, more = <-events:
		default:
		}
		if !more {
			break
		}
	}
	fmt.Fprintf(&st.buf, "id: %d\nevent: events\ndata: [%s]\n\n", st.last, list.Bytes())
	return st.flush()
}

// status tells how the run stands, if that is news.
func (st *eventStream) status(rec *lab.Record) error {
	now := stateOf(rec)
	// The packets counted move all the time and are no news by themselves.
	before := st.told
	before.Packets = now.Packets
	if now != before {
		st.told = now
		st.message("status", now)
	}
	return st.flush()
}

// end tells that nothing follows. After a cut of ours the log has not ended.
func (st *eventStream) end(ctx context.Context, rec *lab.Record) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	st.message("end", stateOf(rec))
	return st.flush()
}

func (st *eventStream) message(name string, state runState) {
	text, err := json.Marshal(state)
	if err != nil {
		return // strings and numbers can be written
	}
	fmt.Fprintf(&st.buf, "event: %s\ndata: %s\n\n", name, text)
}

func (st *eventStream) flush() error {
	if st.buf.Len() == 0 {
		return nil
	}
	_ = st.control.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := st.w.Write(st.buf.Bytes())
	st.buf.Reset()
	if err != nil {
		return err
	}
	return st.control.Flush()
}
