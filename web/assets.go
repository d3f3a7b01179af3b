package web

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// assets serves the embedded files below the hash of their content.
type assets struct {
	tree fs.FS
	hash string
}

// url returns where a file is served, such as /static/1f…/css/base.css.
func (a assets) url(file string) string { return "/static/" + a.hash + "/" + file }

// contentType is ours because the system's table differs between machines,
// and a module with the wrong type does not run under nosniff.
func contentType(file string) (string, bool) {
	switch path.Ext(file) {
	case ".css":
		return "text/css; charset=utf-8", true
	case ".js":
		return "text/javascript; charset=utf-8", true
	case ".svg":
		return "image/svg+xml", true
	}
	return "", false
}

// serve answers GET /static/{hash}/{path...}. A hash that is not ours is a
// page from another version: better a clear miss than a mix of two.
func (a assets) serve(w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("hash") != a.hash {
		return errNotFound
	}
	return a.file(w, r, r.PathValue("path"), "public, max-age=31536000, immutable")
}

// icon answers GET /favicon.ico, which browsers ask for unasked.
func (a assets) icon(w http.ResponseWriter, r *http.Request) error {
	return a.file(w, r, "icon.svg", "public, max-age=86400")
}

func (a assets) file(w http.ResponseWriter, r *http.Request, name, cache string) error {
	mime, known := contentType(name)
	if !known {
		return errNotFound
	}
	body, err := fs.ReadFile(a.tree, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mime)
	w.Header().Set("Cache-Control", cache)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}
