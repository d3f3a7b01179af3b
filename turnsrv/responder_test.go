package turnsrv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun"

	"peerlab/need"
	"peerlab/turnsrv"
)

// corners opens sockets on two ports of each address.
func corners(t testing.TB, addrs ...string) (c turnsrv.Corners) {
	t.Helper()
	ports := freePorts(t, 2)
	for a, addr := range addrs {
		for p := range 2 {
			conn, err := net.ListenPacket("udp4", net.JoinHostPort(addr, fmt.Sprint(int(ports.Min)+p)))
			if err != nil {
				t.Fatal(err)
			}
			c[a][p] = conn
		}
	}
	return c
}

// respond runs a responder until the test ends.
func respond(t testing.TB, cfg turnsrv.ResponderConfig, c turnsrv.Corners) *turnsrv.Responder {
	t.Helper()
	r, err := turnsrv.NewResponder(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

// CHANGE-REQUEST flags.
const (
	changePort    = 2
	changeAddress = 4
)

func changeRequest(flags byte) stun.Setter {
	return stun.RawAttribute{Type: stun.AttrChangeRequest, Value: []byte{0, 0, 0, flags}}
}

// ask sends a Binding request and reads the answer, from wherever it comes.
func ask(t testing.TB, conn net.PacketConn, to net.Addr, attrs ...stun.Setter) (*stun.Message, net.Addr) {
	t.Helper()
	request := stun.MustBuild(append([]stun.Setter{stun.TransactionID, stun.BindingRequest}, attrs...)...)
	if _, err := conn.WriteTo(request.Raw, to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	conn.SetReadDeadline(time.Now().Add(patience))
	n, from, err := conn.ReadFrom(buf)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	answer := &stun.Message{Raw: buf[:n]}
	if err := answer.Decode(); err != nil || answer.TransactionID != request.TransactionID {
		t.Fatalf("not the answer: %v", err)
	}
	return answer, from
}

func client(t testing.TB) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestResponderAnswersFromWhereItIsAsked(t *testing.T) {
	t.Parallel()
	c := corners(t, "127.0.0.1", "127.0.0.2")
	r := respond(t, turnsrv.ResponderConfig{}, c)
	us := client(t)
	asked := uint64(0)
	for a := range 2 {
		for p := range 2 {
			for _, flags := range []byte{0, changePort, changeAddress, changeAddress | changePort} {
				to := c[a][p].LocalAddr()
				want := c[a^int(flags>>2)][p^int(flags>>1&1)].LocalAddr().String()
				answer, from := ask(t, us, to, changeRequest(flags))
				asked++
				var mapped stun.XORMappedAddress
				var plain stun.MappedAddress
				var origin stun.ResponseOrigin
				var other stun.OtherAddress
				if err := errors.Join(mapped.GetFrom(answer), plain.GetFrom(answer), origin.GetFrom(answer), other.GetFrom(answer)); err != nil {
					t.Fatal(err)
				}
				if from.String() != want || origin.String() != want {
					t.Errorf("to %s with %d: answered from %s, RESPONSE-ORIGIN %s; want %s", to, flags, from, origin, want)
				}
				if want := c[1-a][1-p].LocalAddr().String(); other.String() != want {
					t.Errorf("to %s: OTHER-ADDRESS %s, want %s", to, other, want)
				}
				if own := us.LocalAddr().String(); mapped.String() != own || plain.String() != own {
					t.Errorf("mapped to %s and %s, want %s", mapped, plain, own)
				}
			}
		}
	}
	if n := r.Answered(); n != asked {
		t.Errorf("%d answered, want %d", n, asked)
	}
}

// withAlternate runs a whole server with an alternate port; all sockets are
// bound to an address of the caller's choice.
func withAlternate(t testing.TB, ip string, adjust func(*turnsrv.Config)) (s *testServer, mainAddr, altAddr net.Addr) {
	t.Helper()
	cfg := turnsrv.Config{
		Secret: []byte(testSecret), RelayIP: netip.MustParseAddr("127.0.0.1"), RelayPorts: freePorts(t, 4),
	}
	if adjust != nil {
		adjust(&cfg)
	}
	udp, err := turnsrv.ListenUDP(t.Context(), ip+":0", 2)
	if err != nil {
		t.Fatal(err)
	}
	alternate, err := net.ListenPacket("udp4", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Alternate = alternate
	server, err := turnsrv.New(cfg, udp, nil)
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, server)
	local := func(a net.Addr) net.Addr {
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(a.(*net.UDPAddr).Port)))
	}
	mainAddr, altAddr = local(udp[0].LocalAddr()), local(alternate.LocalAddr())
	return &testServer{server, mainAddr.String(), "", cfg.RelayPorts}, mainAddr, altAddr
}

func TestServerAnswersFromItsAlternatePort(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "0.0.0.0"} { // the latter has to find out its address
		_, mainAddr, altAddr := withAlternate(t, ip, nil)
		us := client(t)
		for _, c := range []struct {
			to, from, other net.Addr
			attrs           []stun.Setter
		}{
			{mainAddr, mainAddr, altAddr, nil},
			{altAddr, altAddr, mainAddr, nil},
			{mainAddr, altAddr, altAddr, []stun.Setter{changeRequest(changePort)}},
			{altAddr, mainAddr, mainAddr, []stun.Setter{changeRequest(changePort)}},
		} {
			answer, from := ask(t, us, c.to, c.attrs...)
			var origin stun.ResponseOrigin
			var other stun.OtherAddress
			if err := errors.Join(origin.GetFrom(answer), other.GetFrom(answer)); err != nil {
				t.Fatal(err)
			}
			if from.String() != c.from.String() || origin.String() != c.from.String() || other.String() != c.other.String() {
				t.Errorf("on %s, to %s: from %s, origin %s, other %s; want %s and %s", ip, c.to, from, origin, other, c.from, c.other)
			}
		}
		for _, flags := range []byte{changeAddress, changeAddress | changePort} {
			answer, from := ask(t, us, mainAddr, changeRequest(flags))
			var unknown stun.UnknownAttributes
			if err := unknown.GetFrom(answer); err != nil {
				t.Fatal(err)
			}
			if code(t, answer) != 420 || len(unknown) != 1 || unknown[0] != stun.AttrChangeRequest || from.String() != mainAddr.String() {
				t.Errorf("another address where there is none: %v from %s", answer, from)
			}
		}
	}
}

// The answer to what somebody else is said to have sent is small, and there are
// not many of it.
func TestResponderIsAPoorAmplifier(t *testing.T) {
	t.Parallel()
	s, mainAddr, altAddr := withAlternate(t, "127.0.0.1", func(c *turnsrv.Config) {
		c.Rate = turnsrv.Rate{PerSecond: 0.001, Burst: 10}
	})
	us := client(t)
	aim := stun.RawAttribute{Type: stun.AttrResponsePort, Value: []byte{0, 53, 0, 0}}
	grow := stun.RawAttribute{Type: stun.AttrPadding, Value: make([]byte, 1400)}
	for _, to := range []net.Addr{mainAddr, altAddr} {
		for want, attr := range map[int]stun.Setter{403: aim, 420: grow} {
			answer, from := ask(t, us, to, attr)
			if code(t, answer) != want || from.String() != to.String() || len(answer.Raw) > 64 {
				t.Errorf("%v: code %d from %s, %d bytes", attr, code(t, answer), from, len(answer.Raw))
			}
		}
		answer, _ := ask(t, us, to)
		if n := len(answer.Raw); n > 4*20 {
			t.Errorf("20 bytes are answered with %d", n)
		}
	}
	var many []stun.Setter
	for kind := range stun.AttrType(300) {
		many = append(many, stun.RawAttribute{Type: 0x4000 + kind})
	}
	if answer, _ := ask(t, us, altAddr, many...); len(answer.Raw) > 100 {
		t.Errorf("many unknown attributes are answered with %d bytes", len(answer.Raw))
	}
	for _, to := range []net.Addr{mainAddr, altAddr, mainAddr, altAddr, mainAddr, altAddr} { // 7 + 6: both share a bucket of 10
		if _, err := us.WriteTo(stun.MustBuild(stun.TransactionID, stun.BindingRequest, changeRequest(changePort)).Raw, to); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the rest to be dropped", func() bool { return s.Stats().Dropped["rate-limited"] == 3 })
}

// An answer goes to another port of who asks if that port has asked, too.
func TestResponsePortLeadsToCallersOnly(t *testing.T) {
	t.Parallel()
	c := corners(t, "127.0.0.1")
	respond(t, turnsrv.ResponderConfig{}, c)
	us, other, to := client(t), client(t), c[0][0].LocalAddr()
	port := other.LocalAddr().(*net.UDPAddr).Port
	aim := stun.RawAttribute{Type: stun.AttrResponsePort, Value: []byte{byte(port >> 8), byte(port), 0, 0}}
	if answer, _ := ask(t, us, to, aim); code(t, answer) != 403 {
		t.Errorf("aimed at who never asked: %v", answer)
	}
	ask(t, other, to)
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest, aim)
	if _, err := us.WriteTo(request.Raw, to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	other.SetReadDeadline(time.Now().Add(patience))
	n, from, err := other.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	answer := &stun.Message{Raw: buf[:n]}
	var mapped stun.XORMappedAddress
	if err := errors.Join(answer.Decode(), mapped.GetFrom(answer)); err != nil {
		t.Fatal(err)
	}
	if answer.TransactionID != request.TransactionID || mapped.String() != us.LocalAddr().String() || from.String() != to.String() {
		t.Errorf("%s from %s: mapped %s", answer, from, mapped)
	}
}

// Whoever asks from many ports does not make others forgotten.
func TestCallersOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	c := corners(t, "127.0.0.1")
	respond(t, turnsrv.ResponderConfig{}, c)
	to := c[0][0].LocalAddr()
	quiet, err := net.ListenPacket("udp4", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	ask(t, quiet, to)
	for range 200 {
		loud, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ask(t, loud, to)
		loud.Close()
	}
	port := quiet.LocalAddr().(*net.UDPAddr).Port
	answer, _ := ask(t, quiet, to, stun.RawAttribute{Type: stun.AttrResponsePort, Value: []byte{byte(port >> 8), byte(port), 0, 0}})
	if answer.Type != stun.BindingSuccess {
		t.Errorf("forgotten: %v", answer)
	}
}

func TestResponderDropsWhatIsNotForIt(t *testing.T) {
	t.Parallel()
	c := corners(t, "127.0.0.1")
	r := respond(t, turnsrv.ResponderConfig{}, c)
	us, to := client(t), c[0][1].LocalAddr()
	for name, m := range map[string]struct{ text, why string }{
		"RTP":                     {"8000000000000000", "not-turn"},
		"RFC 3489":                {"0001000000000000" + "000000000000000000000000", "magic-cookie"},
		"an Allocate request":     {"000300002112a442" + "000000000000000000000000", "type"},
		"ChannelData":             {"40000000", "type"},
		"a success response":      {"010100002112a442" + "000000000000000000000000", "type"},
		"CHANGE-REQUEST of 1":     {"000100082112a442" + "000000000000000000000000" + "0003000102000000", "attribute"},
		"CHANGE-REQUEST of 8":     {"0001000c2112a442" + "000000000000000000000000" + "000300080000000200000000", "attribute"},
		"RESPONSE-PORT of 8":      {"0001000c2112a442" + "000000000000000000000000" + "002700080035000000000000", "attribute"},
		"CHANGE-REQUEST cut":      {"000100042112a442" + "000000000000000000000000" + "00030004", "attribute"},
		"longer than any message": {strings.Repeat("00", 1700), "too-long"},
	} {
		before := r.Dropped()[m.why]
		if _, err := us.WriteTo(unhex(t, m.text), to); err != nil {
			t.Fatal(err)
		}
		ask(t, us, to) // what came before has been seen
		if got := r.Dropped()[m.why]; got != before+1 {
			t.Errorf("%s: dropped %v; want one more %q", name, r.Dropped(), m.why)
		}
	}
}

func TestCornersAreChecked(t *testing.T) {
	t.Parallel()
	whole, one := corners(t, "127.0.0.1", "127.0.0.2"), corners(t, "127.0.0.1")
	for _, row := range append(whole[:], one[:]...) {
		for _, c := range row {
			if c != nil {
				defer c.Close()
			}
		}
	}
	half, crossed := whole, whole
	half[1][1] = nil
	crossed[1][0], crossed[1][1] = crossed[1][1], crossed[1][0]
	for name, c := range map[string]struct {
		corners turnsrv.Corners
		rate    float64
		want    error
	}{
		"whole": {whole, 0, nil}, "one address": {one, 0, nil}, "half": {half, 0, turnsrv.ErrCorners},
		"crossed": {crossed, 0, turnsrv.ErrCorners}, "none": {turnsrv.Corners{}, 0, turnsrv.ErrCorners},
		"rate": {whole, -1, turnsrv.ErrLimit},
	} {
		if _, err := turnsrv.NewResponder(turnsrv.ResponderConfig{Rate: turnsrv.Rate{PerSecond: c.rate}}, c.corners); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// coturn's own client of behaviour discovery sees no NAT on the loopback.
func TestResponderAgainstCoturn(t *testing.T) {
	t.Parallel()
	tool := need.Tool(t, "turnutils_natdiscovery", "coturn")
	c := corners(t, "127.0.0.1", "127.0.0.2")
	respond(t, turnsrv.ResponderConfig{}, c)
	port := c[0][0].LocalAddr().(*net.UDPAddr).Port
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "-m", "-f", "-p", strconv.Itoa(port), "-L", "127.0.0.1", "127.0.0.1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"NAT with Endpoint Independent Mapping", "NAT with Endpoint Independent Filtering"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("turnutils_natdiscovery does not say %q:\n%s", want, out)
		}
	}
}

// Whatever comes, there is at most one answer, a short one, and the responder
// goes on.
func FuzzResponder(f *testing.F) {
	c := corners(f, "127.0.0.1", "127.0.0.2")
	respond(f, turnsrv.ResponderConfig{Rate: turnsrv.Rate{PerSecond: 1e9, Burst: 1 << 30}}, c)
	us := client(f)
	for _, attrs := range [][]stun.Setter{
		nil, {changeRequest(6)}, {changeRequest(2), stun.Fingerprint},
		{stun.RawAttribute{Type: stun.AttrPadding, Value: make([]byte, 100)}}, {stun.NewUsername("x"), stun.NewShortTermIntegrity("y")},
	} {
		f.Add(stun.MustBuild(append([]stun.Setter{stun.TransactionID, stun.BindingRequest}, attrs...)...).Raw, false)
	}
	f.Fuzz(func(t *testing.T, p []byte, port bool) {
		if len(p) > 60_000 {
			return
		}
		to := c[0][0].LocalAddr()
		if port {
			to = c[1][1].LocalAddr()
		}
		if _, err := us.WriteTo(p, to); err != nil {
			t.Fatal(err)
		}
		marker := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
		if _, err := us.WriteTo(marker.Raw, to); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 2048)
		us.SetReadDeadline(time.Now().Add(patience))
		for answers := 0; ; answers++ {
			n, _, err := us.ReadFrom(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("no answer any more")
			}
			if n > 124 || answers > 1 {
				t.Fatalf("answer %d has %d bytes", answers, n)
			}
			m := &stun.Message{Raw: buf[:n]}
			if err := m.Decode(); err != nil {
				t.Fatal(err)
			}
			if m.TransactionID == marker.TransactionID {
				return
			}
		}
	})
}
