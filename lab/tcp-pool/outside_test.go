package tcppool_test

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peerlab/lab/labtest"
	"peerlab/need"
	"peerlab/trace"
)

// over waits until the default scenes of all ways are over.
func over(t *testing.T, query string) *labtest.Running {
	t.Helper()
	r := labtest.Start(t, theLab(t), query+"&requests=1&patience=200&work=5&probe-after=20&idle=90&stay=100&duration=120")
	r.Until("the end of the scenes", func(e trace.Event) bool {
		return e.Kind == trace.Note && strings.HasPrefix(e.Text, "All scenes are over")
	})
	return r
}

func TestOutsidersAndTheKernel(t *testing.T) {
	t.Parallel()
	nc, ss := need.Tool(t, "nc", "netcat-openbsd"), need.Tool(t, "ss", "iproute2")
	r := over(t, "pool=naive")
	// The connections that lie in the pool were closed, and reset when written to.
	got, err := exec.CommandContext(t.Context(), ss, "-tnH", "dport", "=", ":"+r.Live("naive.port")).Output()
	if err != nil || strings.Contains(string(got), "ESTAB") {
		t.Errorf("after the restart the kernel has %q, %v", got, err)
	}
	byNetcat(t, nc, r)
	aLineWithoutAnEnd(t, net.JoinHostPort(r.Live("naive.host"), r.Live("naive.port")))
	r.Stop()
}

func byNetcat(t *testing.T, nc string, r *labtest.Running) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), nc, "-N", r.Live("naive.host"), r.Live("naive.port"))
	cmd.Stdin = strings.NewReader("7 30\nwhat?\n8 0\n")
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	if len(lines) != 3 || lines[0] != "7 done after 30ms, request 1 on this connection" ||
		!strings.HasPrefix(lines[1], "say a number") || lines[2] != "8 done after 0s, request 3 on this connection" {
		t.Errorf("answered %q", got)
	}
}

// aLineWithoutAnEnd is cut off.
func aLineWithoutAnEnd(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, strings.Repeat("9", 4000))
	if got, err := io.ReadAll(c); len(got) != 0 {
		t.Errorf("answered %q, %v", got, err)
	}
}

func TestOutsidersTakeNoPlaceOfThePool(t *testing.T) {
	t.Parallel()
	r := over(t, "pool=puddle&limit=2&size=2")
	address := net.JoinHostPort(r.Live("puddle.host"), r.Live("puddle.port"))
	served, refused := 0, 0
	for range 6 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, "1 0\n"); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if strings.HasPrefix(line, "1 done") {
			served++
		} else if err != nil || strings.HasPrefix(line, "busy") {
			refused++
		}
	}
	if served != 4 || refused != 2 {
		t.Errorf("%d outsiders served, %d refused; there is room for 4", served, refused)
	}
	r.Act("restart") // the pool is served all the same
	r.Until("the restart", func(e trace.Event) bool {
		return e.Kind == trace.Note && strings.HasPrefix(e.Text, "Scene restart: all 4 answered") && r.Count(func(e trace.Event) bool {
			return e.Kind == trace.Message && e.Name == "closes" && e.To == "puddle/outsiders"
		}) >= 4
	})
	r.Stop()
}
