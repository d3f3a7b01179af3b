package slownetwork

import (
	"context"
	"io"
	"math"
	"net"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"peerlab/lab"
)

// through is a connection through a link: its client's end, its server's end,
// and the link.
func through(t testing.TB, specs []toxicSpec) (client, server net.Conn, l *link) {
	t.Helper()
	register()
	client, near := tcpPair(t)
	far, server := tcpPair(t)
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l, err := newLink(api, near, far, specs, func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ended := make(chan struct{})
		go func() { defer close(ended); l.wait(ctx) }()
		select {
		case <-ended:
		case <-time.After(8 * time.Second):
			t.Errorf("the link does not end: %v", specs)
		}
	})
	return client, server, l
}

func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// send has the server send a file of that size and close.
func send(t testing.TB, server net.Conn, size int) {
	t.Helper()
	go func() {
		io.CopyN(server, &pattern{}, int64(size)) // fails when the client is gone
		server.Close()
	}()
}

// settings are what a fuzzer or a table asks for, without any bounds.
func settings(slice, gap int, delay, jitter int64, rate int, after int64, kind string) (Params, lab.Common) {
	return Params{Slice: slice, Gap: gap, Toxic: kind, After: time.Duration(after) * time.Millisecond},
		lab.Common{Delay: time.Duration(delay) * time.Millisecond, Jitter: time.Duration(jitter) * time.Millisecond, Rate: rate}
}

// FuzzNoSettingEndsToxiproxy lets bytes through toxics of any settings, and
// breaks off in the middle. A panic is in a goroutine of Toxiproxy's, and would
// end the test; what hangs or is left behind is found at the end.
func FuzzNoSettingEndsToxiproxy(f *testing.F) {
	many := []int64{math.MinInt64, -1, 0, 1, 40, math.MaxInt64}
	kinds := []string{"none", "timeout", "nonsense"}
	for i, n := range many {
		for j, m := range many {
			f.Add(int(n), int(m), m, n, int(n), m, kinds[(i+j)%len(kinds)])
		}
	}
	f.Add(500, 10, int64(4), int64(2), 100, int64(20), "reset_peer")
	f.Add(0, 0, int64(0), int64(0), 0, int64(math.MaxInt64), "reset_peer")
	f.Add(1, 0, int64(1), int64(1), 1, int64(1), "none")
	f.Add(7, 10_000, int64(2), int64(3), 9, int64(1), "timeout")
	f.Fuzz(func(t *testing.T, slice, gap int, delay, jitter int64, rate int, after int64, kind string) {
		t.Parallel()
		specs := toxicsOf(settings(slice, gap, delay, jitter, rate, after, kind))
		for _, s := range specs {
			for name, value := range s.Attributes {
				if value < 0 || value > 1<<60 || (name == "rate" || name == "average_size") && value < 1 ||
					name == "jitter" && value > s.Attributes["latency"] || name == "size_variation" && value >= s.Attributes["average_size"] {
					t.Fatalf("%s: %s is %d", s, name, value)
				}
			}
		}
		client, server, _ := through(t, specs)
		send(t, server, 20_000)
		client.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		var want pattern
		buf := make([]byte, 4000)
		for {
			n, err := client.Read(buf)
			if !want.follows(buf[:n]) {
				t.Fatalf("%v: wrong bytes before %d", specs, want.at)
			}
			if err != nil {
				return // the time is over: it breaks off here
			}
		}
	})
}

func TestToxicsComeAndGoWhileBytesFlow(t *testing.T) {
	p, c := settings(500, 200, 5, 2, 1600, 0, "none") // 200 kB/s
	client, server, l := through(t, toxicsOf(p, c))
	const size = 300_000
	send(t, server, size)
	var want pattern
	read := func(n int) {
		t.Helper()
		buf := make([]byte, n)
		if _, err := io.ReadFull(client, buf); err != nil || !want.follows(buf) {
			t.Fatalf("at %d: %v", want.at, err)
		}
	}
	read(20_000)
	begin := time.Now()
	if err := l.add(toxicSpec{"slow", "bandwidth", "downstream", map[string]int64{"rate": 50}}); err != nil {
		t.Fatal(err)
	}
	read(40_000) // some of it is past the toxic already
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("40 kB at 50 kB/s took %s", took)
	}
	begin = time.Now()
	l.remove()
	if err := l.add(breaking("reset_peer", 4*time.Second)); err != nil {
		t.Error(err)
	}
	read(size - want.at)
	if took := time.Since(begin); took > 3*time.Second { // at 50 kB/s it would be nearly 5
		t.Errorf("without toxics it took another %s", took)
	}
	if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}
}

func TestAClientThatDoesNotReadHoldsLittle(t *testing.T) {
	p, c := settings(0, 0, 40, 0, 0, 0, "none")
	_, server, _ := through(t, toxicsOf(p, c))
	server.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	sent, err := io.Copy(server, io.LimitReader(&pattern{}, 64<<20))
	if err == nil {
		t.Fatalf("all %d bytes went into the link", sent)
	}
	t.Logf("%d bytes, of which the link holds at most %d and the system the rest", sent, maxInside+32<<10)
}
