package e2e

import (
	"syscall"
	"testing"
	"time"
)

// large is a file that takes some seconds, to be disturbed.
const large = 96 << 20

// A sender that was killed starts over with the same command and goes on where
// the receiver's disk had got to.
func TestKilledSenderGoesOn(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	link, file, dir := p.link(), newContent(t, "long.bin", large), t.TempDir()
	// Through the relay, because it counts what it carries.
	send := []string{"send", link, file.path, "--to", "rita", "--relay-only"}
	receiver := startPeer(t, p.hosts[1], "receive", link, "--dir", dir, "--once", "--name", "rita")
	before := p.relayedBytes()
	killed := startPeer(t, p.hosts[0], send...)
	file.partly(t, dir, large/2)
	killed.Kill()
	first := p.relayedBytes() - before
	file.complete(t, startPeer(t, p.hosts[0], send...), receiver)
	file.arrived(t, dir)
	second := p.relayedBytes() - before - first
	t.Logf("relayed in the first run %d MiB, in the second %d MiB of %d", first>>20, second>>20, large>>20)
	if second > large*3/4 {
		t.Errorf("the second run took %d of %d bytes: it began anew", second, large)
	}
}

// The same for a receiver that is interrupted, and then comes back.
func TestInterruptedReceiverGoesOn(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	link, file, dir := p.link(), newContent(t, "long.bin", large), t.TempDir()
	receive := []string{"receive", link, "--dir", dir, "--once", "--name", "rita"}
	send := []string{"send", link, file.path, "--to", "rita", "--relay-only"}
	receiver, sender := startPeer(t, p.hosts[1], receive...), startPeer(t, p.hosts[0], send...)
	file.partly(t, dir, large/2)
	if code := receiver.Stop(); code != 130 {
		t.Errorf("the interrupted receiver's exit code is %d", code)
	}
	receiver.WaitLine(`kept as a \.part file`, patience)
	if code := sender.Wait(recovery); code != 3 {
		t.Errorf("the exit code of the sender, whose peer has left, is %d", code)
	}
	before := p.relayedBytes()
	again := startPeer(t, p.hosts[1], receive...)
	file.complete(t, startPeer(t, p.hosts[0], send...), again)
	file.arrived(t, dir)
	if second := p.relayedBytes() - before; second > large*3/4 {
		t.Errorf("the second run took %d of %d bytes: it began anew", second, large)
	}
}

// A file gets over a hole in the path, however long, and over the loss of the
// path when there is another.
func TestFilesSurviveCuts(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for name, disturb := range map[string]func(stalled func(time.Duration)){
		"a moment": func(stalled func(time.Duration)) {
			p.routers[0].Cut()
			stalled(time.Second)
			p.routers[0].Restore()
		},
		"long enough for another path to be tried": func(stalled func(time.Duration)) {
			p.routers[0].Cut()
			stalled(10 * time.Second)
			p.routers[0].Restore()
		},
		"a router that starts anew": func(func(time.Duration)) {
			p.routers[0].ForgetMappings()
		},
		"the direct path, for good": func(func(time.Duration)) {
			p.routers[0].Block(p.routers[1].Addr())
			t.Cleanup(func() { p.routers[0].Unblock(p.routers[1].Addr()) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			link, file, dir := p.link(), newContent(t, "long.bin", large), t.TempDir()
			receiver := startPeer(t, p.hosts[1], "receive", link, "--dir", dir, "--once")
			sender := startPeer(t, p.hosts[0], "send", link, file.path)
			file.partly(t, dir, large/8)
			began := time.Now()
			disturb(func(quiet time.Duration) { file.stalls(t, dir, quiet) })
			file.complete(t, sender, receiver)
			file.arrived(t, dir)
			t.Logf("complete %v after the disturbance began", time.Since(began).Round(time.Millisecond))
		})
	}
}

// stalls waits until nothing of the file has been written for so long.
func (c content) stalls(t testing.TB, dir string, quiet time.Duration) {
	t.Helper()
	last, since := c.written(dir), time.Now()
	eventually(t, "the file to stall", 2*patience, func() bool {
		if now := c.written(dir); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) >= quiet
	})
	if last == len(c.data) {
		t.Fatal("it is through already")
	}
}

// Ctrl-C during a transfer leaves what is needed to go on.
func TestInterruptedSender(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	link, file, dir := p.link(), newContent(t, "long.bin", large), t.TempDir()
	startPeer(t, p.hosts[1], "receive", link, "--dir", dir)
	sender := startPeer(t, p.hosts[0], "send", link, file.path)
	file.partly(t, dir, 1<<20)
	sender.Signal(syscall.SIGTERM)
	if code := sender.Wait(patience); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if file.written(dir) == 0 {
		t.Error("what had arrived is gone")
	}
}
