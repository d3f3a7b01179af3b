package http2

import (
	"time"

	h2 "golang.org/x/net/http2"
)

// defaultWindow is what each stream, and the connection, may be sent before
// anybody says otherwise, RFC 9113 section 6.9.2.
const defaultWindow = 65535

// region windows

// windows are how much may be sent in one direction of a connection: by all
// streams together, and by each. Who receives opens them, who sends uses them up.
type windows struct {
	connection int64
	initial    int64 // of a stream, by the receiver's SETTINGS
	streams    map[uint32]int64
}

func newWindows() *windows {
	return &windows{connection: defaultWindow, initial: defaultWindow, streams: map[uint32]int64{}}
}

// begin gives a stream its window.
func (w *windows) begin(stream uint32) {
	if _, known := w.streams[stream]; !known && len(w.streams) < maxStreams {
		w.streams[stream] = w.initial
	}
}

// settings changes the windows of all streams that there are, which may put
// them below zero. That of the connection no setting changes.
func (w *windows) settings(all []h2.Setting) {
	for _, s := range all {
		if s.ID != h2.SettingInitialWindowSize {
			continue
		}
		for stream := range w.streams {
			w.streams[stream] += int64(s.Val) - w.initial
		}
		w.initial = int64(s.Val)
	}
}

// opened is a WINDOW_UPDATE of the receiver; stream 0 is the connection.
func (w *windows) opened(stream, by uint32) {
	if stream == 0 {
		w.connection += int64(by)
	} else if _, known := w.streams[stream]; known {
		w.streams[stream] += int64(by)
	}
}

// sent is a DATA frame of the sender. Padding counts, all other frames do not.
// It returns what is left; below zero the sender has broken the rules.
func (w *windows) sent(stream, bytes uint32) (left int64) {
	w.connection -= int64(bytes)
	if _, known := w.streams[stream]; !known {
		return w.connection
	}
	w.streams[stream] -= int64(bytes)
	return min(w.connection, w.streams[stream])
}

// closed tells whether some stream has to wait.
func (w *windows) closed() bool {
	left, any := w.tightest()
	return any && (left <= 0 || w.connection <= 0)
}

// tightest is the window of the stream that has the least left.
func (w *windows) tightest() (left int64, any bool) {
	for _, n := range w.streams {
		if !any || n < left {
			left, any = n, true
		}
	}
	return left, any
}

// endregion

// maxStreams bounds the streams of a connection that are followed at a time.
const maxStreams = 500

// stopwatch adds up the times while something is so.
type stopwatch struct {
	since time.Time
	total time.Duration
}

func (s *stopwatch) set(on bool, now time.Time) {
	switch {
	case on && s.since.IsZero():
		s.since = now
	case !on && !s.since.IsZero():
		s.total += now.Sub(s.since)
		s.since = time.Time{}
	}
}
