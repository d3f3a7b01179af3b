package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxRoomID bounds what is looked up as a room; ids are 26 characters.
const maxRoomID = 64

func (s *site) dashboard(w http.ResponseWriter, r *http.Request) error {
	s.renderDashboard(w, r, http.StatusOK, joinForm{})
	return nil
}

// joinForm is the field of the dashboard with what was wrong about it.
type joinForm struct{ Value, Problem string }

func (s *site) renderDashboard(w http.ResponseWriter, r *http.Request, code int, form joinForm) {
	status := s.Status(r.Context())
	s.render(w, r, code, dashboardView(s.page(r, ""), s.cards(r, status), status, form, s.chapters()))
}

func (s *site) createRoom(w http.ResponseWriter, r *http.Request) error {
	room, err := s.Rooms.Create(s.ClientAddr(r))
	if err != nil {
		return fmt.Errorf("start a room: %w", err)
	}
	path := roomPath(room)
	if wantsJSON(r) {
		w.Header().Set("Location", path)
		writeJSON(w, http.StatusCreated, map[string]string{"room": room, "url": s.shareLinks(r, room)[0]})
		return nil
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}

func roomPath(room string) string { return "/rooms/" + url.PathEscape(room) }

func (s *site) shareLinks(r *http.Request, room string) []string { return s.links(r, roomPath(room)) }

// links lists the addresses of a path for other machines, the best first: the
// name this visitor came by, unless that works on this machine only.
func (s *site) links(r *http.Request, path string) []string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	here := scheme + r.Host
	bases := s.ShareURLs(r)
	if len(bases) == 0 {
		bases = []string{here}
	}
	links := make([]string, 0, len(bases))
	for _, base := range bases {
		links = append(links, strings.TrimSuffix(base, "/")+path)
	}
	return links
}

// openRoom returns the id from the path if that room is open. Whatever cannot
// be an id is not even looked up, and gets the same answer.
func (s *site) openRoom(r *http.Request) (string, error) {
	room := r.PathValue("room")
	if room == "" || len(room) > maxRoomID || !s.Rooms.Exists(room) {
		return "", errNoRoom
	}
	return room, nil
}

func (s *site) room(w http.ResponseWriter, r *http.Request) error {
	room, err := s.openRoom(r)
	if err != nil {
		return err
	}
	links := s.shareLinks(r, room)
	code, err := qrCode(links[0])
	if err != nil {
		return err
	}
	view := roomPage{ID: room, Links: links, QR: code, OnLoopback: loopbackHost(r.Host), CanInvite: s.Invite != nil}
	s.render(w, r, http.StatusOK, roomView(s.page(r, "Room "+view.Short()), view))
	return nil
}

// roomPage is what the room's page is drawn from before its script takes over.
type roomPage struct {
	ID         string
	Links      []string
	QR         qrPath
	OnLoopback bool
	CanInvite  bool
}

// Short is enough of the id for people to tell rooms apart, and too little to
// get in with when it is read off a projector.
func (p roomPage) Short() string {
	if len(p.ID) <= 5 {
		return p.ID
	}
	return p.ID[:5]
}

// Unshared tells that no link leads here from another machine.
func (p roomPage) Unshared() bool {
	u, err := url.Parse(p.Links[0])
	return err == nil && loopbackHost(u.Host)
}

// roomSocket leaves a missing room to the hub, which says so in the protocol's
// own words.
func (s *site) roomSocket(w http.ResponseWriter, r *http.Request) error {
	s.Rooms.ServeWS(w, r, r.PathValue("room"))
	return nil
}

func (s *site) invite(w http.ResponseWriter, r *http.Request) error {
	room, err := s.openRoom(r)
	if err != nil {
		return err
	}
	if s.Invite == nil {
		return errNotFound
	}
	if err := s.Invite(r.Context(), room); err != nil {
		return errUnavailable("The Go peer did not come", err)
	}
	return done(w, r, roomPath(room))
}

// done answers a form that only had to act: back to the page, or 202 to a script.
func done(w http.ResponseWriter, r *http.Request, back string) error {
	if wantsJSON(r) {
		writeJSON(w, http.StatusAccepted, map[string]bool{"ok": true})
		return nil
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
	return nil
}

// roomInText finds a room's id in what people paste: a whole link, its end, or
// the bare id.
var roomInText = regexp.MustCompile(`(?i)(?:^|/rooms/|\s)([a-z2-7]{26})(?:$|[/?#\s])`)

func (s *site) join(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	text := strings.TrimSpace(r.PostForm.Get("link"))
	found := roomInText.FindStringSubmatch(text)
	if found == nil {
		problem := "That has no room in it. A room link ends in 26 letters and digits."
		if text == "" {
			problem = "Paste the link you were sent, or the room’s id."
		}
		s.renderDashboard(w, r, http.StatusUnprocessableEntity, joinForm{Value: clip(text, 200), Problem: problem})
		return nil
	}
	http.Redirect(w, r, roomPath(strings.ToLower(found[1])), http.StatusSeeOther)
	return nil
}

func clip(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit])
	}
	return text
}
