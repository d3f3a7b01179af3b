// Package static holds the files a browser loads beside the pages: style
// sheets and plain ES modules, embedded as they are. There is no build step.
//
// All of them are served below one hash of the whole tree, so that relative
// imports between modules keep working and every answer may be cached for ever.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

//go:embed css js icon.svg
var files embed.FS

// Files returns the tree: css/, js/ and icon.svg.
func Files() fs.FS { return files }

// Hash names the content of a tree: every path and every byte goes into it.
// fs.WalkDir visits in lexical order, so equal trees have equal hashes.
func Hash(tree fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s\x00%d\x00", path, len(body))
		sum.Write(body)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hash the static files: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
