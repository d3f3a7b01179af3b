package netlab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// handles is where iproute2 keeps named namespaces.
const handles = "/run/netns"

// namespace is a named network namespace.
type namespace struct{ name string }

// newNamespace makes a namespace whose loopback is up and which has no IPv6.
func newNamespace(name string) (*namespace, error) {
	if err := run("", "ip", "netns", "add", name); err != nil {
		return nil, err
	}
	ns := &namespace{name}
	return ns, errors.Join(
		// No duplicate address detection to wait for, no second kind of candidates.
		ns.sysctl("net/ipv6/conf/all/disable_ipv6", "1"),
		ns.ip("link set lo up"),
	)
}

// ip runs iproute2 commands in the namespace, stopping at the first to fail.
func (n *namespace) ip(commands ...string) error {
	return run(strings.Join(commands, "\n"), "ip", "-n", n.name, "-batch", "-")
}

// nft applies a packet filter script in the namespace, all of it or nothing.
func (n *namespace) nft(script string) error {
	return run(script, "ip", "netns", "exec", n.name, "nft", "-f", "-")
}

// sysctl sets a kernel parameter of the namespace, if the kernel has it.
func (n *namespace) sysctl(key, value string) error {
	return n.do(func() error {
		err := os.WriteFile("/proc/sys/"+key, []byte(value), 0)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
}

// do runs f on a thread inside the namespace. Sockets that f opens stay in the
// namespace; goroutines that f starts are not in it.
func (n *namespace) do(f func() error) error {
	inside, err := os.Open(filepath.Join(handles, n.name))
	if err != nil {
		return fmt.Errorf("open namespace: %w", err)
	}
	defer inside.Close()

	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		outside, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("open the thread's own namespace: %w", err)
			return
		}
		defer outside.Close()
		err = unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET)
		if err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("enter namespace %s: %w", n.name, err)
			return
		}
		err = f()
		if back := unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET); back != nil {
			// Still locked: the thread, now in the wrong place, ends with us.
			result <- errors.Join(err, fmt.Errorf("leave namespace %s: %w", n.name, back))
			return
		}
		runtime.UnlockOSThread()
		result <- err
	}()
	return <-result
}

// enter changes a command so that it runs inside the namespace.
func (n *namespace) enter(cmd *exec.Cmd) error {
	ip, err := exec.LookPath("ip")
	if err != nil {
		return err
	}
	cmd.Args = append([]string{"ip", "netns", "exec", n.name, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = ip
	return nil
}

// processes lists who runs in the namespace, as process id and command line.
func (n *namespace) processes() (map[int]string, error) {
	out, err := exec.Command("ip", "netns", "pids", n.name).Output()
	if err != nil {
		return nil, fmt.Errorf("ip netns pids %s: %w", n.name, err)
	}
	found := make(map[int]string)
	for field := range strings.FieldsSeq(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil || pid == os.Getpid() {
			continue
		}
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(cmdline) == 0 {
			continue // already gone, or a zombie waiting for its parent
		}
		found[pid] = fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))
	}
	return found, nil
}

// remove kills what still runs in the namespace, and says what that was, then
// deletes it.
func (n *namespace) remove() (killed []string, err error) {
	running, err := n.processes()
	for pid, description := range running {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed = append(killed, description)
		}
	}
	return killed, errors.Join(err, run("", "ip", "netns", "del", n.name))
}

// run runs a tool and returns what it complained about.
func run(stdin, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
