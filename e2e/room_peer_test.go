package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"peerlab/e2e/proc"
)

// commandLinePeer has cmd/peer, in Alice's network, meet the page of Bob.
func (c *couple) commandLinePeer(t *testing.T) {
	bob := newGuest(t, c.browsers[1].Page(t), "Bob")
	room := bob.startsRoom(c.server.base)

	t.Run("receive", func(t *testing.T) {
		bob := bob.with(t)
		dir := t.TempDir()
		p := c.startPeer(t, "receive", "--name", "Gopher", "--once", "--dir", dir, room)
		bob.reaches("Gopher", "direct", 2*patience)
		file := newDocument(t, "to the command line.bin", 10*mebibyte)
		bob.offers(file)
		bob.completes("out", file, recovery)
		if code := p.Wait(patience); code != 0 {
			t.Fatalf("peer receive: exit code %d", code)
		}
		p.WaitLine(`^`+file.sha256+`  10485760  .*`+regexp.QuoteMeta(file.name)+`$`, patience)
		if got, err := hashOf(filepath.Join(dir, file.name)); got != file.sha256 || err != nil {
			t.Errorf("what arrived has the hash %s (%v), want %s", got, err, file.sha256)
		}
		bob.WaitFor(`!`+one("peer"), patience)
	})

	t.Run("send", func(t *testing.T) {
		bob := bob.with(t)
		file := newDocument(t, "from the command line.bin", 10*mebibyte)
		p := c.startPeer(t, "send", "--name", "Gopher", "--to", "Bob", room, file.path)
		bob.accepts(file.name)
		bob.completes("in", file, recovery)
		if code := p.Wait(patience); code != 0 {
			t.Errorf("peer send: exit code %d", code)
		}
		bob.WaitFor(`!`+one("peer"), patience)
		bob.saves(file) // which he may do when the sender is gone
		p.WaitLine(`^`+file.sha256+`  10485760  `+regexp.QuoteMeta(file.name)+`$`, patience)
	})

	t.Run("send, declined", func(t *testing.T) {
		bob := bob.with(t)
		file := newDocument(t, "nobody wants.bin", 10)
		p := c.startPeer(t, "send", "--name", "Gopher", "--to", "Bob", room, file.path)
		bob.Click(row("in", file.name, "decline"))
		if code := p.Wait(patience); code != 4 {
			t.Errorf("peer send: exit code %d, want 4, a transfer was refused", code)
		}
		bob.seesTransfer("in", file.name, patience, "declined")
	})

	t.Run("join", func(t *testing.T) {
		bob := bob.with(t)
		cmd := c.peerCommand(t, "join", "--name", "Gopher", room)
		lines, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p := proc.Start(t, "peer", cmd)
		bob.reaches("Gopher", "direct", 2*patience)
		p.WaitLine(`^· Bob: connected`, patience)
		if _, err := lines.Write([]byte("Grüße from the command line\n")); err != nil {
			t.Fatal(err)
		}
		bob.hears("Gopher", "Grüße from the command line")
		// A program can find out what its NAT lets in, where a page cannot.
		bob.WaitFor(`/^cone-like NAT\. .*Only the very ports that were sent to are let in\.$/.test([...document.querySelectorAll('[data-testid="nats"] div')].find((row) => row.querySelector('dt').textContent === 'Gopher')?.querySelector('dd').textContent)`, patience)
		bob.WaitFor(`/^cone-like NAT/.test([...document.querySelectorAll('[data-testid="nats"] div')].find((row) => row.querySelector('dt').textContent === 'You')?.querySelector('dd').textContent)`, patience)
		if _, err := lines.Write([]byte("/peers\n")); err != nil {
			t.Fatal(err)
		}
		p.WaitLine(`^· Bob: connected\. Packets go directly, .+ NATs: ours cone or symmetric by address, port-restricted, theirs cone or symmetric by address, filtering unknown\.$`, patience)
		// What a terminal would obey arrives without its teeth.
		bob.says("hello \u001b[31mred")
		p.WaitLine(`^Bob: hello \[31mred$`, patience)
		if _, err := lines.Write([]byte("/quit\n")); err != nil {
			t.Fatal(err)
		}
		if code := p.Wait(patience); code != 0 {
			t.Errorf("peer join: exit code %d", code)
		}
		bob.WaitFor(`!`+one("peer"), patience)
	})
}

func (c *couple) startPeer(t *testing.T, args ...string) *proc.Process {
	t.Helper()
	return proc.Start(t, "peer", c.peerCommand(t, args...))
}

func (c *couple) peerCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(programs.Binary(t, "cmd/peer"), args...)
	cmd.Env = os.Environ()
	c.hosts[0].Enter(cmd)
	return cmd
}

// with is the same guest for a subtest.
func (g *guest) with(t testing.TB) *guest {
	return &guest{g.Page.With(t), t, g.name}
}
