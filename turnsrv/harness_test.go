package turnsrv_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/turn/v2"

	"peerlab/guard"
	"peerlab/leaks"
	"peerlab/turnsrv"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const (
	testSecret = "open sesame"
	testRealm  = "peerlab"
	patience   = 10 * time.Second // for what has to happen
)

// testServer is a running server on the loopback, with one UDP socket and one
// TCP listener.
type testServer struct {
	*turnsrv.Server
	udp, tcp string
	ports    turnsrv.PortRange
}

// start runs a server until the test ends; adjust changes its configuration.
func start(t testing.TB, adjust func(*turnsrv.Config)) *testServer {
	t.Helper()
	cfg := turnsrv.Config{
		Secret:     []byte(testSecret),
		RelayIP:    netip.MustParseAddr("127.0.0.1"),
		RelayPorts: freePorts(t, 40),
		Policy:     guard.Any,
	}
	if adjust != nil {
		adjust(&cfg)
	}
	udp, err := turnsrv.ListenUDP(t.Context(), "127.0.0.1:0", 1)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := turnsrv.New(cfg, udp, []net.Listener{tcp})
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, s)
	return &testServer{s, udp[0].LocalAddr().String(), tcp.Addr().String(), cfg.RelayPorts}
}

func runUntilEnd(t testing.TB, s *turnsrv.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run doesn't return")
		}
	})
}

// freePorts finds n consecutive UDP ports nobody has, below the ephemeral ones.
func freePorts(t testing.TB, n int) turnsrv.PortRange {
	t.Helper()
search:
	for range 100 {
		first := 10000 + rand.IntN(20000)
		for port := first; port < first+n; port++ {
			c, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				continue search
			}
			c.Close()
		}
		return turnsrv.PortRange{Min: uint16(first), Max: uint16(first + n - 1)}
	}
	t.Fatal("no free port range")
	return turnsrv.PortRange{}
}

// client makes a Pion TURN client over udp or tcp with these credentials.
func (s *testServer) client(t testing.TB, network string, cred turnsrv.Credentials) *turn.Client {
	t.Helper()
	var conn net.PacketConn
	addr := s.udp
	if network == "tcp" {
		addr = s.tcp
		stream, err := net.Dial("tcp", s.tcp)
		if err != nil {
			t.Fatal(err)
		}
		conn = turn.NewSTUNConn(stream)
	} else {
		var err error
		if conn, err = net.ListenPacket("udp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: addr, TURNServerAddr: addr, Conn: conn,
		Username: cred.Username, Password: cred.Password, Realm: testRealm,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); conn.Close() })
	return c
}

// allocate makes a client for a peer with an allocation of its own.
func (s *testServer) allocate(t testing.TB, network, peerID string) (*turn.Client, net.PacketConn) {
	t.Helper()
	c := s.client(t, network, s.Credentials(peerID))
	relay, err := c.Allocate()
	if err != nil {
		t.Fatalf("allocating over %s: %v", network, err)
	}
	t.Cleanup(func() { relay.Close() })
	return c, relay
}

// echo sends back what it gets.
func echo(t testing.TB) net.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if _, err := conn.WriteTo(buf[:n], from); err != nil {
				return
			}
		}
	}()
	return conn.LocalAddr()
}

// roundTrip sends through a relay to an echo and expects it back.
func roundTrip(t testing.TB, relay net.PacketConn, to net.Addr, text string) {
	t.Helper()
	if _, err := relay.WriteTo([]byte(text), to); err != nil {
		t.Fatalf("sending through the relay: %v", err)
	}
	buf := make([]byte, 2048)
	relay.SetReadDeadline(time.Now().Add(patience))
	n, from, err := relay.ReadFrom(buf)
	if err != nil {
		t.Fatalf("reading from the relay: %v", err)
	}
	if string(buf[:n]) != text || from.String() != to.String() {
		t.Fatalf("got %q from %s, want %q from %s", buf[:n], from, text, to)
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s for: %s", patience, what)
		}
	}
}
