package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Direction of a measurement as its asker sees it.
type Direction string

const (
	Upload   Direction = "send"    // I send to you
	Download Direction = "receive" // you send to me
)

// Limits of a measurement.
const (
	MinBench    = 100 * time.Millisecond
	MaxBench    = 30 * time.Second
	benchChunk  = 48 << 10
	benchReport = 200 * time.Millisecond
	benchGrace  = 10 * time.Second // for the end to arrive, after the time is over
	benchAnswer = 10 * time.Second // for ready or refuse
	maxRunID    = 1<<31 - 1
)

var (
	// ErrBusy says that a measurement is running already, here or there.
	ErrBusy = errors.New("a measurement is running already")
	// ErrNotConnected says that there is no connection now.
	ErrNotConnected = errors.New("not connected")
)

// BenchResult is what the receiver of the filler counted: bytes, and the time
// from the first of them to the last.
type BenchResult struct {
	Direction Direction
	Bytes     int64
	Took      time.Duration
}

// Rate in bytes a second.
func (r BenchResult) Rate() float64 {
	if r.Took <= 0 {
		return 0
	}
	return float64(r.Bytes) / r.Took.Seconds()
}

// Bench measures throughput. One run at a time: it is in run while it lasts.
type Bench struct {
	offerer bool // of the link: its request goes first when two cross

	mu      sync.Mutex
	session *benchSession // nil while there is no channel
	lastID  int64
	run     *benchRun
}

// benchRun is the measurement that goes on.
type benchRun struct {
	id       int64
	dir      Direction
	asked    bool // by us
	sends    bool // we send the filler
	duration time.Duration
	progress func(BenchResult)

	ctx       context.Context // ends with the run, or with its channel
	stop      context.CancelFunc
	started   chan struct{} // closed by ready
	startOnce sync.Once
	first     time.Time // of the first byte received
	last      time.Time
	reported  time.Time
	bytes     int64
	outcome   chan benchOutcome // one place
}

type benchOutcome struct {
	result BenchResult
	err    error
}

type benchFrame struct {
	T       string `json:"t"`
	ID      int64  `json:"id,omitempty"`
	Dir     string `json:"dir,omitempty"`
	MS      *int64 `json:"ms,omitempty"`
	Bytes   *int64 `json:"bytes,omitempty"`
	Message string `json:"message,omitempty"`
}

func newBench(offerer bool) *Bench { return &Bench{offerer: offerer} }

// Running tells whether a measurement goes on, whoever asked for it.
func (b *Bench) Running() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.run != nil
}

// Run measures for the given time (MinBench to MaxBench) in one direction.
// progress, which may be nil, hears what was counted so far. When ctx ends
// the run is stopped on both sides.
func (b *Bench) Run(ctx context.Context, dir Direction, d time.Duration, progress func(BenchResult)) (BenchResult, error) {
	if d < MinBench || d > MaxBench {
		return BenchResult{}, fmt.Errorf("a measurement takes %v to %v, not %v", MinBench, MaxBench, d)
	}
	b.mu.Lock()
	s := b.session
	if s == nil {
		b.mu.Unlock()
		return BenchResult{}, ErrNotConnected
	}
	b.lastID = b.lastID%maxRunID + 1
	run, err := b.startLocked(&benchRun{id: b.lastID, dir: dir, duration: d, asked: true, progress: progress})
	b.mu.Unlock()
	if err != nil {
		return BenchResult{}, err
	}
	ms := d.Milliseconds()
	if err := sendFrame(s.ch, benchFrame{T: "run", ID: run.id, Dir: string(dir), MS: &ms}); err != nil {
		b.finish(run)
		return BenchResult{}, fmt.Errorf("ask for a measurement: %w", err)
	}
	result, err := s.await(ctx, run)
	if err != nil {
		s.abandon(run)
	}
	return result, err
}

// startLocked completes run and makes it the current one.
func (b *Bench) startLocked(run *benchRun) (*benchRun, error) {
	if b.run != nil {
		return nil, ErrBusy
	}
	run.sends = (run.dir == Upload) == run.asked
	run.ctx, run.stop = context.WithCancel(b.session.ctx)
	run.started = make(chan struct{})
	run.outcome = make(chan benchOutcome, 1)
	b.run = run
	return run, nil
}

func (b *Bench) finish(run *benchRun) {
	run.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run == run {
		b.run = nil
	}
}

// speak speaks bench on ch until that ends.
func (b *Bench) speak(ctx context.Context, ch channel) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &benchSession{Bench: b, ch: ch, ctx: ctx}
	b.mu.Lock()
	b.session = s
	b.mu.Unlock()
	defer s.work.Wait()
	defer func() {
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.session == s {
			b.session, b.run = nil, nil
		}
	}()
	return converse(ch, s.handle)
}

// current returns the run with this id, if it goes on.
func (b *Bench) current(id int64) *benchRun {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run == nil || b.run.id != id {
		return nil
	}
	return b.run
}

func (r *benchRun) result() BenchResult {
	out := BenchResult{Direction: r.dir, Bytes: r.bytes}
	if r.bytes > 0 {
		out.Took = r.last.Sub(r.first)
	}
	return out
}

// settle hands the asker its outcome; only the first counts. The run is
// finished before, so that the asker may start the next at once.
func (r *benchRun) settle(out benchOutcome) {
	select {
	case r.outcome <- out:
	default:
	}
}
