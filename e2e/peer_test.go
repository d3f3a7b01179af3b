package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/netlab"
)

// mega is a size of files that takes about a second.
const mega = 24 << 20

// A file goes between two command lines whatever is in the way, and the path is
// the one it should be.
func TestPeersSendFilesOverEveryPath(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, c := range []struct {
		name    string
		nat     netlab.NAT
		noUDP   [2]bool
		flags   []string
		relayed bool
		words   string
	}{
		{"cone and cone", netlab.Cone, [2]bool{}, nil, false, `^to rita\. Packets go directly, .*, over udp`},
		{"symmetric and symmetric", netlab.Symmetric, [2]bool{}, nil, true, `^to rita\. Packets go through a relay: `},
		{"no UDP at the sender", netlab.Cone, [2]bool{true, false}, nil, true, `^to rita\. Packets go through a relay: our address on the relay .*, over tcp`},
		{"no UDP anywhere", netlab.Cone, [2]bool{true, true}, nil, true, `^to rita\. Packets go through a relay: our address on the relay .*, over tcp`},
		{"a sender who hides, by UDP", netlab.Cone, [2]bool{}, []string{"--relay-only", "--relay-transport=udp"}, true, `^to rita\. Packets go through a relay: our address on the relay .*, over udp`},
		{"a sender who hides, by TCP", netlab.Cone, [2]bool{}, []string{"--relay-only", "--relay-transport=tcp"}, true, `our address on the relay .*, over tcp`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, router := range p.routers {
				router.SetNAT(c.nat)
				router.BlockUDP(c.noUDP[i])
			}
			before := p.relayedBytes()
			link, file, dir := p.link(), newContent(t, "noise.bin", mega), t.TempDir()
			receiver := startPeer(t, p.hosts[1], "receive", link, "--dir", dir, "--once", "--name", "rita")
			began := time.Now()
			sender := startPeer(t, p.hosts[0], append([]string{"send", link, file.path, "--to", "rita"}, c.flags...)...)
			sender.WaitLine(c.words, 2*patience)
			file.complete(t, sender, receiver)
			t.Logf("%d MiB in %v, joining included", mega>>20, time.Since(began).Round(time.Millisecond))
			file.arrived(t, dir)
			if relayed := p.relayedBytes() - before; (relayed >= mega) != c.relayed {
				t.Errorf("the relay carried %d bytes of %d", relayed, mega)
			}
		})
	}
}

func TestPeersChat(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	link := p.link()
	ann, ben := startChatter(t, p.hosts[0], link, "ann"), startChatter(t, p.hosts[1], link, "ben")
	ann.WaitLine(`^· ben: connected`, 2*patience)
	ben.WaitLine(`^· ann: connected`, 2*patience)
	ann.says("Schöne Grüße, ben 👋")
	ben.WaitLine(`^ann: Schöne Grüße, ben 👋$`, patience)
	ben.says("and back")
	ann.WaitLine(`^ben: and back$`, patience)
	ann.says("/peers")
	ann.WaitLine(`^· ben: connected\. Packets go directly, `, patience)
	ben.says("the last words") // arrive although ben leaves at once
	ben.leaves()
	ann.WaitLine(`^ben: the last words$`, patience)
	ann.WaitLine(`^· ben: closed`, patience)
	ann.leaves()
}

func TestPeersMeasure(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	link := p.link()
	other := startChatter(t, p.hosts[1], link, "other")
	bench := startPeer(t, p.hosts[0], "bench", link, "--json", "--duration", "500ms", "--to", "other", "--log-level", "error")
	if code := bench.Wait(recovery); code != 0 {
		t.Errorf("exit code %d", code)
	}
	other.leaves()
	_, text, _ := strings.Cut("\n"+bench.Output(), "\n{") // behind the remarks for people
	var result struct {
		Peer, Path    string
		Relayed       bool
		Send, Receive struct {
			Bytes   int64
			Seconds float64
			Rate    float64 `json:"bytes_per_second"`
		}
		RTT struct{ Min, Median, P95, Jitter float64 } `json:"rtt_ms"`
	}
	if err := json.Unmarshal([]byte("{"+text), &result); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if result.Peer != "other" || result.Relayed || !strings.Contains(result.Path, "directly") {
		t.Errorf("%+v", result)
	}
	for name, way := range map[string]struct {
		Bytes   int64
		Seconds float64
		Rate    float64 `json:"bytes_per_second"`
	}{"send": result.Send, "receive": result.Receive} {
		if way.Bytes < 1<<20 || way.Seconds < 0.1 || way.Rate < 1<<20 {
			t.Errorf("%s: %+v", name, way)
		}
	}
	if rtt := result.RTT; rtt.Min <= 0 || rtt.Min > rtt.Median || rtt.Median > rtt.P95 {
		t.Errorf("round trips: %+v", rtt)
	}
}

func TestInvitedGoPeer(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	link := p.link()
	path := strings.TrimPrefix(link, p.base)
	invite := func() int {
		return p.do(p.hosts[0], http.MethodPost, path+"/invite", "Accept", "application/json").StatusCode
	}
	if code := invite(); code != http.StatusAccepted {
		t.Fatalf("invitation: %d", code)
	}
	if code := invite(); code != http.StatusServiceUnavailable {
		t.Errorf("a second invitation: %d", code)
	}
	ann := startChatter(t, p.hosts[0], link, "ann")
	const bot = `^Peerlab Go: `
	ann.WaitLine(bot+`Hello! `, 2*patience)
	for say, answer := range map[string]string{
		"hello there": `echo: hello there$`,
		"/time":       `It is \d\d:\d\d:\d\d on .* UTC\.$`,
		"/path":       `Packets go `,
		"/dance":      `I do not know /dance`,
	} {
		ann.says(say)
		ann.WaitLine(bot+answer, patience)
	}
	file := newContent(t, "gift.bin", 1<<20)
	sender := startPeer(t, p.hosts[1], "send", link, file.path, "--to", "Peerlab Go")
	file.complete(t, sender)
	bench := startPeer(t, p.hosts[1], "bench", link, "--duration", "200ms", "--to", "Peerlab Go")
	if code := bench.Wait(recovery); code != 0 {
		t.Errorf("exit code of a measurement with it: %d", code)
	}
	ann.says("/bye")
	ann.WaitLine(bot+`Goodbye!$`, patience)
	ann.WaitLine(`^· Peerlab Go: closed`, patience)
	ann.leaves()
	if code := invite(); code != http.StatusAccepted {
		t.Errorf("an invitation after the peer has left: %d", code)
	}
}

// The exit code tells a script what happened.
func TestPeerExitCodes(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	file, none := newContent(t, "small.bin", 1000), filepath.Join(t.TempDir(), "none")
	nowhere := strings.Replace(p.link(), ":8080", ":9", 1)
	for _, c := range []struct {
		name string
		code int
		says string
		args []string
	}{
		{"no such flag", 1, "--nope", []string{"join", p.link(), "--nope"}},
		{"no room in the address", 1, "", []string{"join", p.base}},
		{"no address", 1, "", []string{"join", "somewhere"}},
		{"no such file", 1, "none", []string{"send", p.link(), none}},
		{"a directory for a file", 1, "", []string{"send", p.link(), filepath.Dir(none)}},
		{"no directory to make one in", 1, "directory", []string{"receive", p.link(), "--dir", filepath.Join(none, "inbox")}},
		{"an impossible duration", 1, "--duration", []string{"bench", p.link(), "--duration", "1h"}},
		{"a name too long", 1, "name", []string{"join", p.link(), "--name", strings.Repeat("x", 65)}},
		{"no such room", 2, "no such room", []string{"join", p.base + "/rooms/" + strings.Repeat("a", 26)}},
		{"nobody comes to chat", 2, "nobody came", []string{"join", p.link(), "--timeout", "100ms"}},
		{"nobody comes to receive", 2, "did not come", []string{"send", p.link(), file.path, "--timeout", "100ms"}},
		{"nobody comes to send", 2, "nobody", []string{"receive", p.link(), "--timeout", "100ms", "--dir", t.TempDir()}},
		{"no such server", 3, "refused", []string{"join", nowhere}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := p.hosts[0].Command(programs.Binary(t, "cmd/peer"), c.args...)
			quiet, err := cmd.StdinPipe() // or join leaves at once
			if err != nil {
				t.Fatal(err)
			}
			defer quiet.Close()
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) {
				t.Errorf("exit code %d (%v), %q; want %d and %q", code, err, out, c.code, c.says)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		link := p.link()
		receiver := startPeer(t, p.hosts[1], "receive", link, "--dir", t.TempDir(), "--max-size", "500B", "--once")
		sender := startPeer(t, p.hosts[0], "send", link, file.path)
		if code := sender.Wait(recovery); code != 4 || !strings.Contains(sender.Output(), "too-large") {
			t.Errorf("exit code %d, want 4", code)
		}
		receiver.Stop()
	})
	t.Run("interrupted", func(t *testing.T) {
		waiting := startPeer(t, p.hosts[0], "receive", p.link(), "--dir", t.TempDir())
		waiting.WaitLine("^waiting", patience)
		if code := waiting.Stop(); code != 130 || !strings.Contains(waiting.Output(), "interrupted") {
			t.Errorf("exit code %d, want 130", code)
		}
	})
	t.Run("help", func(t *testing.T) {
		help := startPeer(t, p.hosts[0], "--help")
		if code := help.Wait(patience); code != 0 || !regexp.MustCompile(`Exit codes: 0 .*1 .*2 `).MatchString(help.Output()) {
			t.Errorf("exit code %d", code)
		}
	})
}

// What was written keeps its place: nothing is overwritten.
func TestReceivedFilesReplaceNothing(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	file, dir := newContent(t, "report.txt", 5000), t.TempDir()
	own := filepath.Join(dir, file.name())
	if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := p.link()
	receiver := startPeer(t, p.hosts[1], "receive", link, "--dir", dir, "--once")
	file.complete(t, startPeer(t, p.hosts[0], "send", link, file.path), receiver)
	if mine, err := os.ReadFile(own); err != nil || string(mine) != "mine" {
		t.Errorf("the file that was there is %q (%v)", mine, err)
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 2 {
		t.Errorf("there are %v (%v), want two files", all, err)
	}
}
