package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

const (
	partEnding    = ".part"
	sidecarEnding = ".json"
	maxSidecars   = 1000 // looked at in search of an earlier attempt
	maxSidecar    = 8 << 10
	maxNumber     = 10_000 // of "name (n)"
)

// Dir receives files into a directory. A file grows as "name.part", beside a
// small "name.part.json" that says which transfer it belongs to, so that the
// same transfer goes on from there even after a restart. Complete and
// verified, it is renamed; nothing that exists is ever overwritten.
type Dir struct {
	root    *os.Root
	maxSize int64

	mu   sync.Mutex
	busy map[string]bool // ids that are being received
}

// sidecar is the content of "name.part.json".
type sidecar struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// OpenDir opens an existing directory. Files above maxSize bytes are refused;
// 0 sets no limit.
func OpenDir(path string, maxSize int64) (*Dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the directory for files: %w", err)
	}
	return &Dir{root: root, maxSize: maxSize, busy: map[string]bool{}}, nil
}

// Close releases the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Accept opens a sink for an offer. It is what a Config takes as Accept.
func (d *Dir) Accept(_ context.Context, _ *Link, o Offer) (Sink, error) {
	if d.maxSize > 0 && o.Size > d.maxSize {
		return nil, &CancelError{Code: CodeTooLarge, Message: fmt.Sprintf("this peer takes files up to %d bytes", d.maxSize)}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[o.ID] {
		return nil, &CancelError{Code: CodeBusy, Message: "the same file is being received from another peer"}
	}
	s, err := d.find(o)
	if err != nil {
		return nil, err
	}
	if s == nil {
		if s, err = d.create(o); err != nil {
			return nil, err
		}
	}
	d.busy[o.ID] = true
	return s, nil
}

// find looks for what an earlier attempt left of the same transfer.
func (d *Dir) find(o Offer) (*partFile, error) {
	dir, err := d.root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("look for an earlier attempt: %w", err)
	}
	defer dir.Close()
	for looked := 0; looked < maxSidecars; {
		entries, err := dir.ReadDir(256)
		for _, e := range entries {
			part, ok := strings.CutSuffix(e.Name(), sidecarEnding)
			if !ok || !strings.HasSuffix(part, partEnding) {
				continue
			}
			looked++
			if s := d.reopen(part, o); s != nil {
				return s, nil
			}
		}
		if err != nil {
			break // the end, or a directory that cannot be read: begin anew
		}
	}
	return nil, nil
}

// reopen opens part if it belongs to the offer.
func (d *Dir) reopen(part string, o Offer) *partFile {
	side, err := d.root.Open(part + sidecarEnding)
	if err != nil {
		return nil
	}
	defer side.Close()
	var have sidecar
	if json.NewDecoder(io.LimitReader(side, maxSidecar)).Decode(&have) != nil || have.ID != o.ID || have.Size != o.Size {
		return nil
	}
	file, err := d.root.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil
	}
	return &partFile{dir: d, file: file, part: part, offer: o}
}

// create makes a new part file and its sidecar.
func (d *Dir) create(o Offer) (*partFile, error) {
	name := SafeName(o.Name)
	for n := range maxNumber {
		part := numbered(name, n) + partEnding
		file, err := d.root.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("create %s: %w", part, err)
		}
		s := &partFile{dir: d, file: file, part: part, offer: o}
		side, err := json.Marshal(sidecar{ID: o.ID, Name: name, Size: o.Size})
		if err == nil {
			err = d.root.WriteFile(part+sidecarEnding, side, 0o644)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create %s%s: %w", part, sidecarEnding, err), s.Remove())
		}
		return s, nil
	}
	return nil, fmt.Errorf("create %s: too many files of that name", name)
}

// numbered puts " (n)" before the ending; 0 leaves the name as it is.
func numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
}

// partFile is a Sink that grows a part file.
type partFile struct {
	dir   *Dir
	file  *os.File
	part  string
	offer Offer
}

var _ Sink = (*partFile)(nil)

func (s *partFile) Resume(w io.Writer) (int64, error) {
	info, err := s.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", s.part, err)
	}
	if info.Size() > s.offer.Size {
		if err := s.file.Truncate(0); err != nil {
			return 0, fmt.Errorf("begin %s anew: %w", s.part, err)
		}
	}
	n, err := io.Copy(w, s.file) // and there writing goes on
	if err != nil {
		return 0, fmt.Errorf("read %s again: %w", s.part, err)
	}
	return n, nil
}

func (s *partFile) Write(p []byte) (int, error) { return s.file.Write(p) }

func (s *partFile) Finish() (string, error) {
	err := errors.Join(s.file.Sync(), s.Keep())
	if err != nil {
		return "", fmt.Errorf("write %s to disk: %w", s.part, err)
	}
	name := SafeName(s.offer.Name)
	for n := range maxNumber {
		final := numbered(name, n)
		// Creating it reserves the name; the rename then replaces our own
		// empty file, so that no other is ever overwritten.
		reserved, err := s.dir.root.OpenFile(final, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("create %s: %w", final, err)
		}
		reserved.Close()
		if err := s.dir.root.Rename(s.part, final); err != nil {
			return "", errors.Join(fmt.Errorf("rename %s: %w", s.part, err), s.dir.root.Remove(final))
		}
		_ = s.dir.root.Remove(s.part + sidecarEnding)
		s.dir.sync()
		return final, nil
	}
	return "", fmt.Errorf("rename %s: too many files of that name", s.part)
}

func (s *partFile) Keep() error {
	s.dir.mu.Lock()
	delete(s.dir.busy, s.offer.ID)
	s.dir.mu.Unlock()
	return s.file.Close()
}

func (s *partFile) Remove() error {
	return errors.Join(s.Keep(), s.dir.root.Remove(s.part), ignoreMissing(s.dir.root.Remove(s.part+sidecarEnding)))
}

// sync makes the rename last; where directories cannot be synced it may wait.
func (d *Dir) sync() {
	if dir, err := d.root.Open("."); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
