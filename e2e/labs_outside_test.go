package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"peerlab/need"
)

func TestPacketsOfARunAreReadByTshark(t *testing.T) {
	t.Parallel()
	need.Tool(t, "tshark", "tshark")
	s := startServer(t, nil)
	run := s.startRun("tcp-server", seconds+"&network=link&loss=10&seed=3")
	run.over()
	file := filepath.Join(t.TempDir(), "run.pcapng")
	if err := os.WriteFile(file, []byte(s.get(run.path+".pcapng").body), 0o600); err != nil {
		t.Fatal(err)
	}
	packets := strings.Count(shell(t, "tshark -r "+file+" -T fields -e frame.number 2>/dev/null", ""), "\n")
	again := strings.Count(shell(t, "tshark -r "+file+" -Y tcp.analysis.retransmission 2>/dev/null", ""), "\n")
	lost := strings.Count(strings.ToLower(shell(t, "tshark -r "+file+" -Y frame.comment -T fields -e frame.comment 2>/dev/null", "")), "lost")
	t.Logf("%d packets, %d sent again, %d lost", packets, again, lost)
	if packets == 0 || again+lost == 0 {
		t.Errorf("%d packets, %d sent again, %d lost", packets, again, lost)
	}

	other := s.startRun("tcp-server", seconds)
	other.over()
	if r := s.do(here, "GET", other.path+".pcapng"); r.StatusCode != http.StatusNotFound || !strings.Contains(r.body, "emulated link") {
		t.Errorf("packets of the loopback: %s", r.Status)
	}
}

func TestCommandsOfThePageWork(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl", "curl")
	need.Tool(t, "nc", "netcat-openbsd")
	s := startServer(t, nil)

	tcp := s.startRun("tcp-server", "clients=1&silent=0&messages=1&pace=0&stay=60&duration=60")
	nc := shell(t, containing(t, tcp.commands(), "printf", "nc"), "")
	if strings.Count(nc, "\n") < 3 || !strings.Contains(nc, "two") {
		t.Errorf("nc is answered %q", nc)
	}
	tcp.stop()

	throttle := s.startRun("throttle", "refill=0.5&burst=5&for=2&stay=60&duration=60")
	codes := shell(t, containing(t, throttle.commands(), "seq 30"), "")
	if !strings.Contains(codes, "200") || !strings.Contains(codes, "429") {
		t.Errorf("curl gets %s", codes)
	}
	throttle.stop()

	proxy := s.startRun("proxy", "requests=0&load=0&stay=60&duration=60")
	commands := proxy.commands()
	if got := shell(t, containing(t, commands, "curl -x", "/absolute"), ""); !strings.Contains(got, "/absolute") {
		t.Errorf("through the forward proxy: %q", got)
	}
	if got := shell(t, containing(t, commands, "curl -p -x", "/tunnelled"), ""); !strings.Contains(got, "/tunnelled") {
		t.Errorf("through a tunnel: %q", got)
	}
	if got := shell(t, containing(t, commands, "curl -x", "169.254.169.254"), ""); got == "" {
		t.Error("a refusal without a reason")
	}
	proxy.stop()
}
