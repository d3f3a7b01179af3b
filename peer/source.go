package peer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"time"
)

// ErrNotAFile says that a path leads to a directory or a device.
var ErrNotAFile = errors.New("not a regular file")

// OpenFile prepares a file of this machine for Files.Send. Its id is made of
// where it is, its size, the time of its last change and its first and last
// 64 KiB: sending the same file again, also after a restart, goes on where
// the receiver is, and a file that was changed is another transfer.
func OpenFile(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err // says what was attempted
	}
	file, err := describe(f, path)
	if err != nil {
		f.Close()
		return File{}, fmt.Errorf("open %s: %w", path, err)
	}
	return file, nil
}

func describe(f *os.File, path string) (File, error) {
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, ErrNotAFile
	}
	id, err := fileID(f, path, info.Size(), info.ModTime())
	if err != nil {
		return File{}, err
	}
	return File{
		Offer: Offer{
			ID: id, Name: bareName(filepath.Base(path)), Size: info.Size(),
			MIME: mime.TypeByExtension(filepath.Ext(path)),
		},
		Source: f,
	}, nil
}

func fileID(f io.ReaderAt, path string, size int64, changed time.Time) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	host, _ := os.Hostname() // a machine without a name is one more machine
	h := sha256.New()
	fmt.Fprintf(h, "peerlab file\n%q\n%q\n%d\n%d\n", host, absolute, size, changed.UnixNano())
	const end = 64 << 10
	for _, from := range []int64{0, max(0, size-end)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, from, end)); err != nil {
			return "", fmt.Errorf("read: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// Generated is a Source without a disk: the byte at each offset follows from
// a seed, so both ends can tell what it must be.
type Generated struct {
	Size int64
	Seed uint64
}

// ReadAt fills p with the bytes at off.
func (g Generated) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("a negative offset")
	}
	if off >= g.Size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), g.Size-off))
	out := p[:n]
	if odd := off % 8; odd != 0 { // begin in the middle of a word
		word := g.word(off)
		copied := copy(out, word[odd:])
		out, off = out[copied:], off+int64(copied)
	}
	for ; len(out) >= 8; out, off = out[8:], off+8 {
		binary.LittleEndian.PutUint64(out, mix(g.Seed+uint64(off/8)))
	}
	if word := g.word(off); len(out) > 0 {
		copy(out, word[:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// word is the eight bytes that the one at off belongs to.
func (g Generated) word(off int64) (w [8]byte) {
	binary.LittleEndian.PutUint64(w[:], mix(g.Seed+uint64(off/8)))
	return w
}

// Close does nothing.
func (g Generated) Close() error { return nil }

// mix turns a counter into bits that compress badly (the finalizer of
// SplitMix64).
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Discard is a Sink that keeps nothing: Files has the hash all the same.
type Discard struct{}

// Resume has nothing.
func (Discard) Resume(io.Writer) (int64, error) { return 0, nil }

// Write forgets p.
func (Discard) Write(p []byte) (int, error) { return len(p), nil }

// Finish says that nothing was kept.
func (Discard) Finish() (string, error) { return "nowhere: it was counted, hashed and forgotten", nil }

// Keep does nothing.
func (Discard) Keep() error { return nil }

// Remove does nothing.
func (Discard) Remove() error { return nil }

var (
	_ Source = Generated{}
	_ Sink   = Discard{}
)
