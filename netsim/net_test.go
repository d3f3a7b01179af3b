package netsim_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab/netsim"
)

// transfer sends payload from a to b and checks what arrives.
func (r *rig) transfer(payload []byte) {
	r.Helper()
	client, server := r.connect()
	done := make(chan error, 1)
	go func() {
		_, err := client.Write(payload)
		done <- errors.Join(err, client.CloseWrite())
	}()
	_ = server.SetReadDeadline(time.Now().Add(60 * time.Second))
	got, err := io.ReadAll(server)
	if err := errors.Join(err, <-done); err != nil {
		r.Fatalf("transfer: %v", err)
	}
	if !bytes.Equal(got, payload) {
		r.Fatalf("%d bytes arrived, not the %d that were sent", len(got), len(payload))
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func TestTransferOverAPoorLine(t *testing.T) {
	for _, tcp := range []netsim.TCP{{}, {Congestion: "reno"}, {NoSACK: true, Nagle: true, MinRTO: 50 * time.Millisecond}} {
		t.Run(fmt.Sprintf("%+v", tcp), func(t *testing.T) {
			r := newRig(t, netsim.Config{TCP: tcp, MTU: 900, Link: netsim.Link{
				Delay: 3 * time.Millisecond, Jitter: 2 * time.Millisecond, Reorder: true, Loss: 0.03, Rate: 50e6, Seed: 11,
			}})
			r.transfer(random(200_000))
			stats := r.net.Stats()
			if stats.Lost[netsim.WhyLoss] == 0 || stats.Delivered == 0 {
				t.Errorf("nothing was lost, or nothing arrived: %+v", stats)
			}
			for _, p := range r.seen() {
				if len(p.Data) > 900 {
					t.Errorf("a packet of %d bytes over an MTU of 900", len(p.Data))
				}
				if sack := p.Attrs["sack"]; tcp.NoSACK && sack != "" {
					t.Errorf("SACK %s though it is off", sack)
				}
			}
		})
	}
}

func TestBadConfigurationIsNamed(t *testing.T) {
	for want, cfg := range map[string]netsim.Config{
		"delay":      {Link: netsim.Link{Delay: -1}},
		"jitter":     {Link: netsim.Link{Jitter: time.Hour}},
		"loss":       {Link: netsim.Link{Loss: math.NaN()}},
		"loss 1.5":   {Link: netsim.Link{Loss: 1.5}},
		"rate":       {Link: netsim.Link{Rate: 1}},
		"queue":      {Link: netsim.Link{Queue: -1}},
		"MTU":        {MTU: 100},
		"congestion": {TCP: netsim.TCP{Congestion: "vegas"}},
		"RTO":        {TCP: netsim.TCP{MinRTO: -1}},
		"send":       {TCP: netsim.TCP{SendBuffer: 1}},
		"backlog":    {TCP: netsim.TCP{Backlog: -1}},
	} {
		if _, err := netsim.New(cfg); !errors.Is(err, netsim.ErrConfig) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	r := newRig(t, netsim.Config{})
	if err := r.net.Set(netsim.Link{Loss: 2}); !errors.Is(err, netsim.ErrConfig) {
		t.Errorf("setting a loss of 2: %v", err)
	}
	for _, name := range []string{"", "a:b", "10.0.0.1", "two words", strings.Repeat("x", 33), "\xff"} {
		if _, err := r.net.Host(name); !errors.Is(err, netsim.ErrHost) {
			t.Errorf("host %q: %v", name, err)
		}
	}
	for i := range netsim.MaxHosts - 2 {
		r.host(fmt.Sprint("h", i))
	}
	if _, err := r.net.Host("one-more"); !errors.Is(err, netsim.ErrFull) {
		t.Errorf("host 33: %v", err)
	}
	if again := r.host("A"); again != r.a {
		t.Error("host A is not host a")
	}
}

// use opens all kinds of sockets on a net and leaves them in many states.
func use(t *testing.T, n *netsim.Net) (accepting, reading chan error) {
	t.Helper()
	accepting, reading = make(chan error, 1), make(chan error, 1)
	a, err := n.Host("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Host("b")
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	for i := range 4 {
		c, err := a.DialContext(t.Context(), "tcp", "b:80")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 1: // the peer's side stays half open
			_ = c.Close()
		case 2: // TIME-WAIT, or as far as it gets
			_, _ = io.ReadFull(s, make([]byte, 10_000))
			_ = c.Close()
			_, _ = s.Read(make([]byte, 1))
			_ = s.Close()
			reaches(t, a, "TIME-WAIT")
		default:
			open = append(open, c)
		}
	}
	if _, err := b.ListenPacket("udp", ":53"); err != nil {
		t.Fatal(err)
	}
	go func() { _, err := l.Accept(); accepting <- err }()
	go func() { _, err := open[0].Read(make([]byte, 1)); reading <- err }()
	return accepting, reading
}

func TestCloseEndsEverything(t *testing.T) {
	n, err := netsim.New(netsim.Config{Link: netsim.Link{Delay: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	accepting, reading := use(t, n)
	h, _ := n.Host("a")
	begin := time.Now()
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
	for what, ch := range map[string]chan error{"accept": accepting, "read": reading} {
		select {
		case err := <-ch:
			if err == nil {
				t.Errorf("%s succeeded on a closed net", what)
			}
			t.Log(what, err)
		case <-time.After(5 * time.Second):
			t.Errorf("%s still waits", what)
		}
	}
	if _, err := h.DialContext(t.Context(), "tcp", "b:80"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialling on a closed net: %v", err)
	}
	if _, err := n.Host("c"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a host on a closed net: %v", err)
	}
}

func TestManyNetsLeaveNothingBehind(t *testing.T) {
	heap := func() uint64 {
		for range 3 {
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	one := func() {
		n, err := netsim.New(netsim.Config{Link: netsim.Link{Delay: 100 * time.Microsecond}})
		if err != nil {
			t.Fatal(err)
		}
		use(t, n)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		one() // pools and caches fill
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for range 200 {
		one()
	}
	after := heap()
	t.Logf("heap %d KiB before, %d KiB after; goroutines %d and %d", before>>10, after>>10, goroutines, runtime.NumGoroutine())
	if after > before+4<<20 {
		t.Errorf("200 nets left %d KiB on the heap", (after-before)>>10)
	}
}

// TestCloseWhileSocketsOpen closes nets in the middle of connecting, to a host
// that accepts and to an address where nobody answers, each time at another moment.
func TestCloseWhileSocketsOpen(t *testing.T) {
	for round := range 60 {
		n, err := netsim.New(netsim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := n.Host("a")
		if err != nil {
			t.Fatal(err)
		}
		b, err := n.Host("b")
		if err != nil {
			t.Fatal(err)
		}
		l, err := b.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		var busy sync.WaitGroup
		busy.Go(func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				_ = c.Close()
			}
		})
		for range 4 {
			busy.Go(func() {
				for {
					c, err := a.DialContext(t.Context(), "tcp", "b:80")
					if errors.Is(err, net.ErrClosed) {
						return
					}
					if err == nil {
						_ = c.Close()
					}
				}
			})
			busy.Go(func() {
				if c, err := a.DialContext(t.Context(), "tcp", "10.77.0.99:80"); err == nil {
					t.Error("connected to nobody")
					_ = c.Close()
				}
			})
		}
		<-time.After(time.Duration(round) * 50 * time.Microsecond)
		begin := time.Now()
		_ = n.Close()
		busy.Wait()
		if took := time.Since(begin); took > 10*time.Second {
			t.Fatalf("round %d: closing took %v", round, took)
		}
	}
}

func TestAFullBacklogDoesNotAnswer(t *testing.T) {
	r := newRig(t, netsim.Config{})
	l := r.listen(":7")
	backlog := l.(interface{ SetBacklog(n int) error })
	if err := backlog.SetBacklog(1); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // one more than the backlog, as on Linux
		c, err := r.a.DialContext(t.Context(), "tcp", "b:7")
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer c.Close()
	}
	// The last ACK of those may still be on its way: then one more gets through.
	more := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		c, err := r.a.DialContext(ctx, "tcp", "b:7")
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	}
	if err, again := more(), more(); !errors.Is(again, context.DeadlineExceeded) {
		t.Errorf("beyond the backlog: %v, then %v", err, again)
	}
	if err := backlog.SetBacklog(-1); !errors.Is(err, netsim.ErrConfig) {
		t.Errorf("a backlog of -1: %v", err)
	}
}
