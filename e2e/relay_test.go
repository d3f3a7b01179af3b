package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/turn/v2"

	"peerlab/e2e/netlab"
	"peerlab/e2e/proc"
	"peerlab/need"
)

const sharedSecret = "a secret that two servers share"

// relayLab is a server on the WAN with a public address, and two more hosts.
type relayLab struct {
	*server
	client, peer *netlab.Host
}

func newRelayLab(t *testing.T, flags ...string) relayLab {
	lab := netlab.New(t)
	s := startServer(t, lab.WAN.Host("server"), flags...)
	return relayLab{s, lab.WAN.Host("client"), lab.WAN.Host("peer")}
}

// Debian's coturn brings a TURN client of its own, which nobody wrote with us
// in mind.
func TestCoturnClientLosesNothing(t *testing.T) {
	t.Parallel()
	uclient, upeer := need.Tool(t, "turnutils_uclient", "coturn"), need.Tool(t, "turnutils_peer", "coturn")
	lab := newRelayLab(t, "--turn-secret", sharedSecret)
	proc.Start(t, "peer", lab.peer.Command(upeer, "-p", "3480", "-L", lab.peer.Addr().String()))
	toPeer := []string{"-e", lab.peer.Addr().String(), "-r", "3480"}
	clients := map[string]*proc.Process{}
	for transport, flags := range map[string][]string{"UDP": nil, "TCP": {"-t"}} {
		for how, more := range map[string][]string{
			"ChannelData to a peer":          toPeer,
			"Send indications to a peer":     append([]string{"-s"}, toPeer...),
			"ChannelData to each other":      {"-y"},
			"Send indications to each other": {"-y", "-s"},
		} {
			// So little that no socket buffer overflows while the machine does
			// something else for half a second: what is lost then is lost by us.
			args := slices.Concat([]string{"-u", "ann", "-W", sharedSecret, "-n", "50", "-z", "20", "-l", "200"}, flags, more)
			clients[transport+" "+how] = proc.Start(t, "uclient", lab.client.Command(uclient, append(args, lab.host().String())...))
		}
	}
	for name, p := range clients { // all at the same time: each takes some seconds
		t.Run(name, func(t *testing.T) {
			code, said := p.Wait(2*patience), p.Output()
			total := regexp.MustCompile(`(?m)start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)$`).FindStringSubmatch(said)
			if code != 0 || total == nil || total[1] == "0" || total[1] != total[2] || !strings.Contains(said, "Total lost packets 0 (0.000000%), total send dropped 0 ") {
				t.Errorf("exit code %d, sent and received %q", code, total)
			}
		})
	}
}

// host is the server's address.
func (l relayLab) host() netip.Addr {
	return netip.MustParseAddrPort(l.turn).Addr()
}

func TestCoturnClientWithAnotherSecretIsRefused(t *testing.T) {
	t.Parallel()
	uclient := need.Tool(t, "turnutils_uclient", "coturn")
	lab := newRelayLab(t, "--turn-secret", sharedSecret)
	for name, flags := range map[string][]string{
		"another secret": {"-u", "ann", "-W", "another secret"},
		"a password":     {"-u", "ann", "-w", sharedSecret},
		"an old name":    {"-u", "1000000000:ann", "-w", "x"},
	} {
		p := proc.Start(t, "uclient", lab.client.Command(uclient, append(flags, "-y", lab.host().String())...))
		if code := p.Wait(patience); code == 0 || !strings.Contains(p.Output(), "Cannot complete Allocation") {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	if status := lab.status(); status.Relay.Allocations != 0 || status.Relay.Refusals["integrity"] == 0 {
		t.Errorf("the relay tells of %+v", status.Relay)
	}
}

func TestRoomHandsOutRelayCredentials(t *testing.T) {
	t.Parallel()
	lab := newRelayLab(t, "--allowed-hosts", "lab.example")
	to := echo(t, lab.peer)
	room := lab.room()
	ann, bob := lab.join(t, lab.client, room, "ann"), lab.join(t, lab.client, room, "bob")
	if ann.welcome.ICETTL < 600 {
		t.Errorf("credentials last %d s", ann.welcome.ICETTL)
	}
	if a, b := relayEntry(t, ann), relayEntry(t, bob); a.Username == b.Username || a.Credential == b.Credential {
		t.Errorf("ann and bob share the credentials %+v", a)
	}
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			through := allocate(t, lab.client, relayEntry(t, ann), transport)
			if relayed := through.LocalAddr().(*net.UDPAddr).AddrPort(); relayed.Addr() != lab.host() {
				t.Errorf("the relayed address is %s", relayed)
			}
			roundTrip(t, through, to, "hello through "+transport)
		})
	}
	t.Run("of a foreign secret", func(t *testing.T) {
		entry := relayEntry(t, ann)
		entry.Credential = strings.Repeat("A", 27) + "="
		if conn, err := tryAllocate(t, lab.client, entry, "udp"); err == nil {
			t.Errorf("made an allocation at %s", conn.LocalAddr())
		}
	})
	// The relay is where the visitor found the pages; browsers gather no
	// candidates on the loopback, so those get its own address.
	for came, relay := range map[string]string{
		lab.addr():           lab.turn,
		"lab.example:8080":   "lab.example:3478",
		"[2001:db8::1]:8080": "[2001:db8::1]:3478",
		"localhost:8080":     lab.turn,
		"127.0.0.1:8080":     lab.turn,
		"lab.localhost":      lab.turn,
	} {
		t.Run("to who came to "+came, func(t *testing.T) {
			ws, _, err := dialSocket(lab.server, t, lab.client, lab.room(), http.Header{"Host": {came}})
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			m := &member{t: t, ws: ws}
			m.send(joinMessage("cat"))
			m.welcome = m.expect("welcome")
			if got, want := relayEntry(t, m).URLs, []string{"turn:" + relay + "?transport=udp", "turn:" + relay + "?transport=tcp"}; !slices.Equal(got, want) {
				t.Errorf("is sent to %v, want %v", got, want)
			}
		})
	}
}

// The credentials we make for somebody else's coturn are the ones it wants.
func TestExternalRelayTakesOurCredentials(t *testing.T) {
	t.Parallel()
	turnserver := need.Tool(t, "turnserver", "coturn")
	lab := netlab.New(t)
	host := lab.WAN.Host("server")
	client, peer := lab.WAN.Host("client"), lab.WAN.Host("peer")
	const port = 3479
	coturn := proc.Start(t, "coturn", host.Command(turnserver, "-n", "--log-file=stdout", "--simple-log",
		"--use-auth-secret", "--static-auth-secret="+sharedSecret, "--realm=coturn.example",
		"--listening-ip="+host.Addr().String(), "--relay-ip="+host.Addr().String(), fmt.Sprintf("--listening-port=%d", port),
		"--no-tls", "--no-dtls", "--no-cli", "--no-multicast-peers", "--pidfile="+t.TempDir()+"/pid", "--userdb="+t.TempDir()+"/db"))
	address := netip.AddrPortFrom(host.Addr(), port).String()
	eventually(t, "coturn to answer", patience, func() bool { return answersSTUN(t, client, address) })
	s := startServer(t, host, "--turn-secret", sharedSecret,
		"--ice-servers", fmt.Sprintf(`[{"urls":["stun:{host}:%d"]},{"urls":["turn:{host}:%d?transport=udp","turn:{host}:%d?transport=tcp"]}]`, port, port, port))
	ann := s.join(t, client, s.room(), "ann")
	to := echo(t, peer)
	for _, transport := range []string{"udp", "tcp"} {
		through := allocate(t, client, relayEntry(t, ann), transport)
		roundTrip(t, through, to, "hello through coturn over "+transport)
	}
	if s.turn != "" {
		t.Errorf("our own relay listens too: %s", s.turn)
	}
	if status := s.status(); status.Relay.Mode != "external" {
		t.Errorf("the relay is %+v", status.Relay)
	}
	coturn.Stop()
}

func TestNoRelay(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, "--turn-addr", "off")
	ann := s.join(t, here, s.room(), "ann")
	if len(ann.welcome.ICEServers) != 0 || s.turn != "" || s.status().Relay.Mode != "off" {
		t.Errorf("without a relay a member is told of %+v", ann.welcome.ICEServers)
	}
	if r := s.do(here, http.MethodGet, "/"); r.StatusCode != http.StatusOK {
		t.Errorf("the front page: %s", r.Status)
	}
}

// relayEntry is the TURN server a member was told of.
func relayEntry(t testing.TB, m *member) iceServer {
	t.Helper()
	for _, entry := range m.welcome.ICEServers {
		if len(entry.URLs) > 0 && strings.HasPrefix(entry.URLs[0], "turn:") {
			return entry
		}
	}
	t.Fatalf("no TURN server in %+v", m.welcome.ICEServers)
	return iceServer{}
}

// allocate makes an allocation from there, which lives until the test ends. What
// is written to it goes out at the relayed address.
func allocate(t testing.TB, from vantage, entry iceServer, transport string) net.PacketConn {
	t.Helper()
	conn, err := tryAllocate(t, from, entry, transport)
	if err != nil {
		t.Fatalf("allocate at %v over %s: %v", entry.URLs, transport, err)
	}
	return conn
}

func tryAllocate(t testing.TB, from vantage, entry iceServer, transport string) (net.PacketConn, error) {
	t.Helper()
	var address string
	for _, u := range entry.URLs {
		if host, found := strings.CutSuffix(u, "?transport="+transport); found {
			address = strings.TrimPrefix(host, "turn:")
		}
	}
	if address == "" {
		t.Fatalf("no TURN over %s in %v", transport, entry.URLs)
	}
	var conn net.PacketConn
	if transport == "tcp" {
		conn = turn.NewSTUNConn(dial(t, from, "tcp", address))
	} else {
		conn = listenUDP(t, from)
	}
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: address, TURNServerAddr: address, Conn: conn,
		Username: entry.Username, Password: entry.Credential,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	through, err := client.Allocate()
	if err != nil {
		return nil, err
	}
	conn = &relayed{PacketConn: through}
	t.Cleanup(func() { conn.Close() })
	return conn, nil
}

// relayed is an allocation that is given back once. Pion's would ask again, and
// wait for an answer that nobody gives.
type relayed struct {
	net.PacketConn
	once sync.Once
}

func (r *relayed) Close() (err error) {
	r.once.Do(func() { err = r.PacketConn.Close() })
	return err
}

// roundTrip sends text to an echo and waits for it to come back.
func roundTrip(t testing.TB, through net.PacketConn, to netip.AddrPort, text string) {
	t.Helper()
	if _, err := through.WriteTo([]byte(text), net.UDPAddrFromAddrPort(to)); err != nil {
		t.Fatalf("send %q: %v", text, err)
	}
	through.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 2048)
	n, from, err := through.ReadFrom(buf)
	if err != nil {
		t.Fatalf("waiting for %q: %v", text, err)
	}
	if string(buf[:n]) != text || from.String() != to.String() {
		t.Errorf("got %q from %s, want %q from %s", buf[:n], from, text, to)
	}
}
