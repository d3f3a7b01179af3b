package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/netlab"
	"peerlab/e2e/proc"
)

// patience is how long to wait for what has to happen.
const patience = 30 * time.Second

// vantage is where a client stands: a host of a lab, or here.
type vantage interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// here is the test's own machine, where servers listen on the loopback.
var here vantage = new(net.Dialer)

// server is a running cmd/server, known by what it printed.
type server struct {
	*proc.Process
	t    testing.TB
	from vantage // where its clients stand, unless they say otherwise
	base string  // such as http://25.0.0.10:8080
	turn string  // such as 25.0.0.10:3478

	killed bool
}

// startServer starts a server on a host of a lab, with its usual ports, or for
// a nil host here, on ports the system chooses. It is stopped when the test
// ends, and has to end well.
func startServer(t testing.TB, host *netlab.Host, flags ...string) *server {
	t.Helper()
	s := startServerCommand(t, host, flags...)
	urls := `http://localhost:\d+`
	if host != nil {
		s.from, urls = host, `http://`+host.Addr().String()+`:\d+`
	}
	s.base = s.WaitLine(`^  (`+urls+`)/`, patience)[1]
	relay := s.WaitLine(`^(?:The relay listens on UDP and TCP \S+:(\d+)|The relay is|There is no relay)`, patience)[1]
	if u, err := url.Parse(s.base); err == nil && relay != "" {
		s.turn = net.JoinHostPort(strings.Replace(u.Hostname(), "localhost", "127.0.0.1", 1), relay)
	}
	s.WaitLine(`^Press Ctrl-C`, patience)
	t.Cleanup(func() {
		if code := s.Stop(); code != 0 && !s.killed {
			t.Errorf("the server's exit code is %d", code)
		}
	})
	return s
}

// startServerCommand starts a server and waits for nothing.
func startServerCommand(t testing.TB, host *netlab.Host, flags ...string) *server {
	t.Helper()
	return &server{Process: proc.Start(t, "server", serverCommand(t, host, flags...)), t: t, from: here}
}

func serverCommand(t testing.TB, host *netlab.Host, flags ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(programs.Binary(t, "cmd/server"), flags...)
	cmd.Env = os.Environ()
	if host != nil {
		host.Enter(cmd)
		return cmd
	}
	cmd.Env = append(cmd.Env, "PEERLAB_ADDR=127.0.0.1:0", "PEERLAB_TURN_ADDR=127.0.0.1:0", "PEERLAB_RELAY_IP=127.0.0.1")
	return cmd
}

// kill ends the server without giving it a chance to tidy up.
func (s *server) kill() {
	s.killed = true
	s.Kill()
}

// addr is the host and port of the pages.
func (s *server) addr() string { return strings.TrimPrefix(s.base, "http://") }

// clientAt makes requests from there, each on a connection of its own, and
// follows no redirect.
func clientAt(from vantage) *http.Client {
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DialContext: from.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body string
}

// do makes a request from there; header is pairs of names and values.
func (s *server) do(from vantage, method, path string, header ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := clientAt(from).Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{resp, string(body)}
}

// get expects a page.
func (s *server) get(path string) reply {
	s.t.Helper()
	r := s.do(s.from, http.MethodGet, path)
	if r.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s\n%s", path, r.Status, r.body)
	}
	return r
}

// room makes a room and returns its id.
func (s *server) room() string {
	s.t.Helper()
	r := s.do(s.from, http.MethodPost, "/rooms", "Accept", "application/json")
	var made struct{ Room string }
	if err := json.Unmarshal([]byte(r.body), &made); err != nil || made.Room == "" {
		s.t.Fatalf("POST /rooms: %s %q", r.Status, r.body)
	}
	return made.Room
}

// serverStatus is the part of /api/status that tests look at.
type serverStatus struct {
	Relay struct {
		Mode        string
		Allocations int
		Refusals    map[string]uint64
	}
	Mapping struct {
		State    string
		Gateway  string
		External string
		Detail   string
		Ports    []struct {
			Protocol           string
			External, Internal int
			Expires            time.Time
		}
	}
	NAT natStatus
}

type natStatus struct{ State, Kind, Sentence string }

func (s *server) status() serverStatus {
	s.t.Helper()
	var status serverStatus
	if body := s.get("/api/status").body; json.Unmarshal([]byte(body), &status) != nil {
		s.t.Fatalf("/api/status is %q", body)
	}
	return status
}

// eventually waits until a condition holds, asking a few times a second.
func eventually(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", within, what)
		}
	}
}

// listenUDP opens a UDP socket there, until the test ends.
func listenUDP(t testing.TB, from vantage) *net.UDPConn {
	t.Helper()
	if host, ok := from.(*netlab.Host); ok {
		return host.ListenUDP(0)
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// dial connects from there, until the test ends.
func dial(t testing.TB, from vantage, network, address string) net.Conn {
	t.Helper()
	conn, err := from.DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatalf("dial %s: %v", address, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// echo sends back every datagram it gets there, until the test ends.
func echo(t testing.TB, from vantage) netip.AddrPort {
	t.Helper()
	conn := listenUDP(t, from)
	go func() {
		for buf := make([]byte, 2048); ; {
			n, sender, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			conn.WriteToUDPAddrPort(buf[:n], sender)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}
