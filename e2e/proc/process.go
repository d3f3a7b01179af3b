// Package proc runs the programs a test needs, and leaves none behind.
//
// A program is started in a process group of its own, which is killed when the
// test ends, and by the kernel when the test process itself is killed. What it
// prints goes line by line to the test's log and can be waited for:
//
//	server := proc.Start(t, "server", host.Command(binary, "--addr", ":8080"))
//	server.WaitLine(`listening on (\S+)`, 10*time.Second)
//
// It does not restart programs, feed them input after the start, or judge
// what they print.
package proc

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// stopTimeout is how long a program may take to end after an interrupt.
	stopTimeout = 15 * time.Second
	// outputGrace is how long to read on after a program ended, in case
	// another process holds its output open.
	outputGrace = time.Second
	// maxLine is the longest line that is kept whole, in bytes.
	maxLine = 1 << 20
)

// Process is a running or ended program. Its methods are for the goroutine of
// the test, whose failure they report.
type Process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	// exited is closed when the program has ended and its output is complete.
	exited chan struct{}

	mu    sync.Mutex
	lines []string
	// more is closed, and replaced, when there is a new line.
	more chan struct{}
}

// Start starts the command under a name for the log. Its standard output and
// error must not be set. It is killed when the test ends.
func Start(t testing.TB, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, name: name, cmd: cmd, exited: make(chan struct{}), more: make(chan struct{})}
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	cmd.Stdout, cmd.Stderr = input, input
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL

	read := make(chan struct{})
	started := make(chan error)
	go func() {
		// Pdeathsig strikes when the starting thread ends, so this goroutine
		// keeps its thread as long as the program runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		input.Close()
		started <- err
		if err != nil {
			output.Close()
			return
		}
		// The result is in cmd.ProcessState.
		_ = cmd.Wait()
		// Children that outlived the program go with it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		output.SetReadDeadline(time.Now().Add(outputGrace))
		<-read
		output.Close()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		defer close(read)
		p.read(output)
	}()
	t.Cleanup(p.Kill)
	return p
}

// read logs and keeps the output until it ends.
func (p *Process) read(output io.Reader) {
	scanner := bufio.NewScanner(output)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		p.add(scanner.Text())
	}
	if err := scanner.Err(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		p.add("output not read further: " + err.Error())
		_, _ = io.Copy(io.Discard, output) // do not let the program block
	}
}

func (p *Process) add(line string) {
	p.t.Logf("%s: %s", p.name, line)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	close(p.more)
	p.more = make(chan struct{})
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output is what the program has printed until now.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// WaitLine returns the first line, of all printed since the start, that
// matches the expression, followed by its groups. It ends the test when there
// is none in time or the program ends without it.
func (p *Process) WaitLine(expression string, timeout time.Duration) []string {
	p.t.Helper()
	return p.WaitLineFrom(0, expression, timeout)
}

// Lines is the number of lines printed until now, for WaitLineFrom.
func (p *Process) Lines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines)
}

// WaitLineFrom is WaitLine without the lines before number from.
func (p *Process) WaitLineFrom(from int, expression string, timeout time.Duration) []string {
	p.t.Helper()
	re := regexp.MustCompile(expression)
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	for next, ended := from, false; ; {
		p.mu.Lock()
		lines, more := p.lines, p.more
		p.mu.Unlock()
		for ; next < len(lines); next++ {
			if match := re.FindStringSubmatch(lines[next]); match != nil {
				return match
			}
		}
		if ended {
			p.t.Fatalf("%s ended (%v) without printing %q", p.name, p.cmd.ProcessState, expression)
		}
		select {
		case <-more:
		case <-p.exited:
			ended = true // look once more: the last lines came before this
		case <-deadline.C:
			p.t.Fatalf("%s did not print %q in %v", p.name, expression, timeout)
		}
	}
}

// Wait waits for the program to end by itself and returns its exit code. It
// ends the test when that takes too long.
func (p *Process) Wait(timeout time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(timeout):
		p.t.Fatalf("%s still runs after %v", p.name, timeout)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Exited is closed when the program has ended and its output is complete.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop interrupts the program (SIGINT), waits for its end and returns its exit
// code; -1 is death by a signal. A program that does not end in 15 seconds is
// killed and fails the test.
func (p *Process) Stop() int {
	p.t.Helper()
	p.Signal(os.Interrupt)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.t.Errorf("%s did not end within %v of an interrupt", p.name, stopTimeout)
		p.Kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends a signal to the program alone. One that has ended is left in
// peace.
func (p *Process) Signal(signal os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %s: %v", p.name, err)
	}
}

// Kill kills the program and all in its process group, and waits for its end.
func (p *Process) Kill() {
	select {
	case <-p.exited:
		return
	default:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may be ending just now
	<-p.exited
}
