package static_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"peerlab/static"
)

func TestFiles(t *testing.T) {
	for _, name := range []string{"css/tokens.css", "js/page/room.js", "js/net/room.js", "js/view/ladder.js", "icon.svg"} {
		if body, err := fs.ReadFile(static.Files(), name); err != nil || len(body) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(body), err)
		}
	}
}

func TestHashIsOfNamesAndContent(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	trees := []fstest.MapFS{
		{"a": file("1"), "b": file("2")},
		{"a": file("1"), "c": file("2")},
		{"a": file("12"), "b": file("")},
		{"a": file("1")},
	}
	seen := map[string]int{}
	for i, tree := range trees {
		hash, err := static.Hash(tree)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := static.Hash(tree); again != hash {
			t.Errorf("tree %d: two hashes of the same", i)
		}
		if before, dup := seen[hash]; dup {
			t.Errorf("trees %d and %d have one hash", before, i)
		}
		seen[hash] = i
	}
}
