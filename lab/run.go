package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"peerlab/netsim"
	"peerlab/trace"
)

// Outside is the lane of what Run.Live publishes.
const Outside = "outside"

// Run is what a lab holds while it runs: verbs to record what happens, hosts to
// do it on, and the actions people take. All methods may be called from any
// goroutine, and after the run has ended, when they do nothing.
type Run struct {
	*shared
	variant string
	line    *Emulation // nil: what the parameters ask for
	tap     func(netsim.Packet, int)

	mu    sync.Mutex
	net   *netsim.Net // nil on the loopback, and before the first Host
	hosts map[string]*Host
	nats  []*netsim.NAT
}

// shared is what a run and its variants have in common.
type shared struct {
	ctx      context.Context // of the run: for the goroutines it owns
	cancel   context.CancelCauseFunc
	settings *Settings
	owner    bool
	book     *book
	sockets  *sockets
	packets  *packets
	outside  Dialer
	logger   *slog.Logger
	actions  chan string
	visits   chan Visit
	file     *File // that came with the request

	smu      sync.Mutex
	working  int           // goroutines of Run.Go
	idle     chan struct{} // not nil: closed when there are none left
	over     bool          // there will be no more
	goErr    error
	live     map[string]string
	variants map[string]*Run
}

// Message records that something went from one lane to another.
func (r *Run) Message(layer trace.Layer, from, to, name, text string) {
	r.Add(trace.Event{Kind: trace.Message, Layer: layer, From: from, To: to, Name: name, Text: text})
}

// Begin records the beginning of an operation on a lane and returns what
// records its end, with a word or sentence on how it ended.
func (r *Run) Begin(layer trace.Layer, lane, name string) (end func(text string)) {
	return r.book.begin(layer, r.lane(lane), name)
}

// Sample records the value that the series name of a lane has now.
func (r *Run) Sample(layer trace.Layer, lane, name string, value float64, unit string) {
	r.Add(trace.Event{Kind: trace.Sample, Layer: layer, From: lane, Name: name, Value: value, Unit: unit})
}

// State records that on a lane key is value now; an empty value: it is gone.
func (r *Run) State(layer trace.Layer, lane, key, value string) {
	r.Add(trace.Event{Kind: trace.State, Layer: layer, From: lane, Name: key, Text: value})
}

// Note records one sentence for a person.
func (r *Run) Note(format string, args ...any) {
	r.Add(trace.Event{Kind: trace.Note, Layer: trace.App, Text: fmt.Sprintf(format, args...)})
}

// Fact records a measured result. Facts of the same name from two variants are
// shown side by side; a later one replaces an earlier one.
func (r *Run) Fact(name string, value float64, unit string) {
	r.Add(trace.Event{Kind: trace.Fact, Layer: trace.App, Name: name, Value: value, Unit: unit})
}

// Add records an event with all that the verbs leave out: Took, Lost, Attrs.
// Seq, At and Span are set by the log. Long texts are cut.
func (r *Run) Add(e trace.Event) {
	e.Span = 0
	e.From = r.lane(e.From)
	if e.Kind == trace.Message {
		e.To = r.lane(e.To)
	}
	r.book.add(e)
}

// lane is the name of a lane as it is in the log: that of a variant stands
// before the lane's own, "naive/server".
func (r *Run) lane(name string) string {
	switch {
	case r.variant == "":
		return name
	case name == "":
		return r.variant
	}
	return r.variant + "/" + name
}

// Variant returns a run inside this one for one of several ways to do the same
// thing, side by side. Its lanes, series and facts carry its name before their
// own, its hosts are its own and on the link it has a network of its own, so
// that neither disturbs the other. The same name gives the same variant.
func (r *Run) Variant(name string) *Run {
	r.smu.Lock()
	defer r.smu.Unlock()
	v := r.variants[name]
	if v == nil {
		v = &Run{shared: r.shared, variant: name, line: r.line, hosts: map[string]*Host{}}
		r.variants[name] = v
	}
	return v
}

// Network tells what lies between the hosts.
func (r *Run) Network() Network {
	if r.line != nil {
		return Link
	}
	return r.settings.Network
}

// Settings are the parameters every lab has, of this run.
func (r *Run) Settings() Common { return r.settings.Common }

// Owner tells that the run was started from this very machine: by whoever may
// ask something of its network, such as its router.
func (r *Run) Owner() bool { return r.owner }

// Net is the emulated network of this run or variant, to change its
// impairments or drop a packet. Nil on the loopback and before the first Host.
func (r *Run) Net() *netsim.Net {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.net
}

// KeyLog takes the secrets of TLS and DTLS connections, as tls.Config.KeyLogWriter
// and Pion's SetDTLSKeyLogWriter write them. On the link the record then tells
// what is inside of DTLS, and the pcapng file has the keys for Wireshark. They are of
// this run alone: never give it those of a connection that leaves this machine.
func (r *Run) KeyLog() io.Writer { return &r.packets.keys }

// Go runs f in a goroutine that the run owns and waits for. Its ctx ends with
// the run. If f returns an error before that, or panics, the run is over and
// has failed with it. Labs start no goroutine in another way: a panic there
// could not be caught. While the run is ending f still runs, if a goroutine of
// the run asks for it, with a ctx that has ended; once it is over nothing does.
func (r *Run) Go(f func(ctx context.Context) error) { r.start(f) }

// start is Go, and tells whether f will run.
func (r *Run) start(f func(ctx context.Context) error) bool {
	r.smu.Lock()
	defer r.smu.Unlock()
	if r.over {
		return false
	}
	r.working++
	go func() {
		defer r.worked()
		err := r.protect(func() error { return f(r.ctx) })
		if err == nil || r.ctx.Err() != nil && !errors.Is(err, ErrPanic) {
			return
		}
		r.smu.Lock()
		if r.goErr == nil {
			r.goErr = err
		}
		r.smu.Unlock()
		r.cancel(err)
	}()
	return true
}

// Together runs all of them at once, each as a goroutine of Go, and waits until
// all have returned. It returns their errors joined, or that of ctx. Each must
// end when the ctx that it is given does.
func (r *Run) Together(ctx context.Context, all ...func(ctx context.Context) error) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var joined error
	for _, f := range all {
		wg.Add(1)
		if !r.start(func(ctx context.Context) error {
			defer wg.Done()
			err := f(ctx)
			mu.Lock()
			defer mu.Unlock()
			joined = errors.Join(joined, err)
			return err
		}) {
			wg.Done()
		}
	}
	wg.Wait()
	if joined == nil {
		return ctx.Err()
	}
	return joined
}

func (s *shared) worked() {
	s.smu.Lock()
	defer s.smu.Unlock()
	s.working--
	s.overLocked()
}

// overLocked ends the wait of close when no goroutine is left.
func (s *shared) overLocked() {
	if s.idle != nil && s.working == 0 && !s.over {
		s.over = true
		close(s.idle)
	}
}

// Sleep waits for d, or until ctx ends and then returns its error.
func (r *Run) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure is what a goroutine of Run.Go ended the run with.
func (s *shared) failure() error {
	s.smu.Lock()
	defer s.smu.Unlock()
	return s.goErr
}

// protect turns a panic of f into an error that wraps ErrPanic.
func (s *shared) protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.logger.Error("a lab panicked", "lab", s.settings.lab.Slug, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", ErrPanic, p)
		}
	}()
	return f()
}

// close ends everything the run opened and started, and waits for it.
func (r *Run) close() {
	idle := make(chan struct{})
	r.smu.Lock()
	r.idle = idle
	r.overLocked()
	r.smu.Unlock()
	r.sockets.close()
	<-idle
	r.smu.Lock()
	r.file = nil // nobody needs it any more
	all := []*Run{r}
	for _, v := range r.variants {
		all = append(all, v)
	}
	r.smu.Unlock()
	for _, one := range all {
		one.closeNet()
	}
}
