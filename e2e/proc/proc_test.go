package proc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"peerlab/e2e/proc"
	"peerlab/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const patience = 10 * time.Second

func sh(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func TestWaitLineAndExitCode(t *testing.T) {
	p := proc.Start(t, "sh", sh(`echo port 1234; echo done >&2; exit 3`))
	if m := p.WaitLine(`port (\d+)`, patience); m[1] != "1234" {
		t.Errorf("group = %q", m[1])
	}
	// A line that came before is found too, and standard error is read.
	p.WaitLine("done", patience)
	p.WaitLine("port", patience)
	if code := p.Wait(patience); code != 3 {
		t.Errorf("exit code = %d, want 3", code)
	}
	if out := p.Output(); out != "port 1234\ndone" {
		t.Errorf("output = %q", out)
	}
}

func TestWaitLineFromSkipsWhatWasBefore(t *testing.T) {
	p := proc.Start(t, "sh", sh(`trap 'echo tick 2; exit 0' INT; echo tick 1; while :; do sleep 0.05; done`))
	p.WaitLine("tick", patience)
	seen := p.Lines()
	p.Signal(os.Interrupt)
	if m := p.WaitLineFrom(seen, `tick (\d)`, patience); m[1] != "2" {
		t.Errorf("got tick %s, want the second", m[1])
	}
	p.Wait(patience)
}

func TestStopInterrupts(t *testing.T) {
	p := proc.Start(t, "sh", sh(`trap 'echo bye; exit 7' INT; echo ready; while :; do sleep 0.05; done`))
	p.WaitLine("ready", patience)
	if code := p.Stop(); code != 7 {
		t.Errorf("exit code = %d, want 7", code)
	}
	p.WaitLine("bye", patience)
}

func TestGrandchildrenGoWithTheTest(t *testing.T) {
	pidfd := -1
	t.Run("inner", func(t *testing.T) {
		p := proc.Start(t, "sh", sh(`sleep 1000 & echo child $!; wait`))
		child, err := strconv.Atoi(p.WaitLine(`child (\d+)`, patience)[1])
		if err != nil {
			t.Fatal(err)
		}
		if pidfd, err = unix.PidfdOpen(child, 0); err != nil {
			t.Fatalf("child %d is not there: %v", child, err)
		}
	})
	defer unix.Close(pidfd)
	// A pidfd is readable once its process has ended.
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
	if n != 1 || err != nil {
		t.Errorf("the child outlived the test (poll: %d, %v)", n, err)
	}
}

func TestBuilderBuildsOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go tool")
	}
	b := proc.NewBuilder(t.TempDir())
	path := b.Binary(t, "e2e/proc/testdata/hello")
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	p := proc.Start(t, "hello", exec.Command(path))
	p.WaitLine("^hello$", patience)
	if code := p.Wait(patience); code != 0 {
		t.Errorf("exit code = %d", code)
	}
	if again := b.Binary(t, "e2e/proc/testdata/hello"); again != path {
		t.Errorf("second time %s, first %s", again, path)
	}
	second, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !second.ModTime().Equal(first.ModTime()) {
		t.Error("built twice")
	}
	if filepath.Base(path) != "hello" {
		t.Errorf("binary is called %s", path)
	}
}
