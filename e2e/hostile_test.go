package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/netlab"
	"peerlab/e2e/proc"
)

// hostileLab is a server that others use in peace, and somebody who means harm.
type hostileLab struct {
	*server
	others  *bystanders
	host    *netlab.Host // the server's
	mallory *netlab.Host
	visitor *netlab.Host // a newcomer who should find everything as usual
}

// One server takes it all, one attack after the other; after each the others
// have to be as they were.
func TestHostileClients(t *testing.T) {
	lab := netlab.New(t)
	host := lab.WAN.Host("server")
	s := startServer(t, host)
	l := hostileLab{server: s, host: host, mallory: lab.WAN.Host("mallory"), visitor: lab.WAN.Host("visitor")}
	var stop func()
	l.others, stop = newBystanders(t, s, lab.WAN.Host("others"), lab.WAN.Host("peer"))
	l.others.stillTalk(t)
	files := openFiles(t, s.Process)

	for _, attack := range []struct {
		name string
		run  func(*testing.T, hostileLab)
	}{
		{"an indication without an address", emptyPeerAddress},
		{"frames of wrapping length", wrappingLengths},
		{"garbage in datagrams", garbageDatagrams},
		{"garbage in streams", garbageStreams},
		{"peers that are nobody's business", forbiddenPeers},
		{"silent connections to the pages", silentPages},
		{"silent connections to the relay", silentRelay},
		{"silent WebSockets", silentSockets},
		{"messages that are none", malformedMessages},
		{"frames too large", oversizeFrames},
		{"more messages than allowed", floods},
	} {
		t.Run(attack.name, func(t *testing.T) {
			attack.run(t, l)
			l.others.stillTalk(t)
			l.serves(t)
		})
	}

	eventually(t, "the attackers' connections to be closed", 2*patience, func() bool {
		return openFiles(t, s.Process) <= files+10
	})
	stop()
	comesToRest(t, s.Process)
	peak := memory(t, s.Process, "VmHWM")
	t.Logf("memory at its peak: %d MiB", peak>>20)
	if limit := 256 << 20; peak > limit && os.Getenv(proc.RaceVariable) == "" {
		t.Errorf("the server took %d MiB", peak>>20)
	}
}

// serves expects that a newcomer can have a page, a room and a relay.
func (l hostileLab) serves(t *testing.T) {
	t.Helper()
	at := *l.server
	at.t, at.from = t, l.visitor
	m := at.join(t, l.visitor, at.room(), "visitor")
	allocate(t, l.visitor, relayEntry(t, m), "tcp")
}

// credentials makes mallory a member of a room, as anybody can be.
func (l hostileLab) credentials(t *testing.T) iceServer {
	t.Helper()
	return relayEntry(t, l.join(t, l.mallory, l.room(), "mallory"))
}

// refused reads how often the relay has refused or dropped something for a reason.
func (l hostileLab) refused(reason string) float64 {
	l.t.Helper()
	return l.metrics()[`peerlab_relay_refusals_total{reason="`+reason+`"}`]
}

// expectEnd waits until the server has closed the connection, whatever it says
// before, and returns that.
func expectEnd(t testing.TB, what string, conn net.Conn) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(2 * patience))
	said, err := io.ReadAll(conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Errorf("%s: the server keeps the connection", what)
	}
	return string(said)
}

func garbageStreams(t *testing.T, l hostileLab) {
	random := rand.NewChaCha8([32]byte{2})
	for i := range 100 {
		for _, address := range []string{l.turn, l.addr()} {
			conn := dial(t, l.mallory, "tcp", address)
			conn.Write(noise(random, i))
			conn.(*net.TCPConn).CloseWrite()
			expectEnd(t, fmt.Sprint("garbage ", i, " at ", address), conn)
		}
	}
	for text, want := range map[string]string{
		"\r\n\r\nhello\r\n\r\n":                        " 400 ",
		"GET / HTTP/1.1\r\n\r\n":                       " 400 ", // no Host
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": " 400 ",
		"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n": " 400 ",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":             " 4",
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":                                                                     " 431 ",
		"POST /join HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n":                                                 " 4",
		"POST /join HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999\r\n\r\n" + strings.Repeat("x", 99999): " 413 ",
	} {
		conn := dial(t, l.mallory, "tcp", l.addr())
		io.WriteString(conn, text)
		conn.SetReadDeadline(time.Now().Add(patience))
		status, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(status, want) {
			t.Errorf("%.60q is answered %q (%v), want %q", text, status, err, want)
		}
	}
}

// crowd is how many connections one attacker opens.
const crowd = 1000

func silentPages(t *testing.T, l hostileLab) {
	conns := make([]net.Conn, crowd)
	for i := range conns {
		conns[i] = dial(t, l.mallory, "tcp", l.addr())
	}
	eventually(t, "the crowd to be let in", patience, func() bool { return openFiles(t, l.Process) >= crowd })
	// More of the same address are too many. When the server answers a request
	// it has seen all that came before.
	for range crowd / 2 {
		conns = append(conns, dial(t, l.mallory, "tcp", l.addr()))
	}
	l.get("/healthz")
	if now := openFiles(t, l.Process); now > crowd+crowd/4 {
		t.Errorf("with %d connections of one address the server has %d files open", len(conns), now)
	}
	l.others.stillTalk(t)
	l.serves(t)
	closeAll(conns)
}

func closeAll(conns []net.Conn) {
	for _, conn := range conns {
		conn.Close()
	}
}
