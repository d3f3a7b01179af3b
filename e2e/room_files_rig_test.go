package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"peerlab/e2e/browser"
)

// document is a file to send: bytes that no two files have in common.
type document struct {
	path, name, sha256 string
	size               int64
}

const mebibyte = 1 << 20

// newDocument makes a file, the same one for the same name and size.
func newDocument(t testing.TB, name string, size int64) document {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, size))
	if _, err := io.CopyN(io.MultiWriter(file, hash), rand.NewChaCha8(seed), size); err != nil {
		t.Fatal(err)
	}
	return document{path, name, hex.EncodeToString(hash.Sum(nil)), size}
}

// offers sends a file to whom the page has chosen.
func (g *guest) offers(files ...document) {
	g.t.Helper()
	var paths []string
	for _, file := range files {
		paths = append(paths, file.path)
	}
	g.SetFiles(at("file-input"), paths...)
}

// row is the selector of a transfer in the page's list, or of one of its
// buttons.
func row(dir, name string, button ...string) string {
	selector := at("transfer", "dir", dir, "name", name)
	for _, b := range button {
		selector += " " + at(b)
	}
	return selector
}

// accepts answers an offer.
func (g *guest) accepts(name string) {
	g.t.Helper()
	g.Click(row("in", name, "accept"))
}

// transfer is a row as the page shows it.
type transfer struct {
	State, Text, Sha256 string
}

func (g *guest) transfer(dir, name string) transfer {
	g.t.Helper()
	return browser.Eval[transfer](g.Page, `(() => { const el = document.querySelector(`+js(row(dir, name))+`);
		return {State: el.dataset.state, Text: el.innerText, Sha256: el.dataset.sha256}; })()`)
}

// seesTransfer waits until a transfer is in one of the states, and returns it.
func (g *guest) seesTransfer(dir, name string, within time.Duration, states ...string) transfer {
	g.t.Helper()
	g.WaitFor(js(states)+`.includes(document.querySelector(`+js(row(dir, name))+`).dataset.state)`, within)
	return g.transfer(dir, name)
}

// completes waits for the end of a transfer, which has to be a good one.
func (g *guest) completes(dir string, file document, within time.Duration) transfer {
	g.t.Helper()
	end := g.seesTransfer(dir, file.name, within, "done", "failed", "cancelled", "declined")
	if end.State != "done" || end.Sha256 != file.sha256 {
		g.t.Fatalf("%s: transfer %s %s ended as %s with SHA-256 %q, want done with %s; it says %q",
			g.name, dir, file.name, end.State, end.Sha256, file.sha256, end.Text)
	}
	return end
}

// saves saves a file that has arrived, and expects the bytes that were sent.
func (g *guest) saves(file document) {
	g.t.Helper()
	g.savesAs(file, file.name)
}

// savesAs is saves for a name that a file system does not take.
func (g *guest) savesAs(file document, name string) {
	g.t.Helper()
	saved := g.Download(patience, func() { g.Click(row("in", file.name, "save")) })
	if saved.Name != name {
		g.t.Errorf("%s: %s is saved as %s", g.name, file.name, saved.Name)
	}
	got, err := hashOf(saved.Path)
	if err != nil || got != file.sha256 {
		g.t.Errorf("%s: the saved %s has the SHA-256 %s, want %s (%v)", g.name, file.name, got, file.sha256, err)
	}
}

func hashOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return hex.EncodeToString(hash.Sum(nil)), err
}

// begun waits until a part of a file has arrived, with more to come.
func (g *guest) begun(name string) {
	g.t.Helper()
	g.WaitFor(`(() => { const el = document.querySelector(`+js(row("in", name))+`);
		const {value} = el.querySelector('progress'); return el.dataset.state === 'active' && value > 0.05; })()`, patience)
}
