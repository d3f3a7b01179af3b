package turnsrv_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/turnsrv"
)

func TestQuotas(t *testing.T) {
	for name, quota := range map[string]turnsrv.Quota{
		"credential": {PerCredential: 3},
		"address":    {PerAddress: 3, PerCredential: 9},
		"total":      {Total: 3, PerCredential: 9},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *turnsrv.Config) { c.Quota = quota })
			cred := s.Credentials("ann")
			var last *rawClient
			for range 3 {
				last = s.raw(t, "udp", cred)
				last.allocate(0)
			}
			// Renewing the credential makes no new quota.
			renewed := turnsrv.Mint([]byte(testSecret), "ann", cred.Expires.Add(time.Minute))
			extra := s.raw(t, "udp", renewed)
			extra.allocate(486)
			if name == "credential" {
				s.raw(t, "udp", s.Credentials("bob")).allocate(0)
			}
			last.expect(0, stun.MethodRefresh, lifetime(0))
			extra.allocate(0)
			if n := s.Stats().Refused["quota"]; n != 1 {
				t.Errorf("%d refused by quota, want 1", n)
			}
		})
	}
}

func TestStrangersAreRateLimited(t *testing.T) {
	s := start(t, func(c *turnsrv.Config) { c.Rate = turnsrv.Rate{PerSecond: 0.001, Burst: 20} })
	member := s.raw(t, "udp", s.Credentials("ann"))
	member.allocate(0) // and one for the nonce
	stranger := s.raw(t, "udp", turnsrv.Credentials{})
	for range 18 {
		stranger.expect(0, stun.MethodBinding)
	}
	stranger.send(stranger.signed(stun.MethodBinding).Raw)
	stranger.send(stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)).Raw)
	eventually(t, "both to be dropped", func() bool { return s.Stats().Dropped["rate-limited"] == 2 })
	for range 50 { // who has an allocation isn't a stranger
		member.expect(0, stun.MethodRefresh)
	}
}

func TestPermissionsAndChannelsAreBounded(t *testing.T) {
	s := start(t, nil)
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.allocate(0)
	for i := range 128 {
		c.expect(0, stun.MethodCreatePermission, peer(fmt.Sprintf("127.1.0.%d:9", i)))
	}
	c.expect(508, stun.MethodCreatePermission, peer("127.1.1.1:9"))
	c.expect(0, stun.MethodCreatePermission, peer("127.1.0.1:9")) // refreshed
	for i := range 128 {
		c.expect(0, stun.MethodChannelBind, channelNumber(0x4000+uint16(i)), peer(fmt.Sprintf("127.1.0.1:%d", 1000+i)))
	}
	c.expect(508, stun.MethodChannelBind, channelNumber(0x4fff), peer("127.1.0.1:9"))
	c.expect(0, stun.MethodChannelBind, channelNumber(0x4000), peer("127.1.0.1:1000"))
	c.expect(400, stun.MethodChannelBind, channelNumber(0x4000), peer("127.1.0.1:1001"))
	c.expect(400, stun.MethodChannelBind, channelNumber(0x3fff), peer("127.1.0.1:9"))
	c.expect(400, stun.MethodChannelBind, channelNumber(0x8000), peer("127.1.0.1:9"))
}

func TestTCPConnectionsAreBounded(t *testing.T) {
	for name, limits := range map[string]turnsrv.TCPLimits{"address": {PerAddress: 3}, "total": {Total: 3}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *turnsrv.Config) { c.TCP = limits })
			var open []*rawClient
			for range 3 {
				c := s.raw(t, "tcp", turnsrv.Credentials{})
				c.expect(0, stun.MethodBinding)
				open = append(open, c)
			}
			expectClosed(t, s.raw(t, "tcp", turnsrv.Credentials{}).conn)
			if st := s.Stats(); st.TCPConns != 3 || st.Dropped["tcp-limit"] != 1 {
				t.Errorf("%d connections, %v", st.TCPConns, st.Dropped)
			}
			open[0].conn.Close()
			eventually(t, "the closed connection to go", func() bool { return s.Stats().TCPConns == 2 })
			s.raw(t, "tcp", turnsrv.Credentials{}).expect(0, stun.MethodBinding)
		})
	}
}

// expectClosed waits until the server has closed a connection.
func expectClosed(t testing.TB, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	for buf := make([]byte, 4096); ; {
		if _, err := conn.Read(buf); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("the server keeps the connection open")
			}
			return
		}
	}
}
