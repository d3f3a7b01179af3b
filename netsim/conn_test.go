package netsim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"peerlab/netsim"
)

func TestStreamsBehaveLikeNet(t *testing.T) {
	r := newRig(t, netsim.Config{})
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		client, server := r.connect()
		return client, server, func() { _ = client.Close(); _ = server.Close() }, nil
	})
}

func TestDialErrors(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: time.Millisecond}})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	gone, cancelled := context.WithCancel(t.Context())
	cancelled()
	for _, c := range []struct {
		ctx              context.Context
		network, address string
		want             error
		text             string
	}{
		{t.Context(), "tcp", "b:81", syscall.ECONNREFUSED, ""},
		{t.Context(), "tcp", "192.0.2.1:80", syscall.ENETUNREACH, ""},
		{short, "tcp", "10.77.0.200:80", context.DeadlineExceeded, ""},
		{gone, "tcp", "b:80", context.Canceled, ""},
		{t.Context(), "tcp", "nobody:80", nil, "no host of this name"},
		{t.Context(), "tcp", "[::1]:80", nil, "IPv4 only"},
		{t.Context(), "tcp", "b:http", nil, "port is not a number"},
		{t.Context(), "tcp", "b", nil, "missing port"},
		{t.Context(), "tcp6", "b:80", nil, "unknown network"},
	} {
		conn, err := r.a.DialContext(c.ctx, c.network, c.address)
		if err == nil {
			_ = conn.Close()
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("dial %s %s: %v, want %v %s", c.network, c.address, err, c.want, c.text)
		}
		if wantTimeout := c.want == context.DeadlineExceeded; op != nil && op.Timeout() != wantTimeout {
			t.Errorf("dial %s: timeout is %v", c.address, op.Timeout())
		}
	}
}

func TestListenErrors(t *testing.T) {
	r := newRig(t, netsim.Config{})
	l := r.listen("b:80")
	if l.Addr().String() != "10.77.0.2:80" {
		t.Errorf("listening on %s", l.Addr())
	}
	if _, err := r.b.Listen("tcp", ":80"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the same port again: %v", err)
	}
	if _, err := r.b.Listen("tcp", "a:81"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("the address of another host: %v", err)
	}
	if _, err := r.b.ListenPacket("tcp", ":81"); err == nil {
		t.Error("datagrams over tcp")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	r.listen("b:80") // free again
}

func TestListenBesideTimeWait(t *testing.T) {
	r := newRig(t, netsim.Config{})
	l := r.listen(":80")
	client, err := r.a.DialContext(t.Context(), "tcp", "b:80")
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Close() // first, so that it is the server that remembers
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	_ = client.Close()
	_ = l.Close()
	reaches(t, r.b, "TIME-WAIT")
	r.listen(":80")
}

func TestConnErrors(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: time.Millisecond}})
	client, server := r.connect()
	_ = client.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read past the deadline: %v", err)
	}
	_ = client.SetReadDeadline(time.Time{})
	if err := server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read after the peer's FIN: %v", err)
	}
	if _, err := client.Write([]byte("still open")); err != nil {
		t.Errorf("write on a half-closed connection: %v", err)
	}
	buf := make([]byte, 10)
	if _, err := io.ReadFull(server, buf); err != nil || string(buf) != "still open" {
		t.Errorf("read on a half-closed connection: %q, %v", buf, err)
	}
	_ = client.Close()
	if _, err := client.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := client.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("close again: %v", err)
	}

	client, server = r.connect()
	if err := client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	if _, err := server.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after a RST: %v", err)
	}
	if _, err := server.Write(buf); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("write after a RST: %v", err)
	}
}

func TestDatagrams(t *testing.T) {
	r := newRig(t, netsim.Config{Link: netsim.Link{Delay: time.Millisecond}})
	echo, err := r.b.ListenPacket("udp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	c, err := r.a.DialContext(t.Context(), "udp", "b:7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	message := random(4000) // travels in three fragments
	if _, err := c.Write(message); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 9000)
	_ = echo.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, from, err := echo.ReadFrom(buf)
	if err != nil || n != len(message) || from.String() != c.LocalAddr().String() {
		t.Fatalf("%d bytes from %v, %v", n, from, err)
	}
	if _, err := echo.WriteTo(buf[:5], from); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(buf); err != nil || n != 5 {
		t.Fatalf("the answer: %d bytes, %v", n, err)
	}
	if _, err := echo.WriteTo(buf[:1], &net.TCPAddr{}); err == nil {
		t.Error("a datagram to a TCP address")
	}
	if _, err := echo.WriteTo(buf[:1], net.UDPAddrFromAddrPort(netip.MustParseAddrPort("[::1]:1"))); err == nil {
		t.Error("a datagram to an IPv6 address")
	}
	_ = echo.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, _, err := echo.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read past the deadline: %v", err)
	}

	deaf, err := r.a.DialContext(t.Context(), "udp", "b:9")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	if _, err := deaf.Write([]byte("anyone?")); err != nil {
		t.Fatal(err)
	}
	_ = deaf.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := deaf.Read(buf); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed UDP port: %v", err)
	}
	_ = deaf.Close()
	if _, err := deaf.Write(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
}

func TestSockets(t *testing.T) {
	r := newRig(t, netsim.Config{})
	r.listen("b:80")
	c, err := r.a.DialContext(t.Context(), "tcp", "b:80")
	if err != nil {
		t.Fatal(err)
	}
	reaches(t, r.b, "LISTEN")
	reaches(t, r.a, "ESTABLISHED")
	_ = c.Close()
	reaches(t, r.a, "FIN-WAIT2")
	reaches(t, r.b, "CLOSE-WAIT")
}

func TestTimeWaitEndsWithTheNet(t *testing.T) {
	r := newRig(t, netsim.Config{})
	client, server := r.connect()
	_ = client.Close()
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	_ = server.Close()
	reaches(t, r.a, "TIME-WAIT")
	begin := time.Now()
	_ = r.net.Close()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// reaches waits until h has a TCP socket in that state.
func reaches(t *testing.T, h *netsim.Host, state string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond) // states change on their own: nothing tells
	defer tick.Stop()
	for range 10_000 {
		for _, s := range h.Sockets() {
			if s.Proto == "tcp" && s.State == state && (state == "LISTEN") != s.Remote.IsValid() {
				return
			}
		}
		<-tick.C
	}
	t.Fatalf("%s has no socket in %s: %+v", h.Name(), state, h.Sockets())
}
