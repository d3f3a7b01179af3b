package throttle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"peerlab/lab"
	"peerlab/trace"
)

// kilobyte is 1000 bytes, as for every rate on a network.
const kilobyte = 1000

// download is the second part: a server whose file has a limited rate, and a
// client that reads and measures it.
type download struct {
	p      Params
	run    *lab.Run
	client *http.Client
}

func newDownload(p Params, r *lab.Run) (*download, error) {
	d := &download{p: p, run: r}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.file)
	mux.HandleFunc("GET /at-once", d.atOnce)
	_, addr, err := serve(r, mux)
	if err != nil {
		return nil, err
	}
	if d.client, err = client(r, "reader"); err != nil {
		return nil, err
	}
	r.Live("url", "http://"+addr.String()+"/")
	return d, nil
}

// limiter makes the bucket of one download. It begins empty: the first chunk
// has to be waited for as well, so that the rate is right from the start.
func (d *download) limiter() *rate.Limiter {
	l := rate.NewLimiter(rate.Limit(d.p.Bandwidth*kilobyte), d.p.Chunk*kilobyte)
	l.AllowN(time.Now(), l.Burst())
	return l
}

// file serves the file at the set rate.
func (d *download) file(w http.ResponseWriter, req *http.Request) {
	ctl := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(d.p.File*kilobyte))
	limited := &writer{ctx: req.Context(), to: w, limiter: d.limiter(), flush: func() error {
		// Whoever stops reading is let go: there may be 10 s between two chunks.
		if err := ctl.SetWriteDeadline(time.Now().Add(10*time.Second + d.pause())); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return ctl.Flush()
	}}
	// An error here is the client's: it hung up, and is gone.
	file := io.LimitReader(zeros{}, int64(d.p.File*kilobyte))
	_, _ = io.CopyBuffer(limited, file, make([]byte, d.p.Chunk*kilobyte))
}

// pause is the time between two chunks.
func (d *download) pause() time.Duration {
	return time.Duration(d.p.Chunk) * time.Second / time.Duration(d.p.Bandwidth)
}

// atOnce is the mistake: it asks for the tokens of the whole file.
func (d *download) atOnce(w http.ResponseWriter, req *http.Request) {
	if err := d.limiter().WaitN(req.Context(), d.p.File*kilobyte); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.CopyN(w, zeros{}, int64(d.p.File*kilobyte))
}

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// experiment downloads the file both ways and reports.
func (d *download) experiment(ctx context.Context) error {
	defer d.client.CloseIdleConnections()
	if err := d.whole(ctx); err != nil {
		return err
	}
	return d.measured(ctx)
}

// whole tries the handler that waits for all tokens at once.
func (d *download) whole(ctx context.Context) error {
	resp, err := d.get(ctx, "/at-once")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 500))
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		d.run.Note("Waiting for the tokens of the whole file at once: %s, %q.", resp.Status, string(said))
	}
	d.run.Fact("download, all tokens at once: status", float64(resp.StatusCode), "")
	return nil
}

// window is over how long the rate of a download is averaged for the chart.
const window = 250 * time.Millisecond

// measured downloads the file and charts how fast it came.
func (d *download) measured(ctx context.Context) error {
	began := time.Now()
	resp, err := d.get(ctx, "/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	end := d.run.Begin(trace.HTTP, "reader", "download")
	defer func() { end("") }()
	buf := make([]byte, 32<<10)
	total, before := 0, 0
	for since := began; ; {
		n, err := resp.Body.Read(buf)
		total += n
		now := time.Now()
		// A window that ends with a chunk, so that chunks are not cut in two.
		if took := now.Sub(since); n > 0 && took >= max(window, 2*d.pause()) || errors.Is(err, io.EOF) && took > window/2 {
			d.run.Sample(trace.HTTP, "reader", "received", float64(total-before)/kilobyte/took.Seconds(), "kB/s")
			d.run.Sample(trace.HTTP, "reader", "limit", float64(d.p.Bandwidth), "kB/s")
			since, before = now, total
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("download: %w", err)
		}
	}
	took := time.Since(began)
	got := float64(total) / kilobyte / took.Seconds()
	end(fmt.Sprintf("%d bytes in %.2f s", total, took.Seconds()))
	d.run.Fact("download: received", float64(total)/kilobyte, "kB")
	d.run.Fact("download: took", took.Seconds(), "s")
	d.run.Fact("download: rate", got, "kB/s")
	d.run.Fact("download: rate, of the one set", 100*got/float64(d.p.Bandwidth), "%")
	return nil
}

func (d *download) get(ctx context.Context, path string) (*http.Response, error) {
	d.run.Message(trace.HTTP, "reader", "server", "GET "+path, "")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	d.run.Message(trace.HTTP, "server", "reader", strconv.Itoa(resp.StatusCode), resp.Header.Get("Content-Length")+" bytes")
	return resp, nil
}
