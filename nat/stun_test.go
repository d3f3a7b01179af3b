package nat

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun"
)

// stunServer is a real socket; answer returns the datagrams to send back to a request.
func stunServer(t *testing.T, answer func(request *stun.Message, from netip.AddrPort) [][]byte) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			request := new(stun.Message)
			if err := stun.Decode(buf[:n], request); err != nil {
				t.Errorf("the client sent no STUN: %v", err)
				return
			}
			for _, datagram := range answer(request, addrPortOf(from)) {
				conn.WriteTo(datagram, from)
			}
		}
	}()
	return addrPortOf(conn.LocalAddr())
}

func build(t testing.TB, setters ...stun.Setter) []byte {
	t.Helper()
	m, err := stun.Build(setters...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func success(t testing.TB, request *stun.Message, seen netip.AddrPort) []byte {
	t.Helper()
	return build(t, stun.NewTransactionIDSetter(request.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: seen.Addr().AsSlice(), Port: int(seen.Port())})
}

func silent(*stun.Message, netip.AddrPort) [][]byte { return nil }

func TestExternalBySTUN(t *testing.T) {
	t.Parallel()
	want := netip.MustParseAddrPort("198.51.100.7:40000")
	good := stunServer(t, func(r *stun.Message, _ netip.AddrPort) [][]byte { return [][]byte{success(t, r, want)} })
	mute := stunServer(t, silent)
	within(t, time.Second, func() {
		got, err := ExternalBySTUN(t.Context(), []string{mute.String(), "stun:" + good.String()})
		if err != nil || got != want {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	})
}

func TestLostRequestIsSentAgain(t *testing.T) {
	t.Parallel()
	ids := make(chan [12]byte, 10)
	server := stunServer(t, func(r *stun.Message, from netip.AddrPort) [][]byte {
		if ids <- r.TransactionID; len(ids) < 2 {
			return nil
		}
		return [][]byte{success(t, r, from)}
	})
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := ExternalOf(t.Context(), conn, []netip.AddrPort{server})
	if err != nil || got != addrPortOf(conn.LocalAddr()) {
		t.Errorf("got %v, %v; want our own %v", got, err, conn.LocalAddr())
	}
	if n, first, second := len(ids), <-ids, <-ids; n != 2 || first != second {
		t.Errorf("%d requests, with transaction IDs %x and %x; want the same one twice", n, first, second)
	}
}

func TestBogusAnswersAreIgnored(t *testing.T) {
	t.Parallel()
	want := netip.MustParseAddrPort("198.51.100.7:40000")
	lie := netip.MustParseAddrPort("203.0.113.66:6")
	server := stunServer(t, func(r *stun.Message, from netip.AddrPort) [][]byte {
		id := stun.NewTransactionIDSetter(r.TransactionID)
		other := &stun.Message{TransactionID: stun.NewTransactionID()}
		// The very answer, but from elsewhere.
		stranger, err := net.Dial("udp4", from.String())
		if err == nil {
			stranger.Write(success(t, r, lie))
			stranger.Close()
		}
		return [][]byte{
			{}, []byte("no STUN at all, though long enough to be"),
			success(t, other, lie),
			build(t, id, stun.BindingRequest, &stun.XORMappedAddress{IP: lie.Addr().AsSlice(), Port: 6}),
			build(t, id, stun.NewType(stun.MethodAllocate, stun.ClassSuccessResponse), &stun.XORMappedAddress{IP: lie.Addr().AsSlice(), Port: 6}),
			build(t, id, stun.BindingSuccess),
			build(t, id, stun.BindingSuccess, stun.RawAttribute{Type: stun.AttrXORMappedAddress}),
			build(t, id, stun.BindingSuccess, stun.RawAttribute{Type: stun.AttrXORMappedAddress, Value: []byte{0, 1, 0, 0, 1}}),
			build(t, id, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4zero, Port: 6}),
			build(t, id, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4(224, 0, 0, 1), Port: 6}),
			build(t, id, stun.BindingSuccess, &stun.XORMappedAddress{IP: lie.Addr().AsSlice(), Port: 0}),
			success(t, r, lie)[:30],
			success(t, r, want),
		}
	})
	got, err := ExternalBySTUN(t.Context(), []string{server.String()})
	if err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestErrorResponseEndsTheWait(t *testing.T) {
	t.Parallel()
	server := stunServer(t, func(r *stun.Message, _ netip.AddrPort) [][]byte {
		return [][]byte{build(t, stun.NewTransactionIDSetter(r.TransactionID), stun.BindingError,
			&stun.ErrorCodeAttribute{Code: 420, Reason: []byte("Unknown Attribute")})}
	})
	within(t, time.Second, func() {
		_, err := ExternalBySTUN(t.Context(), []string{server.String()})
		if !errors.Is(err, ErrNoSTUNAnswer) || !strings.Contains(err.Error(), "STUN error 420") {
			t.Errorf("error %v", err)
		}
	})
}

func TestGivenSocketIsGivenBack(t *testing.T) {
	t.Parallel()
	server := stunServer(t, silent)
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ExternalOf(ctx, conn, []netip.AddrPort{server}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrNoSTUNAnswer) {
		t.Errorf("error %v", err)
	}
	sender, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	sender.Write([]byte("hello"))
	buf := make([]byte, 10)
	if n, _, err := conn.ReadFrom(buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("read %q, %v: the read deadline is not clear", buf[:n], err)
	}
}

func TestSTUNServersAreChecked(t *testing.T) {
	for server, want := range map[string]string{
		"": "want host", "stun:": "want host", "host:0": "port", "host:70000": "port", "host:http": "port",
		"http://host": "port", "turn:host:1": "want host", "[2001:db8::1]:3478": "want host", "a b": "want host",
	} {
		if _, err := ExternalBySTUN(t.Context(), []string{server}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", server, err, want)
		}
	}
	for _, list := range [][]string{nil, make([]string, 9)} {
		if _, err := ExternalBySTUN(t.Context(), list); err == nil || !strings.Contains(err.Error(), "wanted 1 to 8") {
			t.Errorf("%d servers: error %v", len(list), err)
		}
	}
	for server, want := range map[string]string{"stun.example": "stun.example 3478", "stun:stun.example:19302": "stun.example 19302", "192.0.2.1": "192.0.2.1 3478"} {
		if host, port, err := ParseServer(server); err != nil || host+" "+port != want {
			t.Errorf("%q: %s %s, %v", server, host, port, err)
		}
	}
}

// quietConn is a socket on which nothing ever arrives, for fake time.
type quietConn struct {
	net.PacketConn // nil: other methods are not called
	mu             sync.Mutex
	start          time.Time
	sent           []time.Duration
	wake           chan struct{}
	deadline       time.Time
}

func (c *quietConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	c.sent = append(c.sent, time.Since(c.start))
	return len(b), nil
}

func (c *quietConn) SetReadDeadline(d time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = d
	close(c.wake)
	c.wake = make(chan struct{})
	return nil
}

func (c *quietConn) ReadFrom([]byte) (int, net.Addr, error) {
	for {
		c.mu.Lock()
		left, wake := time.Until(c.deadline), c.wake
		c.mu.Unlock()
		if left <= 0 {
			return 0, nil, os.ErrDeadlineExceeded
		}
		select {
		case <-time.After(left):
		case <-wake:
		}
	}
}

func TestRetransmissionSchedule(t *testing.T) {
	server := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:3478")}
	synctest.Test(t, func(t *testing.T) {
		conn := &quietConn{start: time.Now(), wake: make(chan struct{})}
		_, err := ExternalOf(t.Context(), conn, server)
		if !errors.Is(err, ErrNoSTUNAnswer) {
			t.Errorf("error %v", err)
		}
		ms := time.Millisecond
		want := []time.Duration{0, 500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 11500 * ms, 15500 * ms}
		if !slices.Equal(conn.sent, want) {
			t.Errorf("sent at %v, want %v", conn.sent, want)
		}
		if gaveUp := time.Since(conn.start); gaveUp != 23500*ms {
			t.Errorf("gave up at %v, want 23.5s", gaveUp)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		conn := &quietConn{start: time.Now(), wake: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := ExternalOf(ctx, conn, server); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if ended := time.Since(conn.start); ended != 2*time.Second || len(conn.sent) != 3 {
			t.Errorf("ended at %v after %d requests", ended, len(conn.sent))
		}
		if !conn.deadline.IsZero() {
			t.Errorf("the socket is given back with the read deadline %v", conn.deadline)
		}
	})
}
