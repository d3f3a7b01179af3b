package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strings"

	"peerlab/lab"
	"peerlab/static"
)

// maxVisit bounds the body of a visit: the data, a name and a key.
const maxVisit = lab.MaxVisitData + 1<<10

// visit answers POST /runs/{id}/visitor: what the visitor's browser has measured,
// as JSON {"browser", "name", "data"}. What is in data the lab of the run judges.
func (s *site) visit(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findRun(r.PathValue("id"))
	if err != nil {
		return err
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &failure{Status: http.StatusUnsupportedMediaType, Title: "That is not JSON",
			Detail: "Content-Type must be application/json."}
	}
	var body struct {
		Browser string          `json:"browser"`
		Name    string          `json:"name"`
		Data    json.RawMessage `json:"data"`
	}
	read := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxVisit))
	read.DisallowUnknownFields()
	err = read.Decode(&body)
	if _, more := read.Token(); err == nil && more != io.EOF {
		err = errors.New("something comes behind the object")
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return err
	}
	if err != nil {
		return &failure{Status: http.StatusBadRequest, Title: "That could not be read",
			Detail: sentence(strings.TrimPrefix(err.Error(), "json: "))}
	}
	visitor, err := s.Labs.Visit(rec.ID, body.Browser, body.Name, body.Data)
	if bad, ok := errors.AsType[*lab.ParamError](err); ok {
		return &failure{Status: http.StatusUnprocessableEntity, Title: "Not taken",
			Detail: sentence(fmt.Sprintf("The field “%s” %s", bad.Field, bad.Message))}
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, map[string]any{"ok": true, "visitor": visitor})
	return nil
}

// checkVisitors looks for the modules by which visitors' browsers take part: a missing
// one is a fault of the program, better found at its start than by a visitor.
func checkVisitors(labs Labs) error {
	if labs == nil {
		return nil
	}
	for _, l := range labs.Labs() {
		if l.Visitor == "" {
			continue
		}
		if _, err := fs.Stat(static.Files(), "js/visitor/"+l.Visitor+".js"); err != nil {
			return fmt.Errorf("web: lab %s: its module for visitors: %w", l.Slug, err)
		}
	}
	return nil
}

// stunFor is the list of STUN servers that the script of a page gets; empty where a
// browser is not asked, or there is none to ask.
func (s *site) stunFor(r *http.Request, l *lab.Lab) string {
	if l.Visitor == "" || s.STUN == nil {
		return ""
	}
	urls := s.STUN(r)
	if len(urls) == 0 {
		return ""
	}
	text, err := json.Marshal(urls)
	if err != nil {
		return "" // strings can be written
	}
	return string(text)
}
