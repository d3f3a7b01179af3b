package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"peerlab/lab"
	"peerlab/signaling"
)

// failure is an error that knows how to be shown to a person. Every error page
// of the site is one of these.
type failure struct {
	Status int
	Title  string
	Detail string
	// NewRoom offers a button that starts a room.
	NewRoom bool
	// RetryAfter is when it may be worth trying again, in seconds; 0 is never.
	RetryAfter int
}

func (f *failure) Error() string { return fmt.Sprintf("%d %s: %s", f.Status, f.Title, f.Detail) }

var (
	errNotFound = &failure{Status: http.StatusNotFound, Title: "Nothing here",
		Detail: "There is no page at this address."}
	// One answer for a room that never was, one that ended and an id that
	// cannot be one, so that asking tells nothing.
	errNoRoom = &failure{Status: http.StatusNotFound, Title: "There is no such room",
		Detail:  "It may have ended: a room closes ten minutes after the last person leaves. Or the link lost a few characters on its way.",
		NewRoom: true}
	errNotLocal = &failure{Status: http.StatusForbidden, Title: "Only from the server itself",
		Detail: "This changes the network the server is in, so it may be asked only from the machine it runs on, opened as localhost."}
	errCrossOrigin = &failure{Status: http.StatusForbidden, Title: "Refused: sent by another site",
		Detail: "A page on another site tried to act here in your name. If it was you, go to the start page and try again."}
	errHost = &failure{Status: http.StatusMisdirectedRequest, Title: "This server has another name",
		Detail: "It answers to its own addresses only. If you reached it under a name of yours, start it with --public-url set to that name."}
	errTooFast = &failure{Status: http.StatusTooManyRequests, Title: "One room at a time",
		Detail: "Many rooms were started from your address in a short time. Wait a minute, then try again."}
	errNoPlace = &failure{Status: http.StatusServiceUnavailable, Title: "Every room is taken",
		Detail: "This server holds as many rooms as it may. One ends ten minutes after the last person leaves it."}
	errNoLab = &failure{Status: http.StatusNotFound, Title: "There is no such lab",
		Detail: "The start page lists those there are."}
	errNoRun = &failure{Status: http.StatusNotFound, Title: "There is no such run",
		Detail: "It may be too long ago: only the latest runs are kept. A run that was saved as a file can be opened again under Saved runs."}
	errNoPackets = &failure{Status: http.StatusNotFound, Title: "This run has no packets",
		Detail: "Packets are seen on the emulated link only. Run the lab again with the network set to link."}
	errRunOver = &failure{Status: http.StatusConflict, Title: "The run is over",
		Detail: "It takes no actions any more."}
	errNoAction = &failure{Status: http.StatusNotFound, Title: "There is no such action",
		Detail: "The page of the run has a button for each there is."}
	errManyActions = &failure{Status: http.StatusTooManyRequests, Title: "One at a time", RetryAfter: 1,
		Detail: "The run has not taken what came before this yet."}
	errNoVisitors = &failure{Status: http.StatusNotFound, Title: "This lab asks no browsers",
		Detail: "Only a lab with a button to measure the visitor's browser takes what it finds."}
	errManyVisitors = &failure{Status: http.StatusTooManyRequests, Title: "Too many browsers take part",
		Detail: "This run has as many as it takes. Start one of your own."}
	errBusy = &failure{Status: http.StatusServiceUnavailable, Title: "Too many runs are going on here", RetryAfter: 15,
		Detail: "This server does only so many at a time (--max-runs), and each ends within minutes. Try again in a moment."}
	errYourRuns = &failure{Status: http.StatusTooManyRequests, Title: "Too many runs of yours are going on", RetryAfter: 15,
		Detail: "Stop one of them, or wait until it has ended. Then start this one again. " +
			"All who come from one address count as one, such as a class behind one router: --max-runs-each sets how many they may have."}
	errClosing = &failure{Status: http.StatusServiceUnavailable, Title: "The server is shutting down",
		Detail: "No new run is started."}
	errOurs = &failure{Status: http.StatusInternalServerError, Title: "That was our mistake",
		Detail: "Something in the server went wrong. It has been written to the log; trying again may work."}
)

func errMethod(allow string) *failure {
	return &failure{Status: http.StatusMethodNotAllowed, Title: "Not this way",
		Detail: "This address takes " + allow + " only."}
}

// errTooLarge is for a body of more bytes than are taken at its address.
func errTooLarge(most int64) *failure {
	return &failure{Status: http.StatusRequestEntityTooLarge, Title: "Too much at once",
		Detail: fmt.Sprintf("At most %d bytes are taken here.", most)}
}

// errUnavailable is for what could not be done now, with the reason in words.
func errUnavailable(what string, err error) *failure {
	return &failure{Status: http.StatusServiceUnavailable, Title: what, Detail: sentence(err.Error())}
}

// asFailure maps any error to what is shown. Unknown ones are ours, and only
// those are worth a line in the log.
func asFailure(err error) (f *failure, ours bool) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f, false
	case errors.As(err, &tooLarge):
		return errTooLarge(tooLarge.Limit), false
	case errors.Is(err, signaling.ErrRateLimited):
		return errTooFast, false
	case errors.Is(err, signaling.ErrTooManyRooms):
		return errNoPlace, false
	case errors.Is(err, lab.ErrNoLab):
		return errNoLab, false
	case errors.Is(err, lab.ErrNoRun):
		return errNoRun, false
	case errors.Is(err, lab.ErrNoPackets):
		return errNoPackets, false
	case errors.Is(err, lab.ErrNoAction):
		return errNoAction, false
	case errors.Is(err, lab.ErrOver):
		return errRunOver, false
	case errors.Is(err, lab.ErrTooFast):
		return errManyActions, false
	case errors.Is(err, lab.ErrNoVisitors):
		return errNoVisitors, false
	case errors.Is(err, lab.ErrManyVisitors):
		return errManyVisitors, false
	case errors.Is(err, lab.ErrBusy):
		return errBusy, false
	case errors.Is(err, lab.ErrYourRuns):
		return errYourRuns, false
	case errors.Is(err, lab.ErrClosed):
		return errClosing, false
	case errors.Is(err, context.Canceled):
		return errUnavailable("Cancelled", err), false
	}
	return errOurs, true
}

// fail writes the one error answer of a request.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	f, ours := asFailure(err)
	if ours {
		s.Logger.Error("request failed", "route", r.Pattern, "err", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	if wantsJSON(r) {
		writeJSON(w, f.Status, map[string]string{"error": f.Title, "message": f.Detail})
		return
	}
	s.render(w, r, f.Status, failurePage(s.page(r, f.Title), f))
}

// wantsJSON tells a script or program from a person's browser.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") ||
		strings.HasPrefix(r.URL.Path, "/api/")
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// The client may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// sentence makes an error's text readable as one.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	text = sentenceStart(text)
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
