package turnsrv_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/turnsrv"
)

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
