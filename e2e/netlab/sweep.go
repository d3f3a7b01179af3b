package netlab

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// owned matches the name of a lab's namespace; the group is its owner.
var owned = regexp.MustCompile(`^pl([0-9]+)-`)

// Sweep removes the namespaces, and kills the processes in them, of labs whose
// owner is no longer running. A test that panics or times out leaves such.
func Sweep() error {
	names, err := namespaces()
	var errs []error
	for name, pid := range names {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			continue
		}
		_, err := (&namespace{name}).remove()
		if _, statErr := os.Stat(handles + "/" + name); errors.Is(statErr, os.ErrNotExist) {
			continue // gone, by us or by another sweeper
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, err)...)
}

// Leftovers names the namespaces this process has made and not removed.
func Leftovers() ([]string, error) {
	names, err := namespaces()
	var left []string
	for name, pid := range names {
		if pid == os.Getpid() {
			left = append(left, name)
		}
	}
	return left, err
}

// namespaces maps the namespaces of all labs to the process id of their owner.
func namespaces() (map[string]int, error) {
	entries, err := os.ReadDir(handles)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	names := make(map[string]int)
	for _, entry := range entries {
		m := owned.FindStringSubmatch(entry.Name())
		if m == nil {
			continue
		}
		if pid, err := strconv.Atoi(m[1]); err == nil {
			names[entry.Name()] = pid
		}
	}
	return names, err
}
