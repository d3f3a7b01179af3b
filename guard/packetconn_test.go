package guard_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"peerlab/guard"
)

func TestAGuardedSocketSendsAndHearsWhereItMay(t *testing.T) {
	friend, stranger := listenUDP(t), listenUDP(t)
	at := friend.LocalAddr().(*net.UDPAddr).AddrPort()
	d := &guard.Dialer{Policy: guard.Public, Extra: func(a netip.AddrPort) bool { return a == at }}
	conn, err := d.ListenPacket(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, to := range []string{stranger.LocalAddr().String(), "10.0.0.1:3478", "224.0.0.1:3478", "203.0.113.1:0", "169.254.169.254:80"} {
		_, err := conn.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		if _, ok := errors.AsType[*guard.Refused](err); !ok {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if _, err := conn.WriteTo([]byte("x"), &net.TCPAddr{}); err == nil {
		t.Error("sent to what is no UDP address")
	}
	if _, err := conn.WriteTo([]byte("hello"), friend.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	here := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()))
	for _, from := range []net.PacketConn{stranger, friend} {
		if _, err := from.WriteTo([]byte(from.LocalAddr().String()), here); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 100)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, from, err := conn.ReadFrom(buf); err != nil || from.String() != friend.LocalAddr().String() || string(buf[:n]) != from.String() {
		t.Errorf("heard %q from %v, %v", buf[:n], from, err)
	}
}

func listenUDP(t *testing.T) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
