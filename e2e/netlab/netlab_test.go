package netlab_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/netlab"
	"peerlab/e2e/proc"
	"peerlab/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const patience = 10 * time.Second

// home is a host behind a router, and three hosts on the WAN.
type home struct {
	router        *netlab.Router
	alice         *netlab.Host
	one, two, odd *netlab.Host
}

func newHome(t *testing.T, nat netlab.NAT) home {
	lab := netlab.New(t)
	router := lab.WAN.Router("router", nat)
	return home{
		router: router, alice: router.LAN.Host("alice"),
		one: lab.WAN.Host("one"), two: lab.WAN.Host("two"), odd: lab.WAN.Host("odd"),
	}
}

// send sends text as a datagram from one socket to an address.
func send(t *testing.T, from *net.UDPConn, text string, to netip.AddrPort) {
	t.Helper()
	if _, err := from.WriteToUDPAddrPort([]byte(text), to); err != nil {
		t.Fatalf("send %q to %s: %v", text, to, err)
	}
}

// receive checks that text is the next datagram, and returns who sent it.
func receive(t *testing.T, at *net.UDPConn, text string) netip.AddrPort {
	t.Helper()
	buf := make([]byte, 1500)
	at.SetReadDeadline(time.Now().Add(patience))
	n, from, err := at.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatalf("waiting for %q: %v", text, err)
	}
	if got := string(buf[:n]); got != text {
		t.Fatalf("received %q from %s, want %q", got, from, text)
	}
	return from
}

func addrOf(conn *net.UDPConn) netip.AddrPort { return conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func TestConeKeepsOneMappingAndFiltersByAddressAndPort(t *testing.T) {
	t.Parallel()
	h := newHome(t, netlab.Cone)
	alice := h.alice.ListenUDP(0)
	one, two, odd := h.one.ListenUDP(0), h.two.ListenUDP(0), h.odd.ListenUDP(0)

	send(t, alice, "hello one", addrOf(one))
	mapped := receive(t, one, "hello one")
	if mapped.Addr() != h.router.Addr() {
		t.Errorf("alice appears as %s, want the router %s", mapped, h.router.Addr())
	}
	send(t, alice, "hello two", addrOf(two))
	if again := receive(t, two, "hello two"); again != mapped {
		t.Errorf("mapping changed with the destination: %s, then %s", mapped, again)
	}

	// All in the kernel and in this order: had the uninvited come through, it
	// would be the first to arrive.
	send(t, odd, "uninvited address", mapped)
	send(t, h.one.ListenUDP(0), "uninvited port", mapped)
	send(t, one, "reply", mapped)
	receive(t, alice, "reply")

	// The stray from odd must not have spoiled the mapping toward it: that is
	// what hole punching lives on.
	send(t, alice, "hello odd", addrOf(odd))
	if again := receive(t, odd, "hello odd"); again != mapped {
		t.Errorf("after a stray datagram the mapping is %s, was %s", again, mapped)
	}
	send(t, odd, "invited now", mapped)
	receive(t, alice, "invited now")
}

func TestSymmetricMapsByDestination(t *testing.T) {
	t.Parallel()
	h := newHome(t, netlab.Symmetric)
	alice := h.alice.ListenUDP(0)
	var ports []uint16
	for _, host := range []*netlab.Host{h.one, h.two, h.odd} {
		conn := host.ListenUDP(0)
		send(t, alice, "hello", addrOf(conn))
		mapped := receive(t, conn, "hello")
		send(t, conn, "reply", mapped)
		receive(t, alice, "reply")
		ports = append(ports, mapped.Port())
	}
	slices.Sort(ports)
	if ports = slices.Compact(ports); len(ports) == 1 {
		t.Errorf("one mapped port %d for three destinations", ports[0])
	}
}

func TestSetNATTakesHoldOfAFlowUnderWay(t *testing.T) {
	t.Parallel()
	h := newHome(t, netlab.Cone)
	alice, one := h.alice.ListenUDP(0), h.one.ListenUDP(0)
	send(t, alice, "a", addrOf(one))
	before := receive(t, one, "a")
	h.router.SetNAT(netlab.Symmetric)
	// One random port in 64,000 may be the old one; not twice.
	for range 2 {
		send(t, alice, "b", addrOf(one))
		if receive(t, one, "b") != before {
			return
		}
		h.router.ForgetMappings()
	}
	t.Errorf("still mapped to %s", before)
}

func TestBlockedUDPLeavesTCP(t *testing.T) {
	t.Parallel()
	h := newHome(t, netlab.Cone)
	alice, one := h.alice.ListenUDP(0), h.one.ListenUDP(0)
	h.router.BlockUDP(true)
	send(t, alice, "lost", addrOf(one))
	echo(t, h.alice, h.one)
	send(t, h.two.ListenUDP(0), "first to arrive", addrOf(one))
	receive(t, one, "first to arrive")

	h.router.BlockUDP(false)
	send(t, alice, "through", addrOf(one))
	receive(t, one, "through")
}

// echo has a line sent back over a new TCP connection, and returns it.
func echo(t *testing.T, from, to *netlab.Host) net.Conn {
	t.Helper()
	listener := to.Listen(0)
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		if conn, err := listener.Accept(); err == nil {
			accepted <- conn
			_, _ = io.Copy(conn, conn)
		}
	}()
	conn := from.Dial("tcp", listener.Addr().String())
	t.Cleanup(func() {
		listener.Close()
		// Both ends: the one may not be able to tell the other any more.
		for conn := range accepted {
			conn.Close()
		}
	})
	exchange(t, conn)
	return conn
}

func exchange(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintln(conn, "ping")
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "ping\n" {
		t.Fatalf("echo: %q, %v", line, err)
	}
}

func TestCutAndBlockStallAndRecover(t *testing.T) {
	t.Parallel()
	h := newHome(t, netlab.Cone)
	conn := echo(t, h.alice, h.one)
	other := echo(t, h.alice, h.two)

	for _, c := range []struct {
		name     string
		off, on  func()
		allPaths bool
	}{
		{"cut", h.router.Cut, h.router.Restore, true},
		{"block", func() { h.router.Block(h.one.Addr()) }, func() { h.router.Unblock(h.one.Addr()) }, false},
		{"unplug", h.alice.Unplug, h.alice.Plug, true},
	} {
		c.off()
		fmt.Fprintln(conn, "lost at first")
		conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: read %d bytes, %v; want nothing to come through", c.name, n, err)
		}
		if !c.allPaths {
			exchange(t, other)
		}
		c.on()
		conn.SetReadDeadline(time.Now().Add(patience))
		if line, err := bufio.NewReader(conn).ReadString('\n'); line != "lost at first\n" {
			t.Errorf("%s: after it ended: %q, %v", c.name, line, err)
		}
	}
}

func TestMoveToAnotherNetwork(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	wifi, mobile := lab.WAN.Router("wifi", netlab.Cone), lab.WAN.Router("mobile", netlab.Symmetric)
	phone, server := wifi.LAN.Host("phone"), lab.WAN.Host("server")
	old := phone.Addr()
	echo(t, phone, server)
	phone.MoveTo(mobile.LAN)
	if phone.Addr() == old {
		t.Error("address did not change")
	}
	at := server.ListenUDP(0)
	send(t, phone.ListenUDP(0), "here", addrOf(at))
	if from := receive(t, at, "here"); from.Addr() != mobile.Addr() {
		t.Errorf("phone appears as %s, want %s", from, mobile.Addr())
	}
}

func TestDoubleNAT(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	outer := lab.WAN.Router("outer", netlab.Symmetric)
	inner := outer.LAN.Router("inner", netlab.Cone)
	alice, server := inner.LAN.Host("alice"), lab.WAN.Host("server")
	at := server.ListenUDP(0)
	send(t, alice.ListenUDP(0), "hello", addrOf(at))
	if from := receive(t, at, "hello"); from.Addr() != outer.Addr() {
		t.Errorf("alice appears as %s, want %s", from, outer.Addr())
	}
}

func TestHostWithTwoAddresses(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	server, client := lab.WAN.Host("server"), lab.WAN.Host("client")
	second := server.AddAddr()
	if second == server.Addr() {
		t.Fatal("second address is the first")
	}
	listener := proc.Start(t, "nc", server.Command("nc", "-v", "-n", "-l", "-s", second.String(), "-p", "4000"))
	listener.WaitLine("(?i)listening", patience)
	fmt.Fprintln(client.Dial("tcp", netip.AddrPortFrom(second, 4000).String()), "over the second")
	listener.WaitLine("over the second", patience)
}

func TestRestOfTheWorldIsUnreachableAtOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t, netlab.Cone)
	for _, host := range []*netlab.Host{h.alice, h.one} {
		_, err := host.DialContext(t.Context(), "tcp", "8.8.8.8:53")
		if err == nil || !strings.Contains(err.Error(), "unreachable") {
			t.Errorf("dial the outside world: %v, want unreachable", err)
		}
	}
}

func TestUPnPAnswersOnTheLAN(t *testing.T) {
	t.Parallel()
	h := newHome(t, netlab.Cone)
	h.router.UPnP()
	alice := h.alice.ListenUDP(0)
	send(t, alice, "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"+
		"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n", netip.MustParseAddrPort("239.255.255.250:1900"))
	buf := make([]byte, 1500)
	alice.SetReadDeadline(time.Now().Add(patience))
	n, err := alice.Read(buf)
	if err != nil {
		t.Fatalf("no SSDP answer: %v", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(buf[:n]))), nil)
	if err != nil {
		t.Fatalf("SSDP answer: %v", err)
	}
	description, err := h.alice.HTTPClient().Get(answer.Header.Get("Location"))
	if err != nil {
		t.Fatalf("fetch the description: %v", err)
	}
	defer description.Body.Close()
	if body, err := io.ReadAll(description.Body); !strings.Contains(string(body), "WANIPConnection") {
		t.Errorf("description has no WANIPConnection: %v\n%s", err, body)
	}
}

// ownerVariable turns the test below into the lab owner that gets killed.
const ownerVariable = "NETLAB_TEST_OWNER"

func TestSweepAfterAKilledOwner(t *testing.T) {
	if os.Getenv(ownerVariable) != "" {
		lab := netlab.New(t)
		sleeper := proc.Start(t, "sleep", lab.WAN.Host("host").Command("sleep", "1000"))
		fmt.Println("sleeper", sleeper.PID())
		<-sleeper.Exited()
		return
	}
	t.Parallel()
	netlab.New(t) // skips without root

	cmd := exec.Command(os.Args[0], "-test.run=^TestSweepAfterAKilledOwner$")
	cmd.Env = append(os.Environ(), ownerVariable+"=1")
	owner := proc.Start(t, "owner", cmd)
	sleeper, err := strconv.Atoi(owner.WaitLine(`^sleeper (\d+)`, patience)[1])
	if err != nil {
		t.Fatal(err)
	}
	prefix := fmt.Sprintf("pl%d-", owner.PID())
	if len(named(t, prefix)) == 0 {
		t.Fatal("the owner's namespaces are not to be seen")
	}

	// Alone: the sleeper is in another process group, so that killing the
	// owner's does not reach it.
	owner.Signal(os.Kill)
	owner.Wait(patience)
	if err := netlab.Sweep(); err != nil {
		t.Fatal(err)
	}
	if left := named(t, prefix); len(left) > 0 {
		t.Errorf("left after the sweep: %v", left)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", sleeper))
	if err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("process of the killed owner still runs: %s", stat)
	}
}

func named(t *testing.T, prefix string) []string {
	t.Helper()
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			names = append(names, entry.Name())
		}
	}
	return names
}

func TestNothingLeftAfterATest(t *testing.T) {
	t.Run("inner", func(t *testing.T) {
		newHome(t, netlab.Cone)
	})
	// Other tests of this package have not resumed yet: they are parallel.
	if left, err := netlab.Leftovers(); len(left) > 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}
