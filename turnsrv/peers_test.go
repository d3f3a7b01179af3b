package turnsrv_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/guard"
	"peerlab/turnsrv"
)

// specialRanges is one address of each row of the IANA registries, with the
// reason it is refused for under Public.
var specialRanges = map[string]string{
	"0.0.0.0": "unspecified", "0.1.2.3": "this-network", "10.0.0.1": "private", "100.64.0.1": "cgnat",
	"127.0.0.1": "loopback", "127.9.9.9": "loopback", "169.254.169.254": "link-local", "172.16.0.1": "private",
	"192.0.0.9": "protocol-assignment", "192.0.2.1": "documentation", "192.31.196.1": "as112",
	"192.52.193.1": "amt", "192.88.99.1": "6to4-relay-anycast", "192.168.1.1": "private",
	"192.175.48.1": "as112", "198.18.0.1": "benchmarking", "198.51.100.1": "documentation",
	"203.0.113.1": "documentation", "224.0.0.1": "multicast", "240.0.0.1": "reserved", "255.255.255.255": "broadcast",

	"::": "unspecified", "::1": "loopback", "100::1": "discard", "2001:2::1": "benchmarking", "2001:3::1": "amt",
	"2001:4:112::1": "as112", "2001:10::1": "orchid", "2001:20::1": "orchid", "2001:30::1": "orchid",
	"2001:1::1": "protocol-assignment", "2001:db8::1": "documentation", "2620:4f:8000::1": "as112",
	"3fff::1": "documentation", "5f00::1": "srv6", "fc00::1": "unique-local", "fd00::1": "unique-local",
	"fe80::1": "link-local", "fec0::1": "site-local", "ff02::1": "multicast", "64:ff9b:1::808:808": "local-nat64",
	"::8.8.8.8": "ipv4-translated", "::ffff:0:8.8.8.8": "ipv4-translated", "4000::1": "reserved",
}

// forms hide an IPv4 address in an IPv6 one.
func forms(v4 netip.Addr) map[string]netip.Addr {
	b := v4.As4()
	text := map[string]string{
		"mapped":     "::ffff:" + v4.String(),
		"compatible": "::" + v4.String(),
		"siit":       "::ffff:0:" + v4.String(),
		"nat64":      "64:ff9b::" + v4.String(),
		"local":      "64:ff9b:1::" + v4.String(),
		"isatap":     "2a00::5efe:" + v4.String(),
		"6to4":       fmt.Sprintf("2002:%02x%02x:%02x%02x::1", b[0], b[1], b[2], b[3]),
		"teredo":     fmt.Sprintf("2001:0:808:808::%02x%02x:%02x%02x", ^b[0], ^b[1], ^b[2], ^b[3]),
	}
	all := make(map[string]netip.Addr)
	for form, s := range text {
		all[form] = netip.MustParseAddr(s)
	}
	return all
}

func TestSpecialAddressesAreRefused(t *testing.T) {
	s := start(t, func(c *turnsrv.Config) {
		c.Policy = guard.Auto // of a public relay address: public
		c.RelayIP = netip.MustParseAddr("25.0.0.1")
		c.RelayListen = netip.MustParseAddr("127.0.0.1")
	})
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.allocate(0)
	refused := func(t *testing.T, a netip.Addr, reason string) {
		t.Helper()
		before := s.Stats().Refused[reason]
		to := peerAddr(netip.AddrPortFrom(a, 9))
		c.expect(403, stun.MethodCreatePermission, to)
		c.expect(403, stun.MethodChannelBind, channelNumber(0x4000), to)
		if n := s.Stats().Refused[reason]; reason != "" && n != before+2 {
			t.Errorf("%s: refused for %v, want %q", a, s.Stats().Refused, reason)
		}
	}
	for text, reason := range specialRanges {
		a := netip.MustParseAddr(text)
		refused(t, a, reason)
		if a.Is4() {
			for form, hidden := range forms(a) {
				t.Run(form+"/"+text, func(t *testing.T) { refused(t, hidden, "") })
			}
		}
	}
	// What is public is let in, and IPv6, which isn't relayed, said to be so.
	c.expect(0, stun.MethodCreatePermission, peer("8.8.8.8:9"))
	c.expect(443, stun.MethodCreatePermission, peer("[2a00:1450::1]:9"))
	c.expect(443, stun.MethodCreatePermission, peer("[::ffff:8.8.8.8]:9"))
	c.expect(443, stun.MethodCreatePermission, peer("[64:ff9b::808:808]:9"))
	// One bad peer spoils the request.
	c.expect(403, stun.MethodCreatePermission, peer("8.8.4.4:9"), peer("10.0.0.1:9"))
	c.expect(400, stun.MethodCreatePermission)
}

func TestLANPolicyKeepsOffThisHost(t *testing.T) {
	s := start(t, func(c *turnsrv.Config) { c.Policy = guard.LAN })
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.allocate(0)
	c.expect(0, stun.MethodCreatePermission, peer("192.168.7.7:9"))
	c.expect(403, stun.MethodCreatePermission, peer("127.0.0.2:9"))
	for _, own := range ownAddresses(t) {
		to := peerAddr(netip.AddrPortFrom(own, 53))
		// By address or by port: in the end no packet leaves.
		if code(t, c.request(stun.MethodChannelBind, channelNumber(0x4000), to)) == 0 {
			t.Errorf("port 53 of this host, at %s, can be reached", own)
		}
	}
}

func ownAddresses(t *testing.T) (own []netip.Addr) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			own = append(own, p.Addr())
		}
	}
	return own
}

// The relay's own address has to be let in for its relay ports; its other ports
// are then guarded by each way to send.
func TestPortsOfThisHost(t *testing.T) {
	victim, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	s := start(t, func(c *turnsrv.Config) { c.Policy = guard.LAN })
	c := s.raw(t, "udp", s.Credentials("ann"))
	c.allocate(0)
	_, inside := s.allocate(t, "udp", "bob")

	at := peer(victim.LocalAddr().String())
	c.expect(0, stun.MethodCreatePermission, at) // the address only
	c.expect(403, stun.MethodChannelBind, channelNumber(0x4000), at)
	c.expect(403, stun.MethodChannelBind, channelNumber(0x4000), peer("127.0.0.1:0"))
	c.send(stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), at,
		stun.RawAttribute{Type: stun.AttrData, Value: []byte("knock")}).Raw)
	eventually(t, "the indication to be refused", func() bool { return s.Stats().Refused["own-host"] == 2 })

	c.expect(0, stun.MethodChannelBind, channelNumber(0x4000), peer(inside.LocalAddr().String()))
	victim.SetReadDeadline(time.Now())
	if n, from, err := victim.ReadFrom(make([]byte, 10)); err == nil {
		t.Errorf("%d bytes from %s reached a port of this host", n, from)
	}
}

func TestAnotherTransportOrFamilyIsRefused(t *testing.T) {
	s := start(t, nil)
	c := s.raw(t, "tcp", s.Credentials("ann"))
	c.expect(442, stun.MethodAllocate, stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{6, 0, 0, 0}})
	c.expect(442, stun.MethodAllocate, stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{99, 0, 0, 0}})
	c.allocate(440, stun.RawAttribute{Type: stun.AttrRequestedAddressFamily, Value: []byte{2, 0, 0, 0}})
	c.expect(400, stun.MethodAllocate)
	c.allocate(420, stun.RawAttribute{Type: stun.AttrDontFragment})
	c.allocate(0, stun.RawAttribute{Type: stun.AttrRequestedAddressFamily, Value: []byte{1, 0, 0, 0}})
}
