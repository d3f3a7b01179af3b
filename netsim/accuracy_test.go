package netsim_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"peerlab/netsim"
)

// errorsOf sends count datagrams from a to b, one every pace, and returns how
// much longer than the link says each took from Write to Read.
func errorsOf(t testing.TB, l netsim.Link, count int, pace time.Duration) []time.Duration {
	t.Helper()
	n, err := netsim.New(netsim.Config{Link: l})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	a, err := n.Host("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Host("b")
	if err != nil {
		t.Fatal(err)
	}
	in, err := b.ListenPacket("udp", ":9")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := a.DialContext(t.Context(), "udp", "b:9")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	begin := time.Now()
	go func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for range count {
			<-tick.C
			_, _ = out.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Since(begin)))) // a lost one fails the read
		}
	}()
	late := make([]time.Duration, 0, count)
	buf := make([]byte, 100)
	for range count {
		_ = in.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, _, err := in.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin) - time.Duration(binary.BigEndian.Uint64(buf))
		late = append(late, took-l.Delay)
	}
	slices.Sort(late)
	return late
}

// How late packets are depends on the machine and is for the benchmark to say;
// none may be early.
func TestDelayIsKept(t *testing.T) {
	for _, delay := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 80 * time.Millisecond} {
		late := errorsOf(t, netsim.Link{Delay: delay}, 200, 3*time.Millisecond)
		at := func(percent int) time.Duration { return late[(len(late)-1)*percent/100].Round(time.Microsecond) }
		t.Logf("delay %v: error min %v, p50 %v, p90 %v, p99 %v, max %v", delay, at(0), at(50), at(90), at(99), at(100))
		if late[0] < 0 {
			t.Errorf("delay %v: a packet arrived %v too early", delay, -late[0])
		}
	}
}

// goodput is what a TCP transfer of size bytes over l carries, in bit/s, the
// beginning of the connection left out.
func goodput(t testing.TB, cfg netsim.Config, size int) float64 {
	t.Helper()
	n, err := netsim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
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
	c, err := a.DialContext(t.Context(), "tcp", "b:80")
	if err != nil {
		t.Fatal(err)
	}
	go send(c, size)
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	first, err := io.CopyN(io.Discard, s, int64(size/5))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	rest, err := io.Copy(io.Discard, s)
	if err != nil || first+rest != int64(size) {
		t.Fatalf("%d bytes of %d arrived: %v", first+rest, size, err)
	}
	return float64(rest) * 8 / time.Since(begin).Seconds()
}

// send writes size bytes and closes; a failure shows at the other end.
func send(c net.Conn, size int) {
	defer c.Close()
	chunk := make([]byte, 64<<10)
	for size > 0 {
		n, err := c.Write(chunk[:min(size, len(chunk))])
		if err != nil {
			return
		}
		size -= n
	}
}

func TestRateIsKept(t *testing.T) {
	const rate, delay, size = 10_000_000, 3 * time.Millisecond, 300_000
	r := newRig(t, netsim.Config{Link: netsim.Link{Rate: rate, Delay: delay, Queue: 200}})
	begin := time.Now()
	r.transfer(random(size))
	if took, least := time.Since(begin), time.Duration(size)*8*time.Second/rate; took < least {
		t.Errorf("%d bytes at %d bit/s took %v, less than %v", size, rate, took, least)
	}
	// The line sends one packet after the other, each for its size, and begins
	// as soon as there is one.
	free := map[string]time.Time{}
	for i, p := range r.seen() {
		start := p.At
		if start.Before(free[p.From]) {
			start = free[p.From]
		}
		sent := start.Add(time.Duration(len(p.Data)) * 8 * time.Second / rate)
		free[p.From] = sent
		if off := p.Arrive.Sub(sent.Add(delay)).Abs(); p.Lost || off > time.Microsecond {
			t.Errorf("packet %d, %s: %v off its time", i, p.Summary, off)
		}
	}
}

// BenchmarkRate reports how far what crosses the line is from the rate asked
// for. One iteration is a transfer of a second.
func BenchmarkRate(b *testing.B) {
	for _, mbit := range []float64{1, 10, 100} {
		b.Run(fmt.Sprintf("%vMbit", mbit), func(b *testing.B) {
			l := netsim.Link{Rate: int64(mbit * 1e6), Delay: 5 * time.Millisecond, Queue: 200}
			var sum float64
			for range b.N {
				sum += goodput(b, netsim.Config{Link: l}, int(mbit*1e6/8))
			}
			// Of each packet of 1472 B, 1420 B are data.
			line := sum / float64(b.N) * 1472 / 1420 / 1e6
			b.ReportMetric(line, "Mbit/s")
			b.ReportMetric((line/mbit-1)*100, "%-off")
		})
	}
}

// BenchmarkDelay reports the error of delivery in microseconds.
func BenchmarkDelay(b *testing.B) {
	for _, delay := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 80 * time.Millisecond} {
		b.Run(delay.String(), func(b *testing.B) {
			late := errorsOf(b, netsim.Link{Delay: delay}, max(b.N, 10), time.Millisecond)
			for _, p := range []int{50, 90, 99} {
				b.ReportMetric(float64(late[(len(late)-1)*p/100].Microseconds()), fmt.Sprintf("µs-late-p%d", p))
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkTransfer is what TCP carries between two hosts without impairment.
func BenchmarkTransfer(b *testing.B) {
	seen := 0
	for name, cfg := range map[string]netsim.Config{
		"untapped": {},
		"tapped":   {Tap: func(netsim.Packet) { seen++ }},
		"jumbo":    {MTU: 9000},
	} {
		b.Run(name, func(b *testing.B) {
			seen = 0
			const chunk = 64 << 10
			b.SetBytes(chunk)
			b.ReportAllocs()
			b.ReportMetric(goodput(b, cfg, max(b.N*chunk, 5))/8e6, "MB/s-steady")
			if seen > 0 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seen), "ns/packet")
			}
		})
	}
}

// BenchmarkPackets is the cost of one small datagram, from Write on.
func BenchmarkPackets(b *testing.B) {
	for name, tap := range map[string]func(netsim.Packet){"untapped": nil, "tapped": func(netsim.Packet) {}} {
		b.Run(name, func(b *testing.B) {
			n, err := netsim.New(netsim.Config{Tap: tap})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			h, err := n.Host("a")
			if err != nil {
				b.Fatal(err)
			}
			peer, err := n.Host("b")
			if err != nil {
				b.Fatal(err)
			}
			in, err := peer.ListenPacket("udp", ":9")
			if err != nil {
				b.Fatal(err)
			}
			defer in.Close()
			c, err := h.DialContext(b.Context(), "udp", "b:9")
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			message := make([]byte, 100)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
