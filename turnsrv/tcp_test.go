package turnsrv_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun"

	"peerlab/guard"
	"peerlab/turnsrv"
)

func TestTCPCloseEndsTheAllocation(t *testing.T) {
	s := start(t, nil)
	for range 20 {
		c := s.raw(t, "tcp", s.Credentials("ann"))
		c.allocate(0)
		if n := s.Stats().Allocations; n != 1 {
			t.Fatalf("%d allocations", n)
		}
		// The last request is still on its way when the connection goes.
		c.send(c.signed(stun.MethodCreatePermission, peer("127.0.0.1:9")).Raw)
		c.conn.Close()
		eventually(t, "the allocation to go", func() bool { return s.Stats().Allocations == 0 && s.Stats().TCPConns == 0 })
	}
	// An Allocate request with nobody left to hear the answer.
	c := s.raw(t, "tcp", s.Credentials("ann"))
	c.expect(400, stun.MethodAllocate) // for the nonce
	c.send(c.signed(stun.MethodAllocate, udpTransport).Raw)
	c.conn.(*net.TCPConn).SetLinger(0)
	c.conn.Close()
	eventually(t, "all to go", func() bool { st := s.Stats(); return st.Allocations == 0 && st.TCPConns == 0 })
}

func TestTCPClientComesBackFromTheSamePort(t *testing.T) {
	s := start(t, nil)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	for range 20 {
		dialer := net.Dialer{LocalAddr: local}
		conn, err := dialer.DialContext(t.Context(), "tcp", s.tcp)
		if err != nil {
			t.Fatal(err)
		}
		local = conn.LocalAddr().(*net.TCPAddr)
		c := &rawClient{t: t, conn: conn, cred: s.Credentials("ann"), buf: make([]byte, 4096)}
		c.allocate(0)
		conn.(*net.TCPConn).SetLinger(0) // no TIME-WAIT
		conn.Close()
	}
	eventually(t, "all to go", func() bool { st := s.Stats(); return st.Allocations == 0 && st.TCPConns == 0 })
}

func TestMessagesInPieces(t *testing.T) {
	s := start(t, nil)
	c := s.raw(t, "tcp", turnsrv.Credentials{})
	m := c.signed(stun.MethodBinding)
	for i := range m.Raw {
		c.send(m.Raw[i : i+1])
	}
	if answer := c.receive(); answer.TransactionID != m.TransactionID {
		t.Error("not the answer")
	}
	// And three at once.
	var burst []byte
	for range 3 {
		burst = append(burst, c.signed(stun.MethodBinding).Raw...)
	}
	c.send(burst)
	for range 3 {
		c.receive()
	}
}

// A client that doesn't read: its packets are dropped, nobody else's.
func TestSlowTCPReader(t *testing.T) {
	s := start(t, nil)
	to := echo(t)
	_, others := s.allocate(t, "tcp", "bob")
	slow := s.raw(t, "tcp", s.Credentials("ann"))
	if err := slow.conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	slow.allocate(0)
	slow.expect(0, stun.MethodChannelBind, channelNumber(0x4000), peer(to.String()))
	frame := append([]byte{0x40, 0, 0x04, 0xb0}, make([]byte, 1200)...)
	for i := 0; s.Stats().Dropped["tcp-queue-full"] < 100; i++ {
		slow.send(frame)
		if i%500 == 0 {
			roundTrip(t, others, to, fmt.Sprint("meanwhile ", i))
		}
		if i > 100_000 {
			t.Fatal("what isn't read is queued without end")
		}
	}
	roundTrip(t, others, to, "still here")
}

func TestManyTCPClientsAtOnce(t *testing.T) {
	s := start(t, nil)
	to := echo(t)
	var clients sync.WaitGroup
	for i := range 20 {
		_, relay := s.allocate(t, "tcp", fmt.Sprint("peer", i))
		clients.Go(func() {
			for j := range 20 {
				text := fmt.Sprint("message ", i, "/", j) // Pion's client can't read frames below nine bytes
				if _, err := relay.WriteTo([]byte(text), to); err != nil {
					t.Error(err)
					return
				}
				buf := make([]byte, 100)
				relay.SetReadDeadline(time.Now().Add(patience))
				if n, _, err := relay.ReadFrom(buf); err != nil || string(buf[:n]) != text {
					t.Errorf("got %q, %v; want %q", buf[:n], err, text)
					return
				}
			}
		})
	}
	clients.Wait()
}

// pipes is a listener for connections without a network, whose time is synctest's.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3478} }

type pipeConn struct {
	net.Conn
	port int
}

func (c pipeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(25, 0, 0, 1), Port: c.port} }

func (p *pipes) dial(port int) net.Conn {
	near, far := net.Pipe()
	p.conns <- pipeConn{far, port}
	return near
}

func TestTCPTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		s, err := turnsrv.New(turnsrv.Config{
			Secret: []byte(testSecret), RelayIP: netip.MustParseAddr("127.0.0.1"),
			RelayPorts: turnsrv.PortRange{Min: 20000, Max: 20009}, Policy: guard.Any,
		}, nil, []net.Listener{ln})
		if err != nil {
			t.Fatal(err)
		}
		runUntilEnd(t, s)
		binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
		lived := func(conn net.Conn) time.Duration {
			began := time.Now()
			io.Copy(io.Discard, conn)
			return time.Since(began).Round(time.Second)
		}

		if d := lived(ln.dial(1)); d != 15*time.Second {
			t.Errorf("a silent connection lived %s, want 15s", d)
		}

		dribble := ln.dial(2)
		go func() { // a byte a second: never a message
			for _, b := range binding {
				if _, err := dribble.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second) // it is the client's slowness, in the bubble's time
			}
		}()
		if d := lived(dribble); d != 15*time.Second {
			t.Errorf("a dribbling connection lived %s, want 15s", d)
		}

		idle := ln.dial(3)
		if _, err := idle.Write(binding); err != nil {
			t.Fatal(err)
		}
		if d := lived(idle); d != time.Minute {
			t.Errorf("an idle connection lived %s, want 1m", d)
		}

		deaf := ln.dial(4) // asks, and never takes the answer
		began := time.Now()
		for range 2 {
			if _, err := deaf.Write(binding); err != nil {
				t.Fatal(err)
			}
		}
		for s.Stats().TCPConns > 0 {
			time.Sleep(time.Second) // the bubble's time
		}
		if d := time.Since(began); d < 15*time.Second || d > 16*time.Second {
			t.Errorf("a deaf connection lived %s, want 15s", d)
		}
	})
}
