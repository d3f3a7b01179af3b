package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDirResumesAcrossARestartAndOverwritesNothing(t *testing.T) {
	path := t.TempDir()
	write(t, filepath.Join(path, "data.bin"), "precious")
	source := filepath.Join(t.TempDir(), "data.bin")
	content := contents(3<<20 + 11)
	write(t, source, string(content))

	dir, err := OpenDir(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	accept := func(ctx context.Context, o Offer) (Sink, error) { return dir.Accept(ctx, nil, o) }

	// The first receiver gets half of it and is gone.
	file := open(t, source)
	half := int64(len(content) / 2)
	sink, err := dir.Accept(t.Context(), nil, file.Offer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write(content[:half]); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Accept(t.Context(), nil, file.Offer); err == nil {
		t.Error("the same file was accepted twice at once")
	}
	sink.Keep()
	file.Source.Close()

	a, b := newFiles(nil, nil), newFiles(accept, nil)
	cut := wire(a, b)
	again := open(t, source)
	if again.ID != file.ID {
		t.Error("the same file has another id")
	}
	begins := &firstOffset{Source: again.Source, offset: -1}
	again.Source = begins
	s := ends(t, send(t, a, again), Done)
	cut()
	a.close()
	b.close()
	if begins.biggest < half {
		t.Error("nothing was sent")
	}

	got, err := os.ReadFile(filepath.Join(path, "data (1).bin"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("received %d bytes, %v, %+v", len(got), err, s)
	}
	if kept, _ := os.ReadFile(filepath.Join(path, "data.bin")); string(kept) != "precious" {
		t.Errorf("the file that was there is now %q", kept)
	}
	left, _ := filepath.Glob(filepath.Join(path, "*.part*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

type firstOffset struct {
	Source
	offset, biggest int64
}

func (f *firstOffset) ReadAt(p []byte, off int64) (int, error) {
	f.biggest = max(f.biggest, off)
	return f.Source.ReadAt(p, off)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) File {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDirRefusesWhatIsTooLarge(t *testing.T) {
	dir, err := OpenDir(t.TempDir(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	_, err = dir.Accept(t.Context(), nil, Offer{ID: strings.Repeat("a", 32), Name: "x", Size: 1001})
	if reason, ok := errors.AsType[*CancelError](err); !ok || reason.Code != CodeTooLarge {
		t.Error(err)
	}
}

func TestOpenFileTakesOnlyFiles(t *testing.T) {
	if _, err := OpenFile(t.TempDir()); !errors.Is(err, ErrNotAFile) {
		t.Error(err)
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestGeneratedBytesDoNotDependOnHowTheyAreRead(t *testing.T) {
	whole := contents(1003)
	for _, off := range []int64{0, 1, 7, 8, 13, 1000} {
		for _, n := range []int64{1, 3, 8, 9, 100} {
			p := make([]byte, n)
			got, err := Generated{Size: 1003, Seed: 3}.ReadAt(p, off)
			want := whole[off:min(off+n, 1003)]
			if !bytes.Equal(p[:got], want) || (err == io.EOF) != (off+n > 1003) {
				t.Errorf("%d bytes at %d: %x %v, want %x", n, off, p[:got], err, want)
			}
		}
	}
	if _, err := (Generated{Size: 1}).ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was read")
	}
}

func TestSafeName(t *testing.T) {
	for in, want := range map[string]string{
		"photo.jpg":             "photo.jpg",
		"../../etc/passwd":      "passwd",
		`C:\Users\x\report.doc`: "report.doc",
		"..":                    "file",
		"":                      "file",
		".bashrc":               "bashrc",
		"a\x00b\nc.txt":         "abc.txt",
		"invoice\u202Efdp.exe":  "invoicefdp.exe",
		"con.txt":               "_con.txt",
		"COM7":                  "_COM7",
		"what? <yes>.md":        "what_ _yes_.md",
		"trailing. . ":          "trailing",
		"x.part":                "x.part_",
		"x.part.json":           "x.part.json_",
		"\xff\xfe":              "_",
		"Grüße 👋.txt":           "Grüße 👋.txt",
	} {
		if got := SafeName(in); got != want {
			t.Errorf("SafeName(%q) = %q, want %q", in, got, want)
		}
	}
	long := SafeName(strings.Repeat("ü", 250) + ".tar.gz")
	if len(long) > maxName || !strings.HasSuffix(long, ".gz") {
		t.Errorf("%d bytes: %s", len(long), long)
	}
}

func FuzzSafeName(f *testing.F) {
	for _, name := range []string{"a.txt", "../x", "con", "\u202e", strings.Repeat("é", 300), ".. /.", "x.part"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		safe := SafeName(name)
		if safe == "" || len(safe) > maxName+1 || !filepath.IsLocal(safe) || strings.ContainsAny(safe, "/\\\x00\n") ||
			strings.HasPrefix(safe, ".") || !utf8.ValidString(safe) {
			t.Errorf("SafeName(%q) = %q", name, safe)
		}
	})
}
