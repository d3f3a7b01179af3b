package turnsrv_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun"
	"github.com/pion/turn/v2"
	"go.uber.org/goleak"

	"peerlab/guard"
	"peerlab/turnsrv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// rawClient speaks STUN itself, to see codes and to send what no library would.
type rawClient struct {
	t      testing.TB
	conn   net.Conn // UDP or TCP; a message a write
	cred   turnsrv.Credentials
	nonce  stun.Nonce
	buf    []byte
	unread []byte
}

func (s *testServer) raw(t testing.TB, network string, cred turnsrv.Credentials) *rawClient {
	t.Helper()
	addr := s.udp
	if network == "tcp" {
		addr = s.tcp
	}
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &rawClient{t: t, conn: conn, cred: cred, buf: make([]byte, 4096)}
}

// request sends a request and returns the response; signed ones get a nonce first.
func (c *rawClient) request(method stun.Method, attrs ...stun.Setter) *stun.Message {
	c.t.Helper()
	if c.nonce == nil && method != stun.MethodBinding {
		answer := c.exchange(stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)))
		if err := c.nonce.GetFrom(answer); err != nil {
			c.t.Fatalf("asking for a nonce: %v in %s", err, answer)
		}
	}
	return c.exchange(c.signed(method, attrs...))
}

func (c *rawClient) signed(method stun.Method, attrs ...stun.Setter) *stun.Message {
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attrs...)
	if method != stun.MethodBinding {
		all = append(all, stun.NewUsername(c.cred.Username), stun.NewRealm(testRealm), c.nonce,
			stun.NewLongTermIntegrity(c.cred.Username, testRealm, c.cred.Password))
	}
	return stun.MustBuild(append(all, stun.Fingerprint)...)
}

func (c *rawClient) exchange(m *stun.Message) *stun.Message {
	c.t.Helper()
	c.send(m.Raw)
	for {
		answer := c.receive()
		if answer.TransactionID == m.TransactionID {
			return answer
		}
	}
}

func (c *rawClient) send(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// receive reads the next STUN message.
func (c *rawClient) receive() *stun.Message {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		m := &stun.Message{}
		if stun.IsMessage(c.unread) && stun.Decode(c.unread, m) == nil {
			c.unread = c.unread[20+int(m.Length):]
			return m
		}
		n, err := c.conn.Read(c.buf)
		if err != nil {
			c.t.Fatalf("waiting for a response: %v", err)
		}
		if _, stream := c.conn.(*net.TCPConn); stream {
			c.unread = append(c.unread, c.buf[:n]...)
		} else {
			c.unread = append([]byte(nil), c.buf[:n]...)
		}
	}
}

// code is the error code of a response, 0 for success.
func code(t testing.TB, m *stun.Message) int {
	t.Helper()
	if m.Type.Class == stun.ClassSuccessResponse {
		return 0
	}
	var e stun.ErrorCodeAttribute
	if err := e.GetFrom(m); err != nil {
		t.Fatalf("error response without a code: %s", m)
	}
	return int(e.Code)
}

func (c *rawClient) expect(want int, method stun.Method, attrs ...stun.Setter) *stun.Message {
	c.t.Helper()
	m := c.request(method, attrs...)
	if got := code(c.t, m); got != want {
		c.t.Fatalf("%s: code %d, want %d", method, got, want)
	}
	return m
}

// allocate expects the code from an Allocate request.
func (c *rawClient) allocate(want int, attrs ...stun.Setter) *stun.Message {
	c.t.Helper()
	return c.expect(want, stun.MethodAllocate, append(attrs, udpTransport)...)
}

// The attributes TURN adds, as setters.
var udpTransport = stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}

func lifetime(seconds byte) stun.Setter {
	return stun.RawAttribute{Type: stun.AttrLifetime, Value: []byte{0, 0, 0, seconds}}
}

func channelNumber(n uint16) stun.Setter {
	return stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{byte(n >> 8), byte(n), 0, 0}}
}

// peerAddr is an XOR-PEER-ADDRESS. A mapped address goes out as the IPv6 it is.
type peerAddr netip.AddrPort

func peer(addr string) peerAddr { return peerAddr(netip.MustParseAddrPort(addr)) }

func (p peerAddr) AddTo(m *stun.Message) error {
	ap := netip.AddrPort(p)
	value := []byte{0, 1, byte(ap.Port()>>8) ^ 0x21, byte(ap.Port()) ^ 0x12}
	mask := append([]byte{0x21, 0x12, 0xa4, 0x42}, m.TransactionID[:]...)
	if ap.Addr().Is6() {
		value[1] = 2
	}
	for i, b := range ap.Addr().AsSlice() {
		value = append(value, b^mask[i])
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}
