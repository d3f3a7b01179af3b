package turnsrv_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/turnsrv"
)

func TestNearlyFullRange(t *testing.T) {
	const n = 100
	ports := freePorts(t, n)
	s := start(t, func(c *turnsrv.Config) { c.RelayPorts = ports })
	fill := func() []*rawClient {
		t.Helper()
		seen := make(map[netip.AddrPort]bool)
		var clients []*rawClient
		for i := range n {
			c := s.raw(t, "udp", s.Credentials(fmt.Sprint("peer", i)))
			c.allocate(0)
			clients = append(clients, c)
		}
		for _, a := range s.Allocations() {
			seen[a.Relayed] = true
		}
		if len(seen) != n {
			t.Fatalf("%d different relayed addresses, want %d", len(seen), n)
		}
		return clients
	}
	for range 3 { // ports come back at once
		clients := fill()
		more := s.raw(t, "udp", s.Credentials("late"))
		more.allocate(486)
		for _, c := range clients {
			c.expect(0, stun.MethodRefresh, lifetime(0))
		}
		if st := s.Stats(); st.Allocations != 0 {
			t.Fatalf("%d allocations are left", st.Allocations)
		}
	}
}

func TestPortsOfOthersAreSkipped(t *testing.T) {
	ports := freePorts(t, 4)
	s := start(t, func(c *turnsrv.Config) { c.RelayPorts = ports; c.Quota.Total = 10 })
	for _, port := range []uint16{ports.Min, ports.Min + 2} {
		squatter, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer squatter.Close()
	}
	for i := range 2 {
		s.raw(t, "udp", s.Credentials(fmt.Sprint("peer", i))).allocate(0)
	}
	s.raw(t, "udp", s.Credentials("late")).allocate(508)
	if n := s.Stats().Refused["ports"]; n != 1 {
		t.Errorf("refused for want of ports: %d, want 1", n)
	}
}

func TestEvenPort(t *testing.T) {
	s := start(t, nil)
	for range 5 {
		c := s.raw(t, "udp", s.Credentials("ann"))
		c.allocate(0, stun.RawAttribute{Type: stun.AttrEvenPort, Value: []byte{0}})
	}
	for _, a := range s.Allocations() {
		if a.Relayed.Port()%2 != 0 {
			t.Errorf("port %d is odd", a.Relayed.Port())
		}
	}
	if st := s.Stats(); st.Allocations != 5 || st.AllocationsTotal != 5 {
		t.Errorf("%d of %d allocations, want 5 of 5", st.Allocations, st.AllocationsTotal)
	}
}

func TestAllocateAgainOnTheSamePort(t *testing.T) {
	s := start(t, nil)
	to := echo(t)
	c := s.raw(t, "udp", s.Credentials("ann"))
	for range 200 {
		c.allocate(0)
		c.allocate(437) // there is one already
		c.expect(0, stun.MethodChannelBind, channelNumber(0x4000), peer(to.String()))
		c.send([]byte{0x40, 0, 0, 4, 'p', 'i', 'n', 'g'})
		got := make([]byte, 8)
		c.conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c.conn, got); err != nil || string(got[4:]) != "ping" {
			t.Fatalf("%x, %v", got, err)
		}
		c.expect(0, stun.MethodRefresh, lifetime(0))
		c.expect(437, stun.MethodRefresh)
		c.expect(437, stun.MethodCreatePermission, peer(to.String()))
	}
}

// The end of one allocation and the beginning of the next arrive together: the
// first one's leftovers must not take the second one down.
func TestAllocateRightBehindTheEnd(t *testing.T) {
	s := start(t, nil)
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.allocate(0)
	for range 500 {
		end := c.signed(stun.MethodRefresh, lifetime(0))
		again := c.signed(stun.MethodAllocate, udpTransport)
		c.send(end.Raw)
		c.send(again.Raw)
		for range 2 {
			if m := c.receive(); code(t, m) != 0 {
				t.Fatalf("%s: %d", m.Type, code(t, m))
			}
		}
		c.expect(0, stun.MethodRefresh)
		c.expect(0, stun.MethodRefresh)
	}
}

func TestLifetimeEndsAmongRequests(t *testing.T) {
	s := start(t, nil)
	var clients sync.WaitGroup
	for i := range 8 {
		c := s.raw(t, "udp", s.Credentials(fmt.Sprint("peer", i)))
		began := time.Now()
		c.allocate(0, lifetime(1))
		clients.Go(func() {
			for n := 0; ; n++ {
				to := peer(fmt.Sprintf("127.1.%d.%d:9", i, n%100))
				if code(t, c.exchange(c.signed(stun.MethodCreatePermission, to))) == 437 {
					break
				}
			}
			if d := time.Since(began); d < 400*time.Millisecond || d > 5*time.Second {
				t.Errorf("a lifetime of one second lasted %s", d)
			}
		})
	}
	clients.Wait()
	if st := s.Stats(); st.Allocations != 0 || st.AllocationsTotal != 8 {
		t.Errorf("%d of %d allocations live, want 0 of 8", st.Allocations, st.AllocationsTotal)
	}
}
