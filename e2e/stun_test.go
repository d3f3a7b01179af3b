package e2e

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun"
)

// stunClient is a TURN client that speaks STUN itself, to see error codes and
// to send what no library would.
type stunClient struct {
	t      testing.TB
	conn   net.Conn // UDP, or TCP
	entry  iceServer
	realm  stun.Realm
	nonce  stun.Nonce
	unread []byte
}

// stunAt opens a socket from there to the relay.
func (s *server) stunAt(t testing.TB, from vantage, transport string, entry iceServer) *stunClient {
	t.Helper()
	return &stunClient{t: t, conn: dial(t, from, transport, s.turn), entry: entry}
}

// request sends a request, signed if its method asks for that, and returns the
// response. Over UDP it is sent again until there is one.
func (c *stunClient) request(method stun.Method, attributes ...stun.Setter) *stun.Message {
	c.t.Helper()
	if method != stun.MethodBinding && c.nonce == nil {
		challenge := c.exchange(stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)))
		if err := challenge.Parse(&c.realm, &c.nonce); err != nil {
			c.t.Fatalf("asking for a nonce: %v in %s", err, challenge)
		}
	}
	return c.exchange(c.signed(method, attributes...))
}

func (c *stunClient) signed(method stun.Method, attributes ...stun.Setter) *stun.Message {
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attributes...)
	if method != stun.MethodBinding {
		all = append(all, stun.NewUsername(c.entry.Username), c.realm, c.nonce,
			stun.NewLongTermIntegrity(c.entry.Username, c.realm.String(), c.entry.Credential))
	}
	return stun.MustBuild(all...)
}

func (c *stunClient) exchange(m *stun.Message) *stun.Message {
	c.t.Helper()
	const tries = 15
	_, stream := c.conn.(*net.TCPConn)
	for try := range tries {
		if try == 0 || !stream { // nothing is lost in a stream: only wait
			c.send(m.Raw)
		}
		c.conn.SetReadDeadline(time.Now().Add(patience / tries))
		for {
			answer, err := c.receive()
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				break
			}
			if err != nil {
				c.t.Fatalf("waiting for a response: %v", err)
			}
			if answer.TransactionID == m.TransactionID {
				return answer
			}
		}
	}
	c.t.Fatalf("no response from %s in %v", c.conn.RemoteAddr(), patience)
	return nil
}

func (c *stunClient) send(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// receive reads the next STUN message.
func (c *stunClient) receive() (*stun.Message, error) {
	buf := make([]byte, 4096)
	for {
		m := new(stun.Message)
		if stun.IsMessage(c.unread) && stun.Decode(c.unread, m) == nil {
			c.unread = c.unread[20+int(m.Length):]
			return m, nil
		}
		n, err := c.conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if _, stream := c.conn.(*net.TCPConn); stream {
			c.unread = append(c.unread, buf[:n]...)
		} else {
			c.unread = buf[:n]
		}
	}
}

// code is the error code a request is answered with, 0 for success.
func (c *stunClient) code(method stun.Method, attributes ...stun.Setter) int {
	c.t.Helper()
	answer := c.request(method, attributes...)
	if answer.Type.Class == stun.ClassSuccessResponse {
		return 0
	}
	var e stun.ErrorCodeAttribute
	if err := e.GetFrom(answer); err != nil {
		c.t.Fatalf("%s: %v in %s", method, err, answer)
	}
	return int(e.Code)
}

// allocate makes an allocation.
func (c *stunClient) allocate() {
	c.t.Helper()
	if code := c.code(stun.MethodAllocate, stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}); code != 0 {
		c.t.Fatalf("Allocate: error %d", code)
	}
}

// answersSTUN tells whether there is a STUN server at the address, over UDP.
func answersSTUN(t testing.TB, from vantage, address string) bool {
	t.Helper()
	conn, err := from.DialContext(t.Context(), "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
	conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := conn.Read(make([]byte, 1500))
	return err == nil && n >= 20
}

// peerAddress is an XOR-PEER-ADDRESS. An IPv4-mapped address goes out as the
// IPv6 address it is.
type peerAddress netip.AddrPort

func peerAt(ip netip.Addr, port uint16) peerAddress { return peerAddress(netip.AddrPortFrom(ip, port)) }

// AddTo adds the attribute, obfuscated as in RFC 8489 section 14.2.
func (p peerAddress) AddTo(m *stun.Message) error {
	at := netip.AddrPort(p)
	value := []byte{0, 1, byte(at.Port()>>8) ^ 0x21, byte(at.Port()) ^ 0x12}
	if at.Addr().Is6() {
		value[1] = 2
	}
	mask := append([]byte{0x21, 0x12, 0xa4, 0x42}, m.TransactionID[:]...)
	for i, octet := range at.Addr().AsSlice() {
		value = append(value, octet^mask[i])
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}

// sendIndication is a Send indication with some data for a peer.
func sendIndication(to peerAddress) []byte {
	return stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), to,
		stun.RawAttribute{Type: stun.AttrData, Value: []byte("psst")}).Raw
}

func channelNumber(n uint16) stun.Setter {
	return stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{byte(n >> 8), byte(n), 0, 0}}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	p, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
