package web

import (
	"bytes"
	"net/http"

	"github.com/a-h/templ"
)

// page is what every page's frame needs.
type page struct {
	Title string
	// Theme is "light" or "dark" when the visitor chose one, else empty. It and
	// the next two come by cookie, so that the first paint is already right.
	Theme  string
	View   string
	Motion string
	// HasLabs tells whether there is a list of labs to lead to.
	HasLabs bool
	assets  assets
}

func (p page) url(file string) string { return p.assets.url(file) }

// FullTitle is what the browser's tab says.
func (p page) FullTitle() string {
	if p.Title == "" {
		return "Peerlab"
	}
	return p.Title + " · Peerlab"
}

func (s *site) page(r *http.Request, title string) page {
	p := page{
		Title:   title,
		Theme:   choice(r, "theme", "light", "dark"),
		View:    choice(r, "view", "projector"),
		Motion:  choice(r, "motion", "off"),
		HasLabs: s.Labs != nil,
		assets:  s.assets,
	}
	switch r.URL.Query().Get("view") {
	case "projector":
		p.View = "projector"
	case "normal":
		p.View = ""
	}
	return p
}

// choice reads a cookie that may have only these values.
func choice(r *http.Request, name string, values ...string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	for _, v := range values {
		if cookie.Value == v {
			return v
		}
	}
	return ""
}

// render writes a page, whole or not at all: a template that fails half way
// must not leave half a page with status 200.
func (s *site) render(w http.ResponseWriter, r *http.Request, code int, body templ.Component) {
	var page bytes.Buffer
	if err := body.Render(r.Context(), &page); err != nil {
		s.Logger.Error("page not rendered", "route", r.Pattern, "err", err)
		http.Error(w, "The page could not be drawn.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	// The visitor may be gone; there is nobody left to tell.
	_, _ = w.Write(page.Bytes())
}

// boolText is a bool as ARIA writes it.
func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
