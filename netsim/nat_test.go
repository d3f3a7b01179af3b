package netsim_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"peerlab/netsim"
)

// home is a NAT on a net, with one host behind it.
type home struct {
	*rig
	nat *netsim.NAT
	pc  net.PacketConn // of the host inside

	cmu     sync.Mutex
	changes []netsim.MappingChange
}

// newHome puts a host named "in" behind a NAT named "nat" on a net with the
// hosts a and b outside.
func newHome(t *testing.T, cfg netsim.NATConfig) *home {
	t.Helper()
	h := &home{rig: newRig(t, netsim.Config{Prefix: netip.MustParsePrefix("203.0.113.0/24")})}
	cfg.OnChange = func(c netsim.MappingChange) {
		h.cmu.Lock()
		defer h.cmu.Unlock()
		h.changes = append(h.changes, c)
	}
	var err error
	if h.nat, err = h.net.NAT("nat", cfg); err != nil {
		t.Fatal(err)
	}
	h.pc = h.socket(h.inside("in"), 5000)
	return h
}

func (h *home) inside(name string) *netsim.Host {
	h.Helper()
	in, err := h.nat.Host(name)
	if err != nil {
		h.Fatal(err)
	}
	return in
}

func (r *rig) socket(h *netsim.Host, port int) net.PacketConn {
	r.Helper()
	pc, err := h.ListenPacket("udp", fmt.Sprintf(":%d", port))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = pc.Close() })
	return pc
}

// say sends a datagram from one socket to an address.
func (r *rig) say(pc net.PacketConn, to net.Addr, text string) {
	r.Helper()
	if _, err := pc.WriteTo([]byte(text), to); err != nil {
		r.Fatal(err)
	}
}

// hear receives one datagram, or nothing within a while.
func (r *rig) hear(pc net.PacketConn, wait time.Duration) (text string, from netip.AddrPort) {
	r.Helper()
	buf := make([]byte, 9000)
	_ = pc.SetReadDeadline(time.Now().Add(wait))
	n, addr, err := pc.ReadFrom(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", netip.AddrPort{}
	}
	if err != nil {
		r.Fatal(err)
	}
	return string(buf[:n]), addr.(*net.UDPAddr).AddrPort()
}

// seenAt is the address by which a socket outside sees one inside.
func (h *home) seenAt(outside net.PacketConn) netip.AddrPort {
	h.Helper()
	h.say(h.pc, outside.LocalAddr(), "who am I?")
	_, from := h.hear(outside, 5*time.Second)
	if !from.IsValid() {
		h.Fatal("nothing came out")
	}
	return from
}

// lostAs counts the packets that were lost for a reason so far.
func (r *rig) lostAs(why string) int { return int(r.net.Stats().Lost[why]) }

const patience, silence = 5 * time.Second, 50 * time.Millisecond

func TestMappingAndFilteringAreAsConfigured(t *testing.T) {
	all := []netsim.Dependence{netsim.EndpointIndependent, netsim.AddressDependent, netsim.AddressAndPortDependent}
	for mi, mapping := range all {
		for fi, filtering := range all {
			t.Run(string(mapping)+" "+string(filtering), func(t *testing.T) {
				h := newHome(t, netsim.NATConfig{Mapping: mapping, Filtering: filtering})
				a1, a2, b := h.socket(h.a, 1000), h.socket(h.a, 2000), h.socket(h.b, 1000)

				// Who may answer, when only a1 was written to?
				first := h.seenAt(a1)
				if first.Addr() != h.nat.External() {
					t.Errorf("came from %s, not %s", first, h.nat.External())
				}
				for i, from := range []net.PacketConn{a1, a2, b} {
					h.say(from, net.UDPAddrFromAddrPort(first), "in?")
					wait := patience
					if i > 2-fi {
						wait = silence
					}
					text, by := h.hear(h.pc, wait)
					if let := text != ""; let != (i <= 2-fi) {
						t.Errorf("from %s: let in is %v", from.LocalAddr(), let)
					} else if let && by.String() != from.LocalAddr().String() {
						t.Errorf("%s was translated to %s on its way in", from.LocalAddr(), by)
					}
				}
				if got := h.lostAs(netsim.WhyFiltered); got != fi {
					t.Errorf("%d packets filtered, want %d", got, fi)
				}
				// Which address do others see?
				for i, to := range []net.PacketConn{a2, b} {
					if same := h.seenAt(to) == first; same != (i < 2-mi) {
						t.Errorf("%s sees the same address: %v", to.LocalAddr(), same)
					}
				}
				want := map[netsim.Dependence]int{all[0]: 1, all[1]: 2, all[2]: 3}[mapping]
				if got := h.nat.Mappings(); len(got) != want {
					t.Errorf("%d mappings, want %d: %+v", len(got), want, got)
				}
			})
		}
	}
}

func TestPortsAreAssignedAsConfigured(t *testing.T) {
	for ports, check := range map[netsim.PortAssignment]func(got []uint16) bool{
		netsim.Preserve:   func(got []uint16) bool { return slices.Equal(got, []uint16{5000, 5001, 5002}) },
		netsim.Sequential: func(got []uint16) bool { return slices.Equal(got, []uint16{50000, 50001, 50002}) },
		netsim.Random: func(got []uint16) bool {
			return got[0] != 5000 && got[1]-got[0] != 1 && got[0] != got[1] && got[1] != got[2]
		},
	} {
		t.Run(string(ports), func(t *testing.T) {
			h := newHome(t, netsim.NATConfig{Mapping: netsim.AddressAndPortDependent, Ports: ports, FirstPort: 50000})
			var got []uint16
			for port := range 3 {
				got = append(got, h.seenAt(h.socket(h.a, 1000+port)).Port())
			}
			if !check(got) {
				t.Errorf("got ports %v", got)
			}
		})
	}
}

func TestAMappingExpires(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Lifetime: time.Second, Filtering: netsim.AddressDependent})
	a := h.socket(h.a, 1000)
	begin := time.Now()
	seen := h.seenAt(a)
	gone := func() int {
		h.cmu.Lock()
		defer h.cmu.Unlock()
		return len(slices.DeleteFunc(slices.Clone(h.changes), func(c netsim.MappingChange) bool { return !c.Gone || c.Why != "expired" }))
	}
	asked, heard := 0, 0
	hear := func(within time.Duration) string {
		text, _ := h.hear(h.pc, within)
		if text != "" {
			heard++
		}
		return text
	}
	for gone() == 0 {
		if time.Since(begin) > patience {
			t.Fatal("the mapping does not expire")
		}
		h.say(a, net.UDPAddrFromAddrPort(seen), "still there?") // does not refresh it
		asked++
		hear(10 * time.Millisecond)
	}
	if life := time.Since(begin); life < time.Second {
		t.Errorf("gone after %s already", life)
	}
	h.say(a, net.UDPAddrFromAddrPort(seen), "anybody?")
	text := hear(silence)
	for text == "still there?" { // got in while the mapping was there
		text = hear(silence)
	}
	if text != "" || heard == 0 {
		t.Errorf("%q got in without a mapping, and %d with one", text, heard)
	}
	// Each that did not get in found none: the last, and those that were on their way when it ended.
	h.until(func() bool { return h.lostAs(netsim.WhyNoMapping) == asked+1-heard })
}

func TestAShortLivedMappingBesideALongLivedOne(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Lifetime: time.Second})
	l := h.listen(":80")
	c, err := h.inside("in").DialContext(t.Context(), "tcp", l.Addr().String()) // for hours
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.seenAt(h.socket(h.a, 1000))
	h.until(func() bool { return len(h.nat.Mappings()) == 1 })
	if left := h.nat.Mappings()[0]; left.Proto != "tcp" {
		t.Errorf("what is left is %+v", left)
	}
}

func TestFlowsOfANATAreNumberedOnWithItsNewAddress(t *testing.T) {
	h := newHome(t, netsim.NATConfig{})
	a := h.socket(h.a, 1000)
	h.seenAt(a)
	if _, err := h.nat.Readdress(); err != nil {
		t.Fatal(err)
	}
	h.seenAt(a)
	var flows []int
	for _, p := range h.seen() {
		if p.From == "nat" && p.To == "a" {
			flows = append(flows, p.Flow)
		}
	}
	if !slices.Equal(flows, []int{1, 2}) {
		t.Errorf("flows %v from the NAT: two of one number have the same luck", flows)
	}
}

func TestInboundRefresh(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Lifetime: time.Second, InboundRefresh: true})
	a := h.socket(h.a, 1000)
	seen := h.seenAt(a)
	for begin := time.Now(); time.Since(begin) < 1500*time.Millisecond; {
		h.say(a, net.UDPAddrFromAddrPort(seen), "stay")
		if text, _ := h.hear(h.pc, patience); text != "stay" {
			t.Fatalf("gone after %s", time.Since(begin))
		}
		h.hear(h.pc, 100*time.Millisecond)
	}
}

func TestHairpin(t *testing.T) {
	for _, hairpin := range []bool{true, false} {
		h := newHome(t, netsim.NATConfig{Hairpin: hairpin})
		seen := h.seenAt(h.socket(h.a, 1000))
		other := h.socket(h.inside("other"), 6000)
		h.say(other, net.UDPAddrFromAddrPort(seen), "neighbour")
		wait := patience
		if !hairpin {
			wait = silence
		}
		text, from := h.hear(h.pc, wait)
		if (text == "neighbour") != hairpin {
			t.Errorf("hairpin %v: heard %q", hairpin, text)
		}
		if hairpin && from.Addr() != h.nat.External() {
			t.Errorf("it came from %s, not from the outside address", from) // REQ-9a
		}
		if got := h.lostAs(netsim.WhyNoHairpin); got == 1 == hairpin {
			t.Errorf("hairpin %v: %d refused", hairpin, got)
		}
	}
}

func TestTCPThroughANAT(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Mapping: netsim.AddressAndPortDependent, Filtering: netsim.AddressAndPortDependent, BlockUDP: true})
	l := h.listen(":80")
	served := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err.Error()
			return
		}
		defer c.Close()
		n, _ := io.Copy(c, io.LimitReader(c, 200_000)) // back to where it came from
		served <- fmt.Sprint(n, c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
	}()
	c, err := h.inside("in").DialContext(t.Context(), "tcp", "b:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	data := make([]byte, 200_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	go func() { _, _ = c.Write(data) }()
	got, err := io.ReadAll(io.LimitReader(c, 200_000))
	if err != nil || !slices.Equal(got, data) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if text := <-served; text != "200000 "+h.nat.External().String() {
		t.Errorf("the server says %q", text)
	}
	// UDP is blocked, and nobody gets in by TCP.
	h.say(h.pc, h.socket(h.a, 1000).LocalAddr(), "blocked")
	h.say(h.socket(h.a, 1001), &net.UDPAddr{IP: h.nat.External().AsSlice(), Port: 5000}, "blocked too")
	h.hear(h.pc, silence)
	if n := h.lostAs(netsim.WhyBlocked); n != 2 {
		t.Errorf("%d packets blocked, want 2", n)
	}
}

func TestARefusalComesBackThroughTheNAT(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Filtering: netsim.AddressAndPortDependent})
	c, err := h.inside("in").DialContext(t.Context(), "udp", "b:9") // nobody there
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("anybody?")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("read: %v, want refused", err)
	}
	// And the other way: a port inside that a forward leads to is closed.
	if err := h.nat.Forward("udp", 7777, netip.AddrPortFrom(h.inside("in").Addr(), 7)); err != nil {
		t.Fatal(err)
	}
	out, err := h.a.DialContext(t.Context(), "udp", netip.AddrPortFrom(h.nat.External(), 7777).String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.Write([]byte("anybody?")); err != nil {
		t.Fatal(err)
	}
	_ = out.SetReadDeadline(time.Now().Add(patience))
	if _, err := out.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("read outside: %v, want refused", err)
	}
}

func TestDatagramsInParts(t *testing.T) {
	h := newHome(t, netsim.NATConfig{})
	a := h.socket(h.a, 1000)
	big := string(make([]byte, 4000))
	h.say(h.pc, a.LocalAddr(), big)
	text, from := h.hear(a, patience)
	if len(text) != len(big) {
		t.Fatalf("%d of %d bytes came out", len(text), len(big))
	}
	h.say(a, net.UDPAddrFromAddrPort(from), big)
	if text, _ := h.hear(h.pc, patience); len(text) != len(big) {
		t.Errorf("%d of %d bytes came in", len(text), len(big))
	}
}

func TestForward(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Filtering: netsim.AddressAndPortDependent, Mapping: netsim.AddressAndPortDependent})
	in := netip.AddrPortFrom(h.inside("in").Addr(), 5000)
	a := h.socket(h.a, 1000)
	at := &net.UDPAddr{IP: h.nat.External().AsSlice(), Port: 8080}
	h.say(a, at, "before")
	if text, _ := h.hear(h.pc, silence); text != "" {
		t.Errorf("%q got in before the mapping", text)
	}
	if err := h.nat.Forward("udp", 8080, in); err != nil {
		t.Fatal(err)
	}
	h.say(a, at, "mapped")
	text, from := h.hear(h.pc, patience)
	if text != "mapped" {
		t.Fatalf("heard %q", text)
	}
	h.say(h.pc, net.UDPAddrFromAddrPort(from), "answer")
	if text, from := h.hear(a, patience); text != "answer" || from.Port() != 8080 {
		t.Errorf("%q came from %s", text, from)
	}
	if err := h.nat.Forward("udp", 8080, netip.AddrPortFrom(in.Addr(), 1)); !errors.Is(err, netsim.ErrFull) {
		t.Errorf("the port can be had twice: %v", err)
	}
	if !h.nat.Unforward("udp", 8080) || h.nat.Unforward("udp", 8080) {
		t.Error("unmapped not once")
	}
	h.say(a, at, "after")
	if text, _ := h.hear(h.pc, silence); text != "" {
		t.Errorf("%q got in after the mapping", text)
	}
	for _, bad := range []struct {
		proto string
		port  uint16
		to    netip.AddrPort
	}{{"icmp", 1, in}, {"udp", 0, in}, {"tcp", 1, netip.AddrPortFrom(h.a.Addr(), 1)}, {"tcp", 1, netip.AddrPortFrom(in.Addr(), 0)}} {
		if err := h.nat.Forward(bad.proto, bad.port, bad.to); !errors.Is(err, netsim.ErrConfig) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestTwoNATsInARow(t *testing.T) {
	r := newRig(t, netsim.Config{})
	carrier, err := r.net.NAT("carrier", netsim.NATConfig{Mapping: netsim.AddressAndPortDependent, Inside: netip.MustParsePrefix("100.64.0.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	nat, err := carrier.NAT("nat", netsim.NATConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if !carrier.Inside().Contains(nat.External()) {
		t.Errorf("the inner NAT is %s outside, not in %s", nat.External(), carrier.Inside())
	}
	h := &home{rig: r, nat: nat}
	h.pc = r.socket(h.inside("in"), 5000)
	a := r.socket(r.a, 1000)
	seen := h.seenAt(a)
	if seen.Addr() != carrier.External() {
		t.Errorf("seen at %s, not at the carrier's %s", seen, carrier.External())
	}
	r.say(a, net.UDPAddrFromAddrPort(seen), "back")
	if text, _ := r.hear(h.pc, patience); text != "back" {
		t.Errorf("heard %q", text)
	}
	var legs []string
	for _, p := range r.seen() {
		legs = append(legs, p.From+">"+p.To)
	}
	want := []string{"in>nat", "nat>carrier", "carrier>a", "a>carrier", "carrier>nat", "nat>in"}
	if !slices.Equal(legs, want) {
		t.Errorf("legs %v, want %v", legs, want)
	}
}

func TestExpireAndReaddress(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Filtering: netsim.AddressDependent})
	a := h.socket(h.a, 1000)
	seen := h.seenAt(a)
	if n := h.nat.Expire(); n != 1 || len(h.nat.Mappings()) != 0 {
		t.Errorf("%d forgotten, left %v", n, h.nat.Mappings())
	}
	h.say(a, net.UDPAddrFromAddrPort(seen), "lost")
	if text, _ := h.hear(h.pc, silence); text != "" {
		t.Errorf("%q got in", text)
	}
	again := h.seenAt(a)
	now, err := h.nat.Readdress()
	if err != nil || now == seen.Addr() || h.nat.External() != now {
		t.Fatalf("new address %s, %v", now, err)
	}
	h.say(a, net.UDPAddrFromAddrPort(again), "to the old address")
	if text, _ := h.hear(h.pc, silence); text != "" || h.lostAs(netsim.WhyNoHost) != 1 {
		t.Errorf("%q got in; lost %v", text, h.net.Stats().Lost)
	}
	if seen := h.seenAt(a); seen.Addr() != now {
		t.Errorf("seen at %s after the move to %s", seen, now)
	}
}

func TestTheRouterHasServicesInside(t *testing.T) {
	h := newHome(t, netsim.NATConfig{})
	router, err := h.nat.Router()
	if err != nil || router.Addr() != h.nat.Gateway() {
		t.Fatalf("router at %v, %v", router, err)
	}
	group := netip.MustParseAddr("239.255.255.250")
	if err := router.Join(group); err != nil {
		t.Fatal(err)
	}
	service := h.socket(router, 1900)
	h.say(h.pc, &net.UDPAddr{IP: group.AsSlice(), Port: 1900}, "search")
	text, from := h.hear(service, patience)
	if text != "search" || from != netip.MustParseAddrPort(h.inside("in").Addr().String()+":5000") {
		t.Fatalf("%q came from %s", text, from)
	}
	h.say(service, net.UDPAddrFromAddrPort(from), "here")
	if text, by := h.hear(h.pc, patience); text != "here" || by.Addr() != h.nat.Gateway() {
		t.Errorf("%q came from %s", text, by)
	}
	if err := router.Join(netip.MustParseAddr("192.0.2.1")); !errors.Is(err, netsim.ErrConfig) {
		t.Errorf("joined a unicast address: %v", err)
	}
}

func TestWhatANATRefusesIsSeen(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Filtering: netsim.AddressAndPortDependent})
	seen := h.seenAt(h.socket(h.a, 1000))
	h.say(h.socket(h.b, 1000), net.UDPAddrFromAddrPort(seen), "stranger")
	h.hear(h.pc, silence)
	packets := h.seen()
	last := packets[len(packets)-1]
	if last.From != "nat" || last.To != "in" || !last.Lost || last.Why != netsim.WhyFiltered {
		t.Errorf("the last packet is %s to %s, lost %v: %q", last.From, last.To, last.Lost, last.Why)
	}
}

func TestBadNATs(t *testing.T) {
	r := newRig(t, netsim.Config{})
	for name, cfg := range map[string]netsim.NATConfig{
		"mapping": {Mapping: "sometimes"}, "filtering": {Filtering: "x"}, "ports": {Ports: "odd"}, "low": {FirstPort: 80},
		"short": {Lifetime: time.Millisecond}, "wide": {Inside: netip.MustParsePrefix("192.168.0.0/16")}, "taken": {Inside: netip.MustParsePrefix("10.77.0.0/24")},
	} {
		if _, err := r.net.NAT(name, cfg); !errors.Is(err, netsim.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.net.NAT("a", netsim.NATConfig{}); !errors.Is(err, netsim.ErrHost) {
		t.Errorf("a NAT with the name of a host: %v", err)
	}
	if _, err := r.net.NAT("nat", netsim.NATConfig{}); err != nil {
		t.Error(err)
	}
	if _, err := r.net.Host("nat"); !errors.Is(err, netsim.ErrHost) {
		t.Errorf("a host with the name of a NAT: %v", err)
	}
}

// TestWiresharkFindsNoBadChecksum has a witness read what NATs have rewritten:
// UDP, TCP, ICMP errors with what they quote, and parts of datagrams.
func TestWiresharkFindsNoBadChecksum(t *testing.T) {
	h := newHome(t, netsim.NATConfig{Ports: netsim.Sequential})
	h.seenAt(h.socket(h.a, 1000))
	h.say(h.pc, h.socket(h.a, 1001).LocalAddr(), string(make([]byte, 3000)))
	refused, err := h.inside("in").DialContext(t.Context(), "udp", "b:9")
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	if _, err := refused.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = refused.SetReadDeadline(time.Now().Add(patience))
	if _, err := refused.Read(make([]byte, 1)); err == nil {
		t.Error("not refused")
	}
	l := h.listen(":80")
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.Close()
		}
	}()
	c, err := h.inside("in").DialContext(t.Context(), "tcp", "b:80")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(c)
	_ = c.Close()

	packets := h.seen()
	rows := tshark(t, packets, []string{"-N", "n", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"},
		"ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "icmp.checksum.status", "ip.src_host", "ip.dst_host")
	names := map[string]string{"192.168.1.2": "in", "203.0.113.1": "a", "203.0.113.2": "b", "203.0.113.3": "nat"}
	named, translated, icmp := map[string]bool{}, 0, 0
	for i, row := range rows {
		for j, of := range []string{"IP", "UDP", "TCP", "ICMP"} {
			for _, status := range strings.Split(row[j], ",") {
				if status == "0" {
					t.Errorf("packet %d (%s): bad %s checksum", i, packets[i].Summary, of)
				}
			}
		}
		for j, p := range []string{packets[i].Src.Addr().String(), packets[i].Dst.Addr().String()} {
			switch got, _, _ := strings.Cut(row[4+j], ","); got { // of an ICMP error, not of what it quotes
			case names[p]:
				named[p] = true
			case p: // nobody with that address has sent or received in the file so far
			default:
				t.Errorf("packet %d: %s is called %q", i, p, got)
			}
		}
		if packets[i].From == "nat" {
			translated++
		}
		if packets[i].From == "nat" && strings.Contains(row[3], "1") {
			icmp++
		}
	}
	if translated < 8 || icmp == 0 || len(named) != len(names) {
		t.Errorf("%d translated packets, %d of ICMP, %v named: too few to tell", translated, icmp, named)
	}
}
