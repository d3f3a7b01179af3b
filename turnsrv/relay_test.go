package turnsrv_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/guard"
	"peerlab/turnsrv"
)

func TestRelaysBothWays(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			s := start(t, nil)
			_, relay := s.allocate(t, network, "ann")
			to := echo(t)
			const rounds = 50 // Send indications first, then ChannelData
			for i := range rounds {
				roundTrip(t, relay, to, fmt.Sprint("message ", i, string(make([]byte, i))))
			}
			eventually(t, "the traffic to be counted", func() bool {
				st := s.Stats()
				return st.ToPeer.Packets == rounds && st.ToPeer == st.ToClient && st.Allocations == 1 && st.AllocationsTotal == 1
			})
			all := s.Allocations()
			if len(all) != 1 || all[0].Transport != network || all[0].PeerID != "ann" || !s.ports.Contains(all[0].Relayed.Port()) {
				t.Errorf("allocations: %+v", all)
			}
			relay.Close()
			eventually(t, "the allocation to go", func() bool { return s.Stats().Allocations == 0 })
			if st := s.Stats(); st.ToPeer.Packets != rounds || st.ToClient.Packets != rounds {
				t.Errorf("traffic is forgotten with the allocation: %+v", st)
			}
		})
	}
}

func TestChannelDataBothWays(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			s := start(t, nil)
			to := echo(t)
			c := s.raw(t, network, s.Credentials("ann"))
			c.allocate(0)
			c.expect(0, stun.MethodChannelBind, channelNumber(0x4001), peer(to.String()))
			for _, text := range []string{"", "a", "ab", "abc", "abcd", "abcde"} {
				frame := binary.BigEndian.AppendUint16([]byte{0x40, 0x01}, uint16(len(text)))
				frame = append(frame, text...)
				onWire := frame
				if network == "tcp" {
					onWire = append(bytes.Clone(frame), make([]byte, -len(frame)&3)...)
				}
				c.send(onWire)
				got := make([]byte, len(onWire))
				c.conn.SetReadDeadline(time.Now().Add(patience))
				if _, err := io.ReadFull(c.conn, got); err != nil {
					t.Fatalf("%q: %v", text, err)
				}
				if !bytes.Equal(got, onWire) {
					t.Fatalf("%q came back as %x, want %x", text, got, onWire)
				}
			}
			// A number that isn't bound reaches nobody, and the connection lives.
			c.send([]byte{0x40, 0x02, 0, 4, 1, 2, 3, 4})
			c.expect(0, stun.MethodRefresh)
			if st := s.Stats(); st.ToPeer != (turnsrv.Traffic{Packets: 6, Bytes: 15}) || st.ToClient != st.ToPeer {
				t.Errorf("counted %+v and %+v, want 6 packets of 15 bytes", st.ToPeer, st.ToClient)
			}
		})
	}
}

func TestTwoClientsMeetUnderAnyPolicy(t *testing.T) {
	s := start(t, func(c *turnsrv.Config) { c.Policy = guard.Public })
	ca, a := s.allocate(t, "udp", "ann")
	cb, b := s.allocate(t, "tcp", "bob")
	if err := ca.CreatePermission(b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := cb.CreatePermission(a.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := a.WriteTo([]byte("hello"), b.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		b.SetReadDeadline(time.Now().Add(patience))
		if n, from, err := b.ReadFrom(buf); err != nil || string(buf[:n]) != "hello" || from.String() != a.LocalAddr().String() {
			t.Fatalf("got %q from %v, %v", buf[:n], from, err)
		}
	}
}

func TestBindingTellsTheAddress(t *testing.T) {
	s := start(t, nil)
	for _, network := range []string{"udp", "tcp"} {
		c := s.raw(t, network, turnsrv.Credentials{})
		m := c.expect(0, stun.MethodBinding)
		var mapped stun.XORMappedAddress
		if err := mapped.GetFrom(m); err != nil || mapped.String() != c.conn.LocalAddr().String() {
			t.Errorf("%s: %s, %v; want %s", network, mapped, err, c.conn.LocalAddr())
		}
	}
}

func TestSeveralSocketsOnOnePort(t *testing.T) {
	conns, err := turnsrv.ListenUDP(t.Context(), "127.0.0.1:0", 3)
	if err != nil {
		t.Fatal(err)
	}
	if want := 3; runtime.GOOS == "linux" && len(conns) != want {
		t.Fatalf("%d sockets, want %d", len(conns), want)
	}
	for _, c := range conns {
		if c.LocalAddr().String() != conns[0].LocalAddr().String() {
			t.Fatalf("sockets on %s and %s", conns[0].LocalAddr(), c.LocalAddr())
		}
	}
	if _, err := turnsrv.ListenUDP(t.Context(), conns[0].LocalAddr().String(), 3); err == nil {
		t.Fatal("a second server got the same port")
	}
	srv, err := turnsrv.New(turnsrv.Config{
		Secret: []byte(testSecret), RelayIP: netip.MustParseAddr("127.0.0.1"), RelayPorts: freePorts(t, 20), Policy: guard.Any,
	}, conns, nil)
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, srv)
	s := &testServer{Server: srv, udp: conns[0].LocalAddr().String()}
	to := echo(t)
	for i := range 12 {
		_, relay := s.allocate(t, "udp", fmt.Sprint("peer", i))
		roundTrip(t, relay, to, "hello")
		roundTrip(t, relay, to, "hello again")
	}
}

func TestDualStackSocket(t *testing.T) {
	conns, err := turnsrv.ListenUDP(t.Context(), ":0", 2)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := turnsrv.New(turnsrv.Config{
		Secret: []byte(testSecret), RelayIP: netip.MustParseAddr("127.0.0.1"), RelayPorts: freePorts(t, 4), Policy: guard.Any,
	}, conns, nil)
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, srv)
	port := fmt.Sprint(conns[0].LocalAddr().(*net.UDPAddr).Port)
	for _, host := range []string{"127.0.0.1", "::1"} {
		probe, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("%s: %v", host, err)
			continue
		}
		probe.Close()
		s := &testServer{Server: srv, udp: net.JoinHostPort(host, port)}
		c := s.raw(t, "udp", srv.Credentials("ann"))
		var mapped stun.XORMappedAddress
		if err := mapped.GetFrom(c.expect(0, stun.MethodBinding)); err != nil || mapped.String() != c.conn.LocalAddr().String() {
			t.Errorf("mapped address %s, %v; want %s", mapped, err, c.conn.LocalAddr())
		}
		c.allocate(0)
		if got := srv.Allocations(); got[len(got)-1].Client.String() != c.conn.LocalAddr().String() {
			t.Errorf("client %s, want %s", got[len(got)-1].Client, c.conn.LocalAddr())
		}
	}
}
