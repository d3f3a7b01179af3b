package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"peerlab/lab"
	"peerlab/lab/lesson"
)

// Labs is the part of a lab.Runner the pages need; *lab.Runner is one.
type Labs interface {
	// Labs lists what can be run, in the order to be shown.
	Labs() []*lab.Lab
	// Lab finds one by its slug.
	Lab(slug string) (*lab.Lab, error)
	// StartFor begins a run for a client with the values of a form.
	StartFor(client lab.Client, slug string, values url.Values) (*lab.Record, error)
	// Get finds a run, going on or kept.
	Get(id string) (*lab.Record, error)
	// Stop ends a run.
	Stop(id string) error
	// Act hands a run an action that its lab offers.
	Act(id, action string) error
	// Visit hands a run what a browser has measured.
	Visit(id, key, name string, data json.RawMessage) (visitor string, err error)
}

var _ Labs = (*lab.Runner)(nil)

// readLessons parses the lessons of all labs once; a bad one is a fault of the
// program, better found at its start than by a visitor.
func readLessons(labs Labs) (map[string]*lesson.Lesson, error) {
	lessons := map[string]*lesson.Lesson{}
	if labs == nil {
		return lessons, nil
	}
	for _, l := range labs.Labs() {
		parsed, err := lesson.Parse(l.Files)
		if err != nil {
			return nil, fmt.Errorf("web: lab %s: %w", l.Slug, err)
		}
		lessons[l.Slug] = parsed
	}
	return lessons, nil
}

// chapter is a heading with its labs.
type chapter struct {
	Name string
	Labs []*lab.Lab
}

// chapters groups the labs, chapters in the order of the list, labs by number.
func (s *site) chapters() []chapter {
	if s.Labs == nil {
		return nil
	}
	var all []chapter
	for _, l := range s.Labs.Labs() {
		i := slices.IndexFunc(all, func(c chapter) bool { return c.Name == l.Chapter })
		if i < 0 {
			i = len(all)
			all = append(all, chapter{Name: l.Chapter})
		}
		all[i].Labs = append(all[i].Labs, l)
	}
	for _, c := range all {
		slices.SortStableFunc(c.Labs, func(a, b *lab.Lab) int { return a.Question - b.Question })
	}
	return all
}

// labPage is what the page of a lab is drawn from, with or without a run.
type labPage struct {
	*lab.Lab
	Lesson *lesson.Lesson
	Form   labForm
	// Problem is why nothing was run, when that is not about one field.
	Problem string
	// Run is nil on the page of the lab itself.
	Run *runPage
}

// Intro is what comes before the first heading; Prose are the sections to be
// read; Predictions ask what will happen; Code shows what runs.
func (p labPage) Intro() []lesson.Section {
	return p.sections(func(s lesson.Section) bool { return s.Title == "" })
}

func (p labPage) Prose() []lesson.Section {
	return p.sections(func(s lesson.Section) bool { return s.Title != "" && len(s.Shows) == 0 && !predicts(s) })
}

func (p labPage) Predictions() []lesson.Section {
	return p.sections(func(s lesson.Section) bool { return s.Title != "" && len(s.Shows) == 0 && predicts(s) })
}

func (p labPage) Code() []lesson.Section {
	return p.sections(func(s lesson.Section) bool { return s.Title != "" && len(s.Shows) > 0 })
}

func (p labPage) sections(keep func(lesson.Section) bool) []lesson.Section {
	if p.Lesson == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Lesson.Sections), func(s lesson.Section) bool { return !keep(s) })
}

func predicts(s lesson.Section) bool { return strings.Contains(s.HTML, `class="predict"`) }

// findLab finds the lab of the path.
func (s *site) findLab(r *http.Request) (*lab.Lab, error) {
	if s.Labs == nil {
		return nil, errNotFound
	}
	return s.Labs.Lab(r.PathValue("slug"))
}

// labPage answers GET /labs/{slug}. The query fills the form, so that settings
// can be linked to; what is wrong with it is said, and nothing is run.
func (s *site) labPage(w http.ResponseWriter, r *http.Request) error {
	l, err := s.findLab(r)
	if err != nil {
		return err
	}
	values := r.URL.Query()
	values.Del("view")
	_, err = l.Parse(values)
	var bad *lab.ParamError
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	s.renderLab(w, r, http.StatusOK, labPage{Lab: l, Form: newLabForm(l, values, bad)})
	return nil
}

func (s *site) renderLab(w http.ResponseWriter, r *http.Request, code int, view labPage) {
	view.Lesson = s.lessons[view.Slug]
	s.render(w, r, code, labView(s.page(r, view.Title), view))
}

// startRun answers POST /labs/{slug}/runs. Where nothing could be run the form
// comes back as it was filled in.
func (s *site) startRun(w http.ResponseWriter, r *http.Request) error {
	l, err := s.findLab(r)
	if err != nil {
		return err
	}
	values, file, err := s.readRequest(r, l)
	if err != nil {
		return err
	}
	rec, err := s.Labs.StartFor(lab.Client{Addr: s.ClientAddr(r), Owner: s.local(r), File: file}, l.Slug, values)
	if err != nil {
		return s.notStarted(w, r, l, values, err)
	}
	if wantsJSON(r) {
		w.Header().Set("Location", runPath(rec.ID))
		writeJSON(w, http.StatusCreated, map[string]string{"run": rec.ID, "url": runPath(rec.ID)})
		return nil
	}
	http.Redirect(w, r, runPath(rec.ID), http.StatusSeeOther)
	return nil
}

// backToLab answers GET /labs/{slug}/runs, which is the address of a form that
// was refused when somebody loads it again.
func (s *site) backToLab(w http.ResponseWriter, r *http.Request) error {
	l, err := s.findLab(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/labs/"+l.Slug, http.StatusSeeOther)
	return nil
}

// notStarted answers with the form again, the reason beside it.
func (s *site) notStarted(w http.ResponseWriter, r *http.Request, l *lab.Lab, values url.Values, err error) error {
	var bad *lab.ParamError
	if errors.As(err, &bad) {
		if wantsJSON(r) {
			writeJSON(w, http.StatusUnprocessableEntity, map[string]string{
				"error": "Not with these parameters", "field": bad.Field, "message": sentence(labelOf(l, bad.Field) + " " + bad.Message)})
			return nil
		}
		s.renderLab(w, r, http.StatusUnprocessableEntity, labPage{Lab: l, Form: newLabForm(l, values, bad)})
		return nil
	}
	f, ours := asFailure(err)
	if ours || wantsJSON(r) {
		return err
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	s.renderLab(w, r, f.Status, labPage{Lab: l, Form: newLabForm(l, values, nil), Problem: f.Title + ". " + f.Detail})
	return nil
}

// errNoForm is for a body that no form is sent as: read as one it would be empty,
// and nobody would be told.
var errNoForm = &failure{Status: http.StatusUnsupportedMediaType, Title: "That is not a form",
	Detail: "Content-Type must be application/x-www-form-urlencoded."}

// readForm parses a posted form; one that cannot be read is the sender's fault.
func readForm(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.ContentLength != 0 && (err != nil || kind != "application/x-www-form-urlencoded") {
		return errNoForm
	}
	err = r.ParseForm()
	if err == nil {
		return nil
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return err
	}
	return &failure{Status: http.StatusBadRequest, Title: "That form could not be read", Detail: sentence(err.Error())}
}
