package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"peerlab/e2e/proc"
)

// openFiles counts the files and sockets the process has open.
func openFiles(t testing.TB, p *proc.Process) int {
	t.Helper()
	open, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.PID()), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// memory reads a field of /proc/PID/status in bytes.
func memory(t testing.TB, p *proc.Process, field string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("no %s in %s", field, status)
	return 0
}

// cpu is the processor time the process has taken, in user and kernel mode.
func cpu(t testing.TB, p *proc.Process) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	// The name in parentheses may hold spaces; utime and stime are the 12th and
	// 13th field behind it, in ticks of 10 ms.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// comesToRest expects that a process nobody uses does nothing: that there are
// two seconds in which it takes less than a tenth of them.
func comesToRest(t testing.TB, p *proc.Process) {
	t.Helper()
	const window = 2 * time.Second
	for range 5 {
		before := cpu(t, p)
		<-time.After(window)
		took := cpu(t, p) - before
		t.Logf("at rest it takes %v in %v", took, window)
		if took < window/10 {
			return
		}
	}
	t.Error("it does not come to rest")
}
