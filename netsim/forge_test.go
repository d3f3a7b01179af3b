package netsim_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"peerlab/netsim"
)

func TestCopiesArriveTwice(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 2 * time.Millisecond, Duplicate: 0.5, Seed: 3}})
	pc, err := r.b.ListenPacket("udp", ":9")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	r.spray(200, 1, 10)
	sent, copies := r.sent(netsim.UDP), 0
	for _, p := range sent {
		if p.Note == "duplicate" {
			copies++
		}
	}
	if copies < 150 || copies > 250 || len(sent) != 400+copies {
		t.Errorf("%d packets, %d of them copies, of 400", len(sent), copies)
	}
	buf := make([]byte, 100)
	for i := range sent {
		if err := pc.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := pc.ReadFrom(buf); err != nil {
			t.Fatalf("datagram %d of %d: %v", i+1, len(sent), err)
		}
	}
}

func TestCopiesDoNotChangeTheLosses(t *testing.T) {
	var first string
	for _, duplicate := range []float64{0, 0.7} {
		r := newRig(t, netsim.Config{Link: netsim.Link{Loss: 0.2, Duplicate: duplicate, Seed: 3}})
		r.spray(100, 1, 10)
		var own []netsim.Packet
		for _, p := range r.sent(netsim.UDP) {
			if p.Note != "duplicate" {
				own = append(own, p)
			}
		}
		if first == "" {
			first = fates(own)
			continue
		}
		got := fates(own) // as many as were not refused
		if n := min(len(got), len(first)); n < 100 || got[:n] != first[:n] {
			t.Errorf("with copies the fates are\n%s, without\n%s", got, first)
		}
	}
}

func TestTCPBearsCopies(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: time.Millisecond, Duplicate: 0.5}})
	r.transfer(random(100_000))
}

func TestAForgedDatagram(t *testing.T) {
	r := newRig(t, netsim.Config{})
	victim := r.host("victim")
	server, err := r.b.ListenPacket("udp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	lie := netip.AddrPortFrom(victim.Addr(), 5000)
	to := netip.AddrPortFrom(r.b.Addr(), 7)
	if err := r.a.Forge(lie, to, []byte("odd")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := server.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "odd" || from.String() != lie.String() {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
	if p := r.seen()[0]; p.From != "a" || p.SrcIs != "" || p.Src != lie {
		t.Errorf("the tap saw %+v", p)
	}
	six := netip.MustParseAddrPort("[::1]:1")
	for name, err := range map[string]error{
		"too long": r.a.Forge(lie, to, make([]byte, 1473)), "IPv6": r.a.Forge(six, to, nil),
	} {
		if !errors.Is(err, netsim.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.a.Forge(lie, to, make([]byte, 1472)); err != nil {
		t.Error(err)
	}
	r.net.Close()
	if err := r.a.Forge(lie, to, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("on a closed net: %v", err)
	}
}

func TestAFullReceiveBufferIsCounted(t *testing.T) {
	r := newRig(t, netsim.Config{})
	pc, err := r.b.ListenPacket("udp", ":9")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	if err := pc.(interface{ SetReadBuffer(int) error }).SetReadBuffer(8000); err != nil {
		t.Fatal(err)
	}
	c, err := r.a.DialContext(t.Context(), "udp", "b:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 50 {
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Write(make([]byte, 65_508)); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("a datagram above the largest: %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		if dropped := r.b.Sockets()[0].Dropped; dropped >= 40 { // eight wait, and one may be more
			if dropped > 43 {
				t.Errorf("%d of 50 dropped by a buffer of 8", dropped)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the drops are not counted")
		}
		runtime.Gosched()
	}
}

func TestFragmentsOfManyDatagramsAreKeptApart(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: 8 * time.Millisecond, Jitter: 4 * time.Millisecond, Reorder: true, Duplicate: 0.05}})
	pc, err := r.b.ListenPacket("udp", ":9")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c, err := r.a.DialContext(t.Context(), "udp", "b:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const count, size = 20, 4000
	for i := range count {
		if _, err := c.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 65_535)
	for range count { // a datagram is not twice there unless all its fragments are
		if err := pc.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := pc.ReadFrom(buf)
		if err != nil || n != size || bytes.Count(buf[:n], buf[:1]) != size {
			t.Fatalf("%d bytes, not all of one datagram: %v", n, err)
		}
	}
}
