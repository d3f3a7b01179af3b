package e2e

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pion/stun"

	"peerlab/e2e/proc"
	"peerlab/need"
)

// 32 bytes that end a process which trusts its STUN library: a Send indication
// whose XOR-PEER-ADDRESS has no bytes.
func emptyPeerAddress(t *testing.T, l hostileLab) {
	p := unhex(t, "0016000c2112a442000000000000000000000000"+"00130004abcdef01"+"00120000")
	entry := l.credentials(t)
	for _, transport := range []string{"udp", "tcp"} {
		c := l.stunAt(t, l.mallory, transport, entry)
		c.allocate()
		before := l.refused("attribute")
		for range 3 {
			c.send(p)
		}
		if code := c.code(stun.MethodRefresh); code != 0 { // has seen the others before
			t.Errorf("over %s a Refresh gets %d", transport, code)
		}
		if got := l.refused("attribute") - before; got != 3 {
			t.Errorf("over %s %v of 3 are counted", transport, got)
		}
	}
}

// A few bytes that spin a core in a framer which adds up lengths in 16 bits.
func wrappingLengths(t *testing.T, l hostileLab) {
	for name, text := range map[string]string{
		"STUN of 0xffec bytes":        "0001ffec2112a442000000000000000000000000",
		"ChannelData of 0xfffc bytes": "4000fffc0000000000",
	} {
		before := l.refused("tcp-framing")
		conn := dial(t, l.mallory, "tcp", l.turn)
		conn.Write(unhex(t, text))
		expectEnd(t, name, conn)
		if got := l.refused("tcp-framing") - before; got != 1 {
			t.Errorf("%s is counted %v times", name, got)
		}
	}
}

// noise is reproducible garbage, every other piece of it well-begun STUN.
func noise(random *rand.ChaCha8, i int) []byte {
	p := make([]byte, 4+random.Uint64()%1800)
	random.Read(p)
	if i%2 == 0 && len(p) >= 20 {
		copy(p, []byte{0, byte([]int{1, 3, 4, 6, 8, 9}[i/2%6])})
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)-20)&^3)
		copy(p[4:], []byte{0x21, 0x12, 0xa4, 0x42})
	}
	return p
}

func garbageDatagrams(t *testing.T, l hostileLab) {
	random := rand.NewChaCha8([32]byte{1})
	entry := l.credentials(t)
	c := l.stunAt(t, l.mallory, "udp", entry)
	c.allocate() // past the limit for strangers
	relayed := dial(t, l.mallory, "udp", net.JoinHostPort(netip.MustParseAddrPort(l.turn).Addr().String(), "50000"))
	before := l.refused("attribute") + l.refused("length") + l.refused("not-turn")
	for i := range 4000 {
		p := noise(random, i)
		c.send(p)
		relayed.Write(p)
	}
	if code := c.code(stun.MethodRefresh); code != 0 {
		t.Errorf("a Refresh after it gets %d", code)
	}
	if got := l.refused("attribute") + l.refused("length") + l.refused("not-turn") - before; got < 100 {
		t.Errorf("only %v pieces of garbage were noticed", got)
	}
	// A stranger's requests are answered up to a rate.
	stranger := l.stunAt(t, l.visitor, "udp", entry)
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	eventually(t, "a stranger's flood to be limited", patience, func() bool {
		for range 500 {
			stranger.send(binding)
		}
		return l.refused("rate-limited") > 0
	})
}

func silentRelay(t *testing.T, l hostileLab) {
	before, limited := openFiles(t, l.Process), l.refused("tcp-limit")
	conns := make([]net.Conn, crowd)
	for i := range conns {
		conns[i] = dial(t, l.mallory, "tcp", l.turn)
	}
	eventually(t, "most of the crowd to be turned away", patience, func() bool {
		return l.refused("tcp-limit")-limited >= crowd/2
	})
	if now := openFiles(t, l.Process); now > before+crowd/2 {
		t.Errorf("one address holds %d of the server's files", now-before)
	}
	l.others.stillTalk(t)
	l.serves(t)
	closeAll(conns)
}

// special are the blocks of the IANA IPv4 Special-Purpose Address Registry, and
// multicast: no peer in the public internet has an address of these.
var special = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
}

// embed are the ways to write an IPv4 address as an IPv6 one that some
// network may translate back: RFC 4291, 6052, 8215, 3056, 4380, 5214 and 2765.
var embed = map[string]func(v [4]byte) [16]byte{
	"mapped":          func(v [4]byte) [16]byte { return [16]byte{10: 255, 11: 255, 12: v[0], v[1], v[2], v[3]} },
	"compatible":      func(v [4]byte) [16]byte { return [16]byte{12: v[0], v[1], v[2], v[3]} },
	"translated":      func(v [4]byte) [16]byte { return [16]byte{8: 255, 9: 255, 12: v[0], v[1], v[2], v[3]} },
	"NAT64":           func(v [4]byte) [16]byte { return [16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 12: v[0], v[1], v[2], v[3]} },
	"local-use NAT64": func(v [4]byte) [16]byte { return [16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 5: 1, 12: v[0], v[1], v[2], v[3]} },
	"6to4":            func(v [4]byte) [16]byte { return [16]byte{0x20, 0x02, v[0], v[1], v[2], v[3], 15: 1} },
	"Teredo":          func(v [4]byte) [16]byte { return [16]byte{0x20, 1, 4: 8, 8, 8, 8, 12: ^v[0], ^v[1], ^v[2], ^v[3]} },
	"ISATAP":          func(v [4]byte) [16]byte { return [16]byte{0x2a, 10: 0x5e, 11: 0xfe, 12: v[0], v[1], v[2], v[3]} },
}

// forbiddenPeers asks the relay for what is not in the public internet: the
// networks it stands in, and the machine it runs on.
func forbiddenPeers(t *testing.T, l hostileLab) {
	entry := l.credentials(t)
	c := l.stunAt(t, l.mallory, "udp", entry)
	c.allocate()
	asked, before := 0.0, l.refusals()
	refused := func(ip netip.Addr, want int) {
		t.Helper()
		for _, method := range []stun.Method{stun.MethodCreatePermission, stun.MethodChannelBind} {
			if code := c.code(method, channelNumber(0x4001), peerAt(ip, 9)); code != want {
				t.Errorf("%s for %s gets %d, want %d", method, ip, code, want)
			}
			asked++
		}
	}
	for _, block := range special {
		first, last := ends(netip.MustParsePrefix(block))
		for _, ip := range []netip.Addr{first, first.Next(), last} {
			refused(ip, 403)
		}
		for _, write := range embed {
			// That it is IPv6 would be reason enough (443), but not the first.
			refused(netip.AddrFrom16(write(first.Next().As4())), 403)
		}
	}
	for _, ip := range []string{"::", "::1", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "100::1"} {
		refused(netip.MustParseAddr(ip), 403)
	}
	for _, ip := range []string{"2a00::1", "64:ff9b::808:808", "2002:808:808::1"} {
		refused(netip.MustParseAddr(ip), 443) // only the family is wrong: it relays IPv4
	}
	if got := l.refusals() - before; got != asked {
		t.Errorf("%v requests were refused, %v are counted", asked, got)
	}
	// The blocks end where they should: nobody on the internet is left out.
	for _, block := range special {
		first, last := ends(netip.MustParsePrefix(block))
		for _, ip := range []netip.Addr{first.Prev(), last.Next()} {
			if ip.IsValid() && !slices.ContainsFunc(special, func(b string) bool { return netip.MustParsePrefix(b).Contains(ip) }) {
				if code := c.code(stun.MethodCreatePermission, peerAt(ip, 9)); code != 0 {
					t.Errorf("CreatePermission for %s, which is public, gets %d", ip, code)
				}
			}
		}
	}
	l.sendNowhere(t, c)
}

// ends are the first and the last address of a block.
func ends(block netip.Prefix) (first, last netip.Addr) {
	b := block.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|(1<<(32-block.Bits())-1))
	return block.Addr(), netip.AddrFrom4(b)
}

// sendNowhere tries to reach a service on the relay's own machine, with and
// without permission.
func (l hostileLab) sendNowhere(t *testing.T, c *stunClient) {
	const port = 9999
	need.Tool(t, "nc", "netcat-openbsd")
	own := netip.MustParseAddrPort(l.turn).Addr()
	service := proc.Start(t, "service", l.host.Command("nc", "-n", "-v", "-u", "-l", "-k", fmt.Sprint(port)))
	service.WaitLine("^Bound on", patience)

	before := l.refused("own-host")
	if code := c.code(stun.MethodCreatePermission, peerAt(own, port)); code != 0 {
		t.Errorf("no permission for the relay's own address, where other relayed peers are: %d", code)
	}
	if code := c.code(stun.MethodChannelBind, channelNumber(0x4002), peerAt(own, port)); code != 403 {
		t.Errorf("ChannelBind to a service beside the relay gets %d, want 403", code)
	}
	for _, ip := range []netip.Addr{own, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("::1")} {
		c.send(sendIndication(peerAt(ip, port)))
	}
	eventually(t, "the indication with permission to be refused", patience, func() bool { return l.refused("own-host")-before >= 2 })
	if code := c.code(stun.MethodRefresh); code != 0 { // has seen all of them
		t.Errorf("a Refresh gets %d", code)
	}
	dial(t, l.visitor, "udp", netip.AddrPortFrom(own, port).String()).Write([]byte("not relayed\n"))
	service.WaitLine("not relayed", patience)
	if said := service.Output(); strings.Contains(said, "psst") {
		t.Errorf("the service heard: %q", said)
	}
	service.Stop()
}

// refusals is how much the relay has refused or dropped, for whatever reason.
func (l hostileLab) refusals() (sum float64) {
	l.t.Helper()
	for name, value := range l.metrics() {
		if strings.HasPrefix(name, "peerlab_relay_refusals_total{") {
			sum += value
		}
	}
	return sum
}
