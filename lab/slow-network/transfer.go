package slownetwork

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"peerlab/trace"
)

// patience is how long a client waits for the whole download.
const patience = 20 * time.Second

// outcome is what a client measured of one download, from the moment it began
// to connect.
type outcome struct {
	connected, first, total, silence time.Duration
	bytes, reads                     int
	broken                           error // nil: all of it came
}

// errWrong: a byte is not the one that was sent.
var errWrong = errors.New("the download is not what the server sent")

// transfer downloads once and tells what was measured. Only a download with
// wrong bytes in it is an error; one that breaks off is a result.
func (w *way) transfer(ctx context.Context) error {
	o := w.download(ctx)
	if errors.Is(o.broken, errWrong) {
		return o.broken
	}
	w.report(o)
	return nil
}

// region transfer

// download connects, asks, and reads to the end.
func (w *way) download(ctx context.Context) (o outcome) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	defer func() { o.total = time.Since(began) }()
	end := w.run.Begin(trace.TCP, client, "connect")
	conn, err := w.host.DialContext(ctx, "tcp", w.target+":80")
	end(saying(err))
	if err != nil {
		o.broken = err
		return o
	}
	o.connected = time.Since(began)
	w.run.Message(trace.HTTP, client, w.target, "GET /", "")

	one := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	defer one.CloseIdleConnections()
	defer conn.Close()
	end = w.run.Begin(trace.HTTP, client, "wait for the first byte")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.target+"/", nil)
	if err != nil {
		o.broken = err
		end(saying(err))
		return o
	}
	resp, err := one.RoundTrip(req)
	end(saying(err))
	if err != nil {
		o.broken = err
		return o
	}
	defer resp.Body.Close()
	o.first = time.Since(began)
	end = w.run.Begin(trace.HTTP, client, "download")
	o.broken = w.read(resp.Body, &o)
	end(saying(o.broken))
	return o
}

// endregion

// samples is how many points a chart of one download has, about.
const samples = 80

// read reads the body, and looks at its bytes and at the clock.
func (w *way) read(body io.Reader, o *outcome) error {
	size := w.p.Size * kilobyte
	chart := func() { w.run.Sample(trace.HTTP, client, "received", float64(o.bytes)/kilobyte, "kB") }
	chart()
	var want pattern
	buf := make([]byte, 32<<10)
	for last, shown := time.Now(), 0; ; {
		n, err := body.Read(buf)
		o.silence = max(o.silence, time.Since(last))
		last = time.Now()
		if !want.follows(buf[:n]) {
			return errWrong
		}
		if n > 0 {
			o.reads++
			o.bytes += n
		}
		if o.bytes-shown >= size/samples || err != nil {
			shown = o.bytes
			chart()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// saying is what became of something, for people.
func saying(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no end in sight after %s", patience)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "closed before the end"
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return "the run was ended"
	}
	return err.Error()
}

// report makes facts of what was measured.
func (w *way) report(o outcome) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fact := func(name string, value float64, unit, text string) {
		w.run.Add(trace.Event{Kind: trace.Fact, Layer: trace.App, Name: name, Value: value, Unit: unit, Text: text})
	}
	how := ""
	if o.broken != nil {
		how = saying(o.broken)
	}
	if o.connected > 0 {
		fact("connecting", ms(o.connected), "ms", "")
	}
	if o.first > 0 {
		fact("first byte after", ms(o.first), "ms", "")
	}
	fact("whole download", ms(o.total), "ms", how)
	fact("received", float64(o.bytes)/kilobyte, "kB", "")
	if body := o.total - o.first; o.broken == nil && body > 0 {
		fact("throughput of the body", float64(o.bytes)/kilobyte/body.Seconds(), "kB/s", "")
	}
	if trip := 2 * w.run.Settings().Delay; trip > 0 && o.connected > 0 {
		fact("connecting takes", float64(o.connected)/float64(trip), "RTT", "")
	}
	if o.first > 0 {
		fact("longest silence", ms(o.silence), "ms", "")
		fact("reads", float64(o.reads), "reads", "")
	}
	if w.proxy != nil {
		w.proxy.mu.Lock()
		pieces := w.proxy.pieces
		w.proxy.mu.Unlock()
		fact("pieces written by Toxiproxy", float64(pieces), "writes", "")
	}
	w.wire.facts(w.run)
	if o.broken != nil {
		w.run.Note("%s: %s after %.1f s, with %d of %d kB.", w.name, how, o.total.Seconds(), o.bytes/kilobyte, w.p.Size)
	}
}
