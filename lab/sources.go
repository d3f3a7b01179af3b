package lab

import (
	"errors"
	"io/fs"
	"path"
	"slices"
)

// Sources are the files of several places as if they were in one, for Info.Files: a lab's
// own, and those of a package that does the work its lesson is about. Of the same name the
// first is taken. They are flat: no folders.
func Sources(all ...fs.FS) fs.FS { return sources(all) }

type sources []fs.FS

// Open opens a file in the first place that has it.
func (s sources) Open(name string) (fs.File, error) {
	for _, one := range s {
		f, err := one.Open(name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Glob lists the names of the files that match, as fs.Glob does.
func (s sources) Glob(pattern string) (names []string, err error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, err
	}
	for _, one := range s {
		found, err := fs.Glob(one, pattern)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
