package procnet_test

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"peerlab/procnet"
)

func all(procnet.Socket) bool { return true }

func at(a net.Addr) func(procnet.Socket) bool {
	want := netip.MustParseAddrPort(a.String())
	return func(s procnet.Socket) bool { return s.Local == want }
}

// one is the socket that a list has, looked for a few times: the kernel may leave
// one out, or list it twice, while others come and go.
func one(t *testing.T, list func(func(procnet.Socket) bool) ([]procnet.Socket, error), keep func(procnet.Socket) bool) procnet.Socket {
	t.Helper()
	for range 100 {
		found, err := list(keep)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(found); n > 0 {
			return found[n-1]
		}
	}
	t.Fatal("not listed")
	return procnet.Socket{}
}

func linux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
}

func TestAListenerAndItsQueue(t *testing.T) {
	linux(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	own := one(t, procnet.TCP, at(c.LocalAddr()))
	if own.State.String() != "ESTABLISHED" || own.Remote.String() != l.Addr().String() {
		t.Errorf("the dialled end: %+v", own)
	}
	listening := one(t, procnet.TCP, func(s procnet.Socket) bool { return at(l.Addr())(s) && s.Remote.Port() == 0 })
	if listening.State.String() != "LISTEN" || listening.RxQueue != 1 {
		t.Errorf("the listener: %+v; want one connection waiting", listening)
	}
}

func TestDropsOfADatagramSocket(t *testing.T) {
	linux(t)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	if err := pc.(*net.UDPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := pc.WriteTo(make([]byte, 1000), pc.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	if own := one(t, procnet.UDP, at(pc.LocalAddr())); own.Drops < 50 || own.Drops >= 100 || own.RxQueue == 0 {
		t.Errorf("%+v; want most of 100 datagrams dropped", own)
	}
}

const heading = "  sl  local_address rem_address   st tx_queue rx_queue\n"

func TestBadTables(t *testing.T) {
	for _, line := range []string{
		"0: 0100007F:1F90", "0: 0100007F 00000000:0000 0A 0:0", "0: 01:1 00000000:0000 0A 0:0",
		"0: 0100007F:1F90 00000000:0000 XX 0:0", "0: 0100007F:1F90 00000000:0000 0A 0", "0: 0100007F:1F90 00000000:0000 0A Z:0",
		"0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 Z",
	} {
		if s, err := procnet.Parse(strings.NewReader(heading+line), all); !errors.Is(err, procnet.ErrFormat) {
			t.Errorf("%q: %+v, %v", line, s, err)
		}
	}
	if name := procnet.State(77).String(); name != "state 77" {
		t.Errorf("state 77 is %q", name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(heading + "  12: 0100007F:1F90 00000000:0000 0A 00000000:00000001 00:00000000 00000000 0 0 4711 1")
	f.Add(heading + "12: 0100007F:1F90 00000000:0000 07 0:0 00:0 0 0 0 4711 2 0 99")
	f.Fuzz(func(t *testing.T, table string) {
		found, err := procnet.Parse(strings.NewReader(table), all)
		if err != nil && found != nil {
			t.Errorf("sockets and an error: %v", err)
		}
		for _, s := range found {
			if !s.Local.Addr().Is4() || s.State.String() == "" {
				t.Errorf("%+v", s)
			}
		}
	})
}
