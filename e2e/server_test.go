package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"peerlab/e2e/proc"
)

// start runs the server's program to its end, or until it is stopped.
func start(t *testing.T, flags ...string) *proc.Process {
	t.Helper()
	return startServerCommand(t, nil, flags...).Process
}

func TestServerIsUpAtOnce(t *testing.T) {
	programs.Binary(t, "cmd/server") // not part of the measurement
	began := time.Now()
	s := startServer(t, nil)
	if body := s.get("/healthz").body; body != "ok\n" {
		t.Errorf("/healthz says %q", body)
	}
	// A second is what we want; five are for a machine that has other work.
	took := time.Since(began)
	t.Logf("from exec to an answer: %v", took)
	if took > 5*time.Second {
		t.Errorf("the first answer came after %v", took)
	}
}

func TestCheckHealth(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	if code := start(t, "--check-health", "--addr", s.addr()).Wait(patience); code != 0 {
		t.Errorf("a healthy server: exit code %d", code)
	}
	// As in a container, where the server's own settings are in the environment.
	cmd := serverCommand(t, nil, "--check-health")
	cmd.Env = append(cmd.Env, "PEERLAB_ADDR="+strings.Replace(s.addr(), "localhost", "", 1))
	if code := proc.Start(t, "server", cmd).Wait(patience); code != 0 {
		t.Errorf("the address from the environment: exit code %d", code)
	}

	ill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(ill.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, server := range map[string]*httptest.Server{"ill": ill, "gone": gone} {
		p := start(t, "--check-health", "--addr", strings.TrimPrefix(server.URL, "http://"))
		if code, said := p.Wait(patience), p.Output(); code != 1 || !strings.HasPrefix(said, "peerlab: ") {
			t.Errorf("%s: exit code %d, %q", name, code, said)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	version := start(t, "--version")
	if code, said := version.Wait(patience), version.Output(); code != 0 || said == "" || strings.Contains(said, "\n") {
		t.Errorf("--version: exit code %d, %q", code, said)
	}
	help := start(t, "--help")
	if code := help.Wait(patience); code != 0 {
		t.Errorf("--help: exit code %d", code)
	}
	for _, flag := range []string{"addr", "public-url", "turn-addr", "stun-alt-addr", "relay-ip", "relay-ports", "turn-secret", "turn-peers",
		"ice-servers", "upnp", "stun-servers", "max-peers", "max-runs", "max-runs-each", "labs-on", "capture", "allowed-hosts", "trusted-proxies", "log-level", "log-format",
		"check-health", "version", "help"} {
		if !regexp.MustCompile(`(?m)^ +(-\w, )?--` + flag + `\b`).MatchString(help.Output()) {
			t.Errorf("--help does not tell of --%s", flag)
		}
	}
}

func TestTakenPortsAreNamed(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	udp := listenUDP(t, here)
	alt := listenUDP(t, here)
	for name, c := range map[string]struct{ flag, addr string }{
		"pages":     {"--addr", tcp.Addr().String()},
		"relay TCP": {"--turn-addr", tcp.Addr().String()},
		"relay UDP": {"--turn-addr", udp.LocalAddr().String()},
		"STUN":      {"--stun-alt-addr", alt.LocalAddr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			refusesToStart(t, c.flag+" "+c.addr+": the port is taken", c.flag, c.addr)
		})
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{
		{"--nope"}, {"extra"},
		{"--addr", "nonsense"}, {"--addr", "127.0.0.1:99999"},
		{"--turn-addr", "nonsense"}, {"--turn-addr", "127.0.0.1:99999"},
		{"--stun-alt-addr", "nonsense"}, {"--stun-alt-addr", "127.0.0.99:0"},
		{"--relay-ip", "x"}, {"--relay-ip", "::1"}, {"--relay-ip", "0.0.0.0"},
		{"--relay-ports", "9-1"}, {"--relay-ports", "2000-1999"}, {"--relay-ports", "80-90"}, {"--relay-ports", "50000-70000"},
		{"--turn-peers", "all"}, {"--turn-secret", "short"},
		{"--max-peers", "1"}, {"--max-peers", "65"}, {"--max-peers", "many"},
		{"--ice-servers", "no such file"}, {"--ice-servers", "[]"}, {"--ice-servers", "[{]"},
		{"--ice-servers", `[{"urls":["http:a"]}]`}, {"--ice-servers", `[{"urls":[]}]`}, {"--ice-servers", `[{"urls":["turn:a"]}]`},
		{"--public-url", "nope"}, {"--public-url", "http://a/b"}, {"--public-url", "ftp://a"},
		{"--trusted-proxies", "x"}, {"--stun-servers", "a b"}, {"--stun-servers", "a:0"},
		{"--upnp=maybe"}, {"--log-level", "loud"}, {"--log-format", "xml"},
	} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			name, _, _ := strings.Cut(flags[0], "=")
			refusesToStart(t, name, flags...)
		})
	}
	t.Run("environment", func(t *testing.T) {
		cmd := serverCommand(t, nil)
		cmd.Env = append(cmd.Env, "PEERLAB_MAX_PEERS=many")
		expectRefusal(t, proc.Start(t, "server", cmd), "--max-peers")
	})
}

// refusesToStart expects one line for a person, which says what is wrong with
// what, and exit code 1.
func refusesToStart(t *testing.T, says string, flags ...string) {
	t.Helper()
	expectRefusal(t, start(t, flags...), says)
}

func expectRefusal(t *testing.T, p *proc.Process, says string) {
	t.Helper()
	code, said := p.Wait(patience), p.Output()
	if code != 1 || !strings.HasPrefix(said, "peerlab: ") || !strings.Contains(said, says) || strings.Contains(said, "\n") {
		t.Errorf("exit code %d, %q; want 1 and one line that says %q", code, said, says)
	}
}

func TestSignalsEndTheServerInOrder(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s := startServer(t, nil)
			room := s.room()
			ann := s.join(t, here, room, "ann")
			waiting := s.openSocket(t, here, room)
			// Browsers keep connections, and open some in advance.
			dial(t, here, "tcp", s.addr())
			dial(t, here, "tcp", s.turn)
			kept := dial(t, here, "tcp", s.addr())
			fmt.Fprintf(kept, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if _, err := kept.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}

			began := time.Now()
			s.Signal(signal)
			for name, m := range map[string]*member{"a member": ann, "a socket that has not joined": waiting} {
				if bye := m.expect("bye"); bye.Reason != "shutdown" {
					t.Errorf("%s is told bye with the reason %q", name, bye.Reason)
				}
				if code := m.expectClose(); code != 1001 {
					t.Errorf("%s: close code %d, want 1001 (going away)", name, code)
				}
			}
			code, took := s.Wait(patience), time.Since(began)
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			// Nobody had a request under way, so there was nothing to wait for.
			t.Logf("from the signal to the end: %v", took)
			if took > 4*time.Second {
				t.Errorf("it took %v to end", took)
			}
			// Nothing holds the ports any more.
			startServer(t, nil, "--addr", s.addr(), "--turn-addr", s.turn)
		})
	}
}

// Who sends half a request can hold up the end only so long.
func TestHalfARequestDoesNotKeepTheServer(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	half := dial(t, here, "tcp", s.addr())
	fmt.Fprintf(half, "POST /join HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	// It reads the body only now, so it is busy with our request.
	if line, err := bufio.NewReader(half).ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	s.Signal(syscall.SIGINT)
	if code := s.Wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
