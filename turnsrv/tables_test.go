package turnsrv

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestChannelTableForgetsBeforePionDoes(t *testing.T) {
	var table channelTable
	a, b := netip.MustParseAddrPort("25.0.0.1:1"), netip.MustParseAddrPort("25.0.0.1:2")
	table.bind(0x4000, a, 0)
	table.bind(0x4001, b, time.Minute)
	last := channelLifetime - channelMargin - 1
	if got, ok := table.byNumber(0x4000, last); !ok || got != a {
		t.Errorf("channel 0x4000 is %s, %v", got, ok)
	}
	if got, ok := table.byPeer(b, last); !ok || got != 0x4001 {
		t.Errorf("channel of %s is %#x, %v", b, got, ok)
	}
	if _, ok := table.byNumber(0x4000, last+1); ok {
		t.Error("channel 0x4000 is live after its time")
	}
	if _, ok := table.byPeer(a, last+1); ok {
		t.Errorf("%s has a channel after its time", a)
	}
	table.bind(0x4000, a, last) // refreshed
	if _, ok := table.byPeer(a, 2*last); !ok {
		t.Error("a refreshed channel isn't live")
	}
	table.bind(0x4002, b, 2*last)
	if n := len(table.list()); n != 2 {
		t.Errorf("%d channels kept, want the two that live", n)
	}
}

func TestRefusedPortsAreTriedAgain(t *testing.T) {
	squatter, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(squatter.LocalAddr().(*net.UDPAddr).Port)
	synctest.Test(t, func(t *testing.T) {
		pool := newPortPool(Config{RelayIP: netip.MustParseAddr("127.0.0.1"), RelayPorts: PortRange{port, port}})
		every := func(uint16) bool { return true }
		for range 2 {
			if _, _, err := pool.listen(every); err == nil {
				t.Fatal("got a port somebody has")
			}
		}
		squatter.Close()
		if _, _, err := pool.listen(every); err == nil {
			t.Fatal("a refused port is tried again at once")
		}
		time.Sleep(portRetry) // the bubble's time
		conn, got, err := pool.listen(every)
		if err != nil || got != port {
			t.Fatalf("port %d, %v; want %d", got, err, port)
		}
		conn.Close()
		pool.release(port)
		if conn, _, err = pool.listen(every); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	})
}

func TestLimiterForgetsAndCountsByNetwork(t *testing.T) {
	l, err := newLimiter(Rate{PerSecond: 0.001, Burst: 2})
	if err != nil {
		t.Fatal(err)
	}
	allowed := func(a string) bool { return l.allow(netip.MustParseAddr(a)) }
	if !allowed("25.0.0.1") || !allowed("25.0.0.1") || allowed("25.0.0.1") || !allowed("25.0.0.2") {
		t.Error("the burst of one IPv4 address isn't two")
	}
	if !allowed("2a00::1") || !allowed("2a00::2") || allowed("2a00::3") || !allowed("2a00:0:0:1::1") {
		t.Error("an IPv6 /64 doesn't count as one client")
	}
	for i := range maxSources {
		allowed(fmt.Sprintf("26.0.%d.%d", i>>8, i&0xff))
	}
	if n := l.sources.Len(); n != maxSources {
		t.Errorf("%d sources remembered, want %d", n, maxSources)
	}
	if !allowed("25.0.0.1") {
		t.Error("the oldest source isn't forgotten")
	}
}

// Who has a /64 of addresses has no more room for it than others.
func TestCallersOfOneNetworkPushNobodyOut(t *testing.T) {
	c, err := newCallers()
	if err != nil {
		t.Fatal(err)
	}
	early := netip.MustParseAddrPort("192.0.2.1:40000")
	c.called(early)
	crowd := netip.MustParseAddr("2001:db8::1")
	for range 2 * maxCallers {
		c.called(netip.AddrPortFrom(crowd, 40000))
		crowd = crowd.Next()
	}
	if !c.knows(early) {
		t.Error("who had asked is forgotten")
	}
	if last := netip.AddrPortFrom(crowd.Prev(), 40000); !c.knows(last) || c.knows(netip.AddrPortFrom(crowd, 40000)) || c.knows(netip.AddrPortFrom(last.Addr(), 40001)) {
		t.Error("not just those are known that have asked")
	}
}
