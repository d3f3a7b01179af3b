package lesson

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Region is a piece of a lab's source, marked in it by comments:
//
//	// region accept
//	…
//	// endregion
type Region struct {
	Name, File string
	// Line is the number of its first line in File.
	Line int
	// Source without the marks, and without the indentation all lines share.
	Source string
}

var mark = regexp.MustCompile(`^\s*// (region ([a-z0-9-]+)|endregion)\s*$`)

// Regions finds the regions of all Go files at the top of files, by file and
// line. Names are the lab's own: the same twice is an error, as is a region
// that is empty, inside another one, or never ends.
func Regions(files fs.FS) ([]Region, error) {
	names, err := fs.Glob(files, "*.go")
	if err != nil {
		return nil, fmt.Errorf("regions: %w", err)
	}
	var all []Region
	seen := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("regions: %w", err)
		}
		found, err := regionsOf(name, string(text))
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if other, twice := seen[r.Name]; twice {
				return nil, fmt.Errorf("%s:%d: region %q is in %s already", name, r.Line, r.Name, other)
			}
			seen[r.Name] = name
			all = append(all, r)
		}
	}
	return all, nil
}

func regionsOf(file, text string) ([]Region, error) {
	var all []Region
	var open *Region
	var lines []string
	for i, line := range strings.Split(text, "\n") {
		m := mark.FindStringSubmatch(line)
		switch {
		case m == nil:
			if open != nil {
				lines = append(lines, line)
			}
		case m[2] != "" && open != nil:
			return nil, fmt.Errorf("%s:%d: region %q inside region %q", file, i+1, m[2], open.Name)
		case m[2] != "":
			open, lines = &Region{Name: m[2], File: file, Line: i + 2}, nil
		case open == nil:
			return nil, fmt.Errorf("%s:%d: endregion without a region", file, i+1)
		default:
			if open.Source = dedent(lines); strings.TrimSpace(open.Source) == "" {
				return nil, fmt.Errorf("%s:%d: region %q is empty", file, open.Line, open.Name)
			}
			all = append(all, *open)
			open = nil
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: region %q never ends", file, open.Line, open.Name)
	}
	return all, nil
}

// dedent takes away the tabs that all lines begin with.
func dedent(lines []string) string {
	shared := -1
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			continue
		}
		if tabs := len(l) - len(strings.TrimLeft(l, "\t")); shared < 0 || tabs < shared {
			shared = tabs
		}
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l[min(max(shared, 0), len(l)):])
		b.WriteByte('\n')
	}
	return b.String()
}
