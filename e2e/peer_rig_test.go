package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"peerlab/e2e/netlab"
	"peerlab/e2e/proc"
)

// pair is a server on the WAN and two hosts, each behind a router of its own,
// for programs without a browser.
type pair struct {
	*server
	routers [2]*netlab.Router
	hosts   [2]*netlab.Host
}

func newPair(t *testing.T) *pair {
	t.Helper()
	lab := netlab.New(t)
	p := &pair{server: startServer(t, lab.WAN.Host("server"))}
	for i, name := range []string{"left", "right"} {
		p.routers[i] = lab.WAN.Router(name+"-home", netlab.Cone)
		p.hosts[i] = p.routers[i].LAN.Host(name)
	}
	return p
}

// link makes a room and returns its address.
func (s *server) link() string {
	s.t.Helper()
	return s.base + "/rooms/" + s.room()
}

// startPeer starts cmd/peer on a host.
func startPeer(t testing.TB, host *netlab.Host, args ...string) *proc.Process {
	t.Helper()
	return proc.Start(t, "peer "+args[0], host.Command(programs.Binary(t, "cmd/peer"), args...))
}

// chatter is a peer that chats.
type chatter struct {
	*proc.Process
	t     testing.TB
	stdin io.WriteCloser
}

func startChatter(t testing.TB, host *netlab.Host, link, name string) *chatter {
	t.Helper()
	cmd := host.Command(programs.Binary(t, "cmd/peer"), "join", link, "--name", name)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &chatter{proc.Start(t, name, cmd), t, stdin}
}

func (c *chatter) says(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		c.t.Fatalf("say %q: %v", line, err)
	}
}

// leaves ends the input, which ends the program.
func (c *chatter) leaves() {
	c.t.Helper()
	c.stdin.Close()
	if code := c.Wait(patience); code != 0 {
		c.t.Errorf("exit code %d", code)
	}
}

// content is a file to send.
type content struct {
	path string
	data []byte
	hash string
}

// newContent writes reproducible noise that is different for each name.
func newContent(t testing.TB, name string, size int) content {
	t.Helper()
	c := content{path: filepath.Join(t.TempDir(), name), data: make([]byte, size)}
	rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(c.data)
	sum := sha256.Sum256(c.data)
	c.hash = hex.EncodeToString(sum[:])
	if err := os.WriteFile(c.path, c.data, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c content) name() string { return filepath.Base(c.path) }

// arrived expects the file in the directory, byte for byte, and nothing else.
func (c content) arrived(t testing.TB, dir string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, c.name()))
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, c.data) {
		t.Errorf("%s arrived different, with %d of %d bytes", c.name(), len(got), len(c.data))
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("beside the file there are %v (%v)", left, err)
	}
}

// partly waits until so many bytes of the file have been written in the directory.
func (c content) partly(t testing.TB, dir string, bytes int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d bytes of %s", bytes, c.name()), 2*patience, func() bool {
		return c.written(dir) >= bytes
	})
	if c.written(dir) == len(c.data) {
		t.Fatalf("%s is through before it could be disturbed", c.name())
	}
}

// written is how much of the file is in the directory.
func (c content) written(dir string) int {
	for _, suffix := range []string{"", ".part"} {
		if info, err := os.Stat(filepath.Join(dir, c.name()+suffix)); err == nil {
			return int(info.Size())
		}
	}
	return 0
}

// complete expects both programs to end well and to print the file's hash.
func (c content) complete(t testing.TB, programs ...*proc.Process) {
	t.Helper()
	for _, p := range programs {
		if code := p.Wait(recovery); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if !strings.Contains(p.Output(), fmt.Sprintf("%s  %d  ", c.hash, len(c.data))) {
			t.Errorf("the hash %s is not printed", c.hash)
		}
	}
}

// relayedBytes is how much the relay has carried so far.
func (s *server) relayedBytes() int {
	s.t.Helper()
	return int(s.metrics()["peerlab_relay_bytes_total"])
}
