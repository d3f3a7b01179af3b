package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"peerlab/guard"
)

// Config bounds a Runner. Zero fields have the default told.
type Config struct {
	// Labs are those that can be run.
	Labs []*Lab
	// MaxRunning runs go on at a time (16), MaxPerClient of them for one client
	// (4), which is an IPv4 address or an IPv6 /64.
	MaxRunning, MaxPerClient int
	// MaxKept runs that are over are kept (50), in at most MaxKeptBytes of
	// memory (128 MiB), the latest used ones.
	MaxKept, MaxKeptBytes int
	// MaxDuration of a run (5 min, at most the constant MaxDuration).
	MaxDuration time.Duration
	// MaxEvents (20,000), MaxEventBytes (8 MiB), MaxPacketBytes (4 MiB) and
	// MaxSockets (512) of one run.
	MaxEvents, MaxEventBytes, MaxPacketBytes, MaxSockets int
	// Abandoned is how long a run goes on with nobody watching (30 s).
	Abandoned time.Duration
	// Grace is how long a run may take to return once it should end (10 s).
	// After that it is reported and its record closed, but it goes on counting
	// against MaxRunning until it does return.
	Grace time.Duration
	// Listen is the address on which labs listen on the loopback network:
	// 127.0.0.1, or to let a class in, this host's address in the local network.
	Listen netip.Addr
	// Outside dials for the labs with Info.Outside whatever is not their own.
	// It has to refuse what they should not reach. Nil: nothing is.
	Outside Dialer
	// Logger gets runs at debug level and what a lab did wrong at error.
	Logger *slog.Logger
}

func (c *Config) validate() error {
	for _, f := range []struct {
		name  string
		value *int
		or    int
	}{
		{"MaxRunning", &c.MaxRunning, 16}, {"MaxPerClient", &c.MaxPerClient, 4},
		{"MaxKept", &c.MaxKept, 50}, {"MaxKeptBytes", &c.MaxKeptBytes, 128 << 20},
		{"MaxEvents", &c.MaxEvents, 20_000}, {"MaxEventBytes", &c.MaxEventBytes, 8 << 20},
		{"MaxPacketBytes", &c.MaxPacketBytes, 4 << 20}, {"MaxSockets", &c.MaxSockets, 512},
	} {
		if *f.value == 0 {
			*f.value = f.or
		}
		if *f.value < 0 {
			return fmt.Errorf("lab: Config.%s is below zero", f.name)
		}
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"MaxDuration", &c.MaxDuration, 5 * time.Minute}, {"Abandoned", &c.Abandoned, 30 * time.Second},
		{"Grace", &c.Grace, 10 * time.Second},
	} {
		if *f.value == 0 {
			*f.value = f.or
		}
		if *f.value < time.Second || *f.value > MaxDuration {
			return fmt.Errorf("lab: Config.%s must be from 1s to %s", f.name, MaxDuration)
		}
	}
	if !c.Listen.IsValid() {
		c.Listen = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if s := guard.Classify(c.Listen).Scope(); s != guard.ScopeLoopback && s != guard.ScopeLAN {
		return fmt.Errorf("lab: Config.Listen: %s is neither loopback nor in a local network", c.Listen)
	}
	if c.Logger == nil {
		return errors.New("lab: Config.Logger is missing")
	}
	seen := map[string]bool{}
	for _, l := range c.Labs {
		if l == nil || seen[l.Slug] {
			return errors.New("lab: Config.Labs has a lab twice, or nil")
		}
		seen[l.Slug] = true
	}
	return nil
}

// Runner starts runs, keeps them within bounds, and keeps the last ones to be
// read again. It may be used from any goroutine.
type Runner struct {
	cfg  Config
	ctx  context.Context // of all runs
	stop context.CancelCauseFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	records map[string]*Record
	running map[string]int // by client
	all     int            // running
	kept    []*Record      // over, latest used last
	bytes   int            // of kept
}

// NewRunner starts nothing yet. Close ends what is started later.
func NewRunner(cfg Config) (*Runner, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	return &Runner{
		cfg: cfg, ctx: ctx, stop: stop,
		records: map[string]*Record{}, running: map[string]int{},
	}, nil
}

// Labs lists the labs in the order they were given.
func (rn *Runner) Labs() []*Lab { return slices.Clone(rn.cfg.Labs) }

// Lab finds a lab by its slug; the error is ErrNoLab.
func (rn *Runner) Lab(slug string) (*Lab, error) {
	for _, l := range rn.cfg.Labs {
		if l.Slug == slug {
			return l, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoLab, clip(slug, 40))
}

// Client is who wants a run.
type Client struct {
	// Addr is what its runs are counted against.
	Addr netip.Addr
	// Owner tells that it sits at this very machine, for labs that ask something
	// of it that is not for everybody: see Run.Owner.
	Owner bool
	// File is what it brought along, for a lab with Info.Upload; nil: nothing.
	File *File
}

// Start is StartFor somebody who is not the owner.
func (rn *Runner) Start(client netip.Addr, slug string, values url.Values) (*Record, error) {
	return rn.StartFor(Client{Addr: client}, slug, values)
}

// StartFor begins a run for a client with the parameters of a form or query. It
// does not wait for it. A file that the lab does not take is a *ParamError, too. Errors are *ParamError, ErrNoLab, ErrBusy, ErrYourRuns
// and ErrClosed; nothing was run then.
func (rn *Runner) StartFor(client Client, slug string, values url.Values) (*Record, error) {
	l, err := rn.Lab(slug)
	if err != nil {
		return nil, err
	}
	settings, err := l.Parse(values)
	if err != nil {
		return nil, err
	}
	if err := l.takes(client.File); err != nil {
		return nil, err
	}
	if settings.Duration > rn.cfg.MaxDuration {
		return nil, &ParamError{"duration", fmt.Sprintf("must be at most %g s on this server", rn.cfg.MaxDuration.Seconds())}
	}
	key := clientKey(client.Addr)
	rn.mu.Lock()
	defer rn.mu.Unlock()
	switch {
	case rn.closed:
		return nil, ErrClosed
	case rn.running[key] >= rn.cfg.MaxPerClient:
		return nil, limited(ErrYourRuns, rn.cfg.MaxPerClient)
	case rn.all >= rn.cfg.MaxRunning:
		return nil, limited(ErrBusy, rn.cfg.MaxRunning)
	}
	rec := rn.newRecord(l, settings, key, client.Owner)
	rec.run.file, rec.Sent = client.File, client.File != nil
	rn.running[key]++
	rn.all++
	rn.records[rec.ID] = rec
	rn.wg.Go(func() { rn.run(rec) })
	return rec, nil
}

// clientKey is whom a run counts against.
func clientKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // never fails for 64 bits of an IPv6 address
		return p.String()
	}
	return a.String()
}

// newRecord prepares a run.
func (rn *Runner) newRecord(l *Lab, settings *Settings, client string, owner bool) *Record {
	stoppable, cancel := context.WithCancelCause(rn.ctx)
	ctx, free := context.WithTimeoutCause(stoppable, settings.Duration, ErrDuration)
	context.AfterFunc(ctx, free)
	b := newBook(rn.cfg.MaxEvents, rn.cfg.MaxEventBytes)
	r := &Run{hosts: map[string]*Host{}, shared: &shared{
		ctx: ctx, cancel: cancel, settings: settings, owner: owner, book: b,
		packets: newPackets(rn.cfg.MaxPacketBytes),
		outside: rn.cfg.Outside, logger: rn.cfg.Logger, actions: make(chan string, 16), visits: make(chan Visit, maxVisits),
		live: map[string]string{}, variants: map[string]*Run{},
	}}
	r.sockets = newSockets(rn.cfg.Listen, rn.cfg.MaxSockets, func(text string) { r.Note("%s.", text) })
	rec := &Record{
		ID: rand.Text(), Lab: l, Settings: settings, Log: b.log,
		client: client, run: r, stop: cancel, done: make(chan struct{}),
		abandon: rn.cfg.Abandoned, outcome: Running, visitors: map[string]string{},
	}
	rec.timer = time.AfterFunc(rn.cfg.Abandoned, rec.abandoned)
	return rec
}

// run is the life of one run.
func (rn *Runner) run(rec *Record) {
	r, logger := rec.run, rn.cfg.Logger.With("lab", rec.Lab.Slug, "run", rec.ID[:6])
	logger.Debug("run started")
	// Whatever the lab is blocked on, closing its sockets lets it go.
	context.AfterFunc(r.ctx, r.sockets.close)
	context.AfterFunc(r.ctx, func() { rec.hurry(rn.cfg.Grace, rn.cfg.Logger) })
	err := r.protect(func() error { return rec.Lab.run(r.ctx, rec.Settings.own, r) })
	cause := context.Cause(r.ctx)
	rec.stop(errOver)
	r.close()
	outcome, why, err := verdict(err, r.failure(), cause)
	rec.finish(outcome, why, err)
	logger.Debug("run ended", "outcome", outcome, "why", why)
	rn.ended(rec)
}

// verdict judges a run by what the lab returned, what its goroutines did, and
// why its context had ended then, if it had.
func verdict(err, goErr, cause error) (Outcome, string, error) {
	if goErr != nil {
		err = goErr
	}
	stopped := cause != nil && goErr == nil && !errors.Is(err, ErrPanic)
	switch {
	case stopped:
		return Stopped, fmt.Sprintf("Stopped: %v.", cause), nil
	case err != nil:
		return Failed, fmt.Sprintf("Failed: %v.", err), err
	}
	return Finished, "Finished.", nil
}

// ended moves a record from the running ones to the kept ones.
func (rn *Runner) ended(rec *Record) {
	rn.mu.Lock()
	defer rn.mu.Unlock()
	close(rec.done)
	rn.all--
	if rn.running[rec.client]--; rn.running[rec.client] == 0 {
		delete(rn.running, rec.client)
	}
	rec.kept = rec.size()
	rn.bytes += rec.kept
	rn.kept = append(rn.kept, rec)
	for len(rn.kept) > rn.cfg.MaxKept || rn.bytes > rn.cfg.MaxKeptBytes && len(rn.kept) > 1 {
		old := rn.kept[0]
		rn.kept[0] = nil
		rn.kept = rn.kept[1:]
		rn.bytes -= old.kept
		delete(rn.records, old.ID)
	}
}

// Get finds a run, going on or kept; the error is ErrNoRun.
func (rn *Runner) Get(id string) (*Record, error) {
	rn.mu.Lock()
	defer rn.mu.Unlock()
	rec := rn.records[id]
	if rec == nil {
		return nil, ErrNoRun
	}
	if i := slices.Index(rn.kept, rec); i >= 0 {
		rn.kept = append(slices.Delete(rn.kept, i, i+1), rec)
	}
	return rec, nil
}

// Runs lists the runs going on, the latest first.
func (rn *Runner) Runs() []*Record {
	rn.mu.Lock()
	defer rn.mu.Unlock()
	var all []*Record
	for _, rec := range rn.records {
		if !slices.Contains(rn.kept, rec) {
			all = append(all, rec)
		}
	}
	slices.SortFunc(all, func(a, b *Record) int { return b.Log.Started().Compare(a.Log.Started()) })
	return all
}

// Stop ends a run; one that is over stays as it is. The error is ErrNoRun.
func (rn *Runner) Stop(id string) error {
	rec, err := rn.Get(id)
	if err != nil {
		return err
	}
	rec.stop(ErrStopped)
	return nil
}

// Act hands the run an action that its lab offers, and notes it in the record.
// Errors are ErrNoRun, ErrNoAction, ErrOver and ErrTooFast.
func (rn *Runner) Act(id, action string) error {
	rec, err := rn.Get(id)
	if err != nil {
		return err
	}
	a, ok := rec.Lab.action(action)
	if !ok {
		return fmt.Errorf("%w: %q", ErrNoAction, clip(action, 40))
	}
	return rec.act(a)
}

// Close ends all runs and waits for them, at most for the grace they have.
func (rn *Runner) Close() error {
	rn.mu.Lock()
	rn.closed = true
	rn.mu.Unlock()
	rn.stop(ErrClosed)
	ended := make(chan struct{})
	go func() {
		rn.wg.Wait()
		close(ended)
	}()
	t := time.NewTimer(rn.cfg.Grace)
	defer t.Stop()
	select {
	case <-ended:
		return nil
	case <-t.C:
		return fmt.Errorf("lab: closing: %w", ErrStuck)
	}
}
